"""Figures of measurements of the toolkit itself: searchers against each other, races, and how busy slots are kept."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from vmsbench.report.render.style import PALETTE, rendered, style

DASHES = ("-", "--", ":", "-.")


def draw_race(lines: Sequence[tuple[str, str, Sequence[float], Sequence[float]]], what: str) -> bytes:
    """Best score so far by trials and by billed epochs, as png: (searcher, rule, billed, best) for each line.

    A searcher has a colour, a rule a kind of line.
    """
    searchers = list(dict.fromkeys(searcher for searcher, *_ in lines))
    rules = list(dict.fromkeys(rule for _, rule, *_ in lines))
    with style():
        figure = Figure(figsize=(9, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for searcher, rule, epochs, best in lines:
            line = {"color": PALETTE[searchers.index(searcher) % len(PALETTE)], "linestyle": DASHES[rules.index(rule)]}
            left.step(range(1, len(best) + 1), best, where="post", linewidth=1.3, **line)
            right.step(epochs, best, where="post", linewidth=1.3, label=f"{searcher}, {rule}", **line)
        left.set(title=f"Best {what} so far", xlabel="trials", ylabel=what)
        right.set(title="The same by billed epochs, idle slots included", xlabel="epochs of all slots")
        right.legend()
        return rendered(figure, "png")


def draw_slots(lines: Sequence[tuple[str, bool, Sequence[int], Sequence[float], Sequence[float]]]) -> bytes:
    """Busy share and length of a search by slots, as png: (space, filled, slots, busy, length) for each line."""
    spaces = list(dict.fromkeys(space for space, *_ in lines))
    with style():
        figure = Figure(figsize=(9, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        for space, filled, slots, busy, length in lines:
            line = {"color": PALETTE[spaces.index(space) % len(PALETTE)], "linestyle": DASHES[not filled]}
            left.plot(slots, busy, linewidth=1.3, **line)
            name = f"{space}, extra trials" if filled else space
            right.plot(slots, length, linewidth=1.3, label=name, **line)
        for axes in (left, right):
            axes.set_xscale("log", base=2)
            axes.set_xlabel("slots")
        left.set(title="Share of the slots' time in use", ylim=(0, 1.02))
        right.set(title="Length of the search, in trials one after the other")
        right.legend()
        return rendered(figure, "png")


def draw_racing(ways: Sequence[tuple[str, float, float]]) -> bytes:
    """How often another seed changes the winner by epochs, as png: (way, epochs, share) for each."""
    kinds = {
        "race of": "a race",
        "seeds each": "so many seeds each",
        "short race of": "a race of short trainings",
        "short seeds each": "so many short trainings each",
    }
    with style():
        figure = Figure(figsize=(5.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for number, (kind, label) in enumerate(kinds.items()):
            own = [one for one in ways if one[0].strip("0123456789 ") == kind]
            at, changed = [one[1] for one in own], [one[2] for one in own]
            axes.plot(at, changed, marker="o", ms=4, linewidth=1.3, color=PALETTE[number], label=label)
        axes.set(xlabel="epochs of a search", ylabel="parameters with another winner", ylim=(0, None))
        axes.plot(*ways[0][1:], marker="x", linestyle="", color="0.3", label="one seed")
        axes.axhline(ways[0][2] / 2, color="0.3", linestyle=":", linewidth=1.1, label="half of one seed's")
        axes.legend()
        return rendered(figure, "png")
