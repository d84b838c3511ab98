"""What the report says of the searches: the walk, the parameters, what stopping saved, hours, configurations."""

from vmsbench.report import labels
from vmsbench.report.analysis.importance import bars, complete, importances, parallel
from vmsbench.report.analysis.seed_noise import seed_noise
from vmsbench.report.blocks import Block, Facts, FigureBlock, Heading, TableBlock, Text
from vmsbench.report.render import style
from vmsbench.report.sections.coordinate_search import in_words, walk
from vmsbench.report.sections.differences import comparison_table, contender_table
from vmsbench.report.sections.scores import trial_table, winner_table
from vmsbench.report.sections.usage import counted, epochs_of, hours_figure, hours_table, savings, search_table
from vmsbench.store.records import SweepGroup, SweepRecord
from vmsbench.store.values import number


def walk_blocks(group: SweepGroup) -> list[Block]:
    blocks: list[Block] = []
    shades = style.colors(group.sweeps)
    blind = group.baselines("validation").get("pixel_median", {})
    unsure = []
    for sweep in group.sweeps:
        if not any(step.tried for step in sweep.walk):
            continue
        noise, label = seed_noise(sweep), group.label(sweep)
        unsure += [] if noise else [sweep.name]
        drawing = walk(sweep, label, shades[sweep.name], blind.get(sweep.metric), noise)
        alt = f"Parameter walk of {label}: {in_words(sweep, noise)}"
        blocks.append(FigureBlock(f"walk-{sweep.name}", drawing, alt, "", beside=2))
    if not blocks:
        walking = any(not sweep.winner for sweep in group.sweeps)
        return [Text("No parameter was tried yet." if walking else "None of these searches went by parameters.")]
    blocks.append(
        Text(
            "From top to bottom, one parameter at a time, the others held at what had won before. A filled dot won, a "
            "cross was stopped early, an arrow lies beyond the edge. The grey band reaches as far from the winner as "
            "two seeds of one configuration are apart one time in twenty: options within it cannot be told from it."
        )
    )
    blocks += [
        Text(f"How sure the walk of `{name}` is needs a second seed: `vmsbench final {name} --seeds 5`")
        for name in unsure
    ]
    return blocks


def parameter_blocks(group: SweepGroup) -> list[Block]:
    """Parallel parameters and importance of each search, the winner's parameters, and all trials on request."""
    blocks: list[Block] = []
    shades = style.colors(group.sweeps)
    for sweep in group.sweeps:
        label, color = group.label(sweep), shades[sweep.name]
        if len(complete(sweep)) > 1 and sweep.space:
            alt = f"Parallel parameters of {label}: {len(complete(sweep))} complete trials; all are in the trial table."
            blocks.append(FigureBlock(f"parallel-{sweep.name}", parallel(sweep, label, color), alt, "", beside=2))
        if found := importances(sweep):
            short = labels.parameters(one.param for one in found)
            told = ", ".join(f"{short[one.param]} {one.spread:.4f}" for one in found)
            drawing = bars(sweep, found, f"{label}: importance", color, seed_noise(sweep))
            blocks.append(
                FigureBlock(f"importance-{sweep.name}", drawing, f"Importance for {label}: {told}.", "", beside=2)
            )
    if blocks:
        blocks.append(
            Text(
                "Parallel parameters: a line per trial that was trained to its end, the best bold and on top. "
                "Importance: how far a parameter's best and worst option are apart, at its step of a parameter walk "
                "with all else held, otherwise in the means over all trials; options that were stopped or failed are "
                "left out, so it is a lower bound. Dotted: what two seeds are apart one time in twenty."
            )
        )
    blocks += [TableBlock(winner_table(sweep)) for sweep in group.sweeps if sweep.space or sweep.winner]
    return [*blocks, *(TableBlock(trial_table(sweep), folded=True) for sweep in group.all if sweep.trials)]


def saving_blocks(group: SweepGroup, suffix: str) -> list[Block]:
    blocks: list[Block] = []
    if any(sweep.trials for sweep in group.sweeps):
        told = "; ".join(
            f"{group.label(sweep)}: " + ", ".join(f"{count} {kind}" for kind, count in epochs_of(sweep).items())
            for sweep in group.sweeps
        )
        drawing = savings(group, style.colors(group.sweeps))
        blocks.append(FigureBlock(f"savings{suffix}", drawing, f"Epochs of the searches. {told}.", ""))
    return [*blocks, TableBlock(search_table(group, f"search{suffix}"))] if group.sweeps else []


def hour_blocks(group: SweepGroup, suffix: str) -> list[Block]:
    if not counted(group):
        return [
            Text("The journals do not say how long the slots were used; newer sweeps do, `vmsbench report` shows it.")
        ]
    table = hours_table(group, f"hours{suffix}")
    alt = "Hours of slots by what they went into; the numbers are in the table."
    return [FigureBlock(f"hours{suffix}", hours_figure(group), alt, ""), TableBlock(table)]


def configurations(group: SweepGroup, level: int) -> list[Block]:
    blocks: list[Block] = []
    for sweep in group.sweeps:
        blocks.append(Heading(level, f"{sweep.family}: sweep {sweep.name}"))
        if again := contender_table(sweep):
            blocks.append(TableBlock(again[0]))
            caption = f"The best configurations of {sweep.name} on the same test images, two by two."
            blocks.append(TableBlock(comparison_table(again[1], caption, f"final-differences-{sweep.name}")))
        blocks.append(Facts(tuple(provenance(sweep))))
    return blocks


def provenance(sweep: SweepRecord) -> list[tuple[str, str]]:
    counts = (("train", sweep.data.train), ("validation", sweep.data.validation), ("test", sweep.data.test))
    splits = ", ".join(f"{count} {split}" for split, count in counts if count is not None)
    torch = ", ".join(dict.fromkeys(str(f.results["torch"]) for f in sweep.finals if f.results.get("torch")))
    facts = {
        "Data": f"{sweep.data.title}, digest `{sweep.data.digest}`" + (f" ({splits})" if splits else ""),
        "Finals": labels.listing(
            f"`{f.id}`" + (f" (seed {f.seed})" if f.seed is not None else "") for f in sweep.finals
        ),
        "Epoch kept": labels.listing(
            f"{whole:.0f} of {f.results.get('epochs', '?')}"
            for f in sweep.scored
            if (whole := number(f.results.get("epoch_kept"))) is not None
        ),
        "PyTorch": torch,
        "Begun": sweep.created,
    }
    return [(name, fact) for name, fact in facts.items() if fact]
