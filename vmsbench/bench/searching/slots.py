"""How busy a search keeps its slots: simulated, an epoch at a time, without Ray, for trials of equal length that none
stops early."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from vmsbench.search.configured import searcher_for
from vmsbench.search.pruners import NoPruner
from vmsbench.search.searcher import key
from vmsbench.search.simulation import EPOCHS, SimulatedSearch, play, synthetic
from vmsbench.search.space import Space


@dataclass(frozen=True)
class SlotsRow:
    """A search with so many slots, as means over worlds.

    busy     the share of the slots' time in which there is a trial, without and with extra trials for idle slots
    length   of the search, in trials one after the other
    extra    trials for idle slots
    changed  searches, of all, whose winner is another with extra trials
    """

    space: str
    slots: int
    busy: float
    busy_filled: float
    length: float
    length_filled: float
    extra: float
    changed: int


def row(name: str, settings: dict[str, Any], space: Space, slots: int, worlds: int) -> SlotsRow:
    """Simulate the searches of `settings` without and with extra trials."""

    def played(fill: bool) -> list[SimulatedSearch]:
        wanted = settings | {"searcher": settings["searcher"] | {"fill": fill}}
        return [
            play(searcher_for(wanted, space, (), slots), synthetic(space, world), NoPruner(), slots)
            for world in range(worlds)
        ]

    plain, filled = played(False), played(True)
    winners = [[key(one.incumbent) for one in some] for some in (plain, filled)]
    return SlotsRow(
        space=name,
        slots=slots,
        busy=fmean(one.busy for one in plain),
        busy_filled=fmean(one.busy for one in filled),
        length=fmean(one.turns for one in plain) / EPOCHS,
        length_filled=fmean(one.turns for one in filled) / EPOCHS,
        extra=fmean(len(one.extra) for one in filled),
        changed=sum(one != other for one, other in zip(*winners, strict=True)),
    )


def table(rows: Sequence[SlotsRow]) -> list[str]:
    """Busy share and length without and with extra trials."""
    head = f"{'':<10} {'':>5} {'busy share of slots':^21} {'length, in trials':^21} {'extra':>7} {'searches with':>14}"
    each = f"{'without':>10} {'with extra':>10}"
    out = [head, f"{'space':<10} {'slots':>5} {each} {each} {'trials':>7} {'another winner':>14}"]
    for one in rows:
        out.append(
            f"{one.space:<10} {one.slots:>5} {one.busy:>10.0%} {one.busy_filled:>10.0%} {one.length:>10.1f} "
            f"{one.length_filled:>10.1f} {one.extra:>7.0f} {one.changed:>14}"
        )
    return [*out, "", "length: trials one after the other until the search is over; without and with extra trials"]
