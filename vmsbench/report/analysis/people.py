"""What people reach: how well two halves of them agree, and the most that this lets any map correlate.

Measured where the data have the maps of two halves, or several maps of an image; for VISCHEMA PLUS, whose release has
not, the published figures, shown as such.
"""

from dataclasses import dataclass
from typing import Any

from vmsbench.metrics.references import PUBLISHED, SOURCE, VISCHEMA, ceiling
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import Scores, mapping, number

COLUMNS = {"true": "cc_true", "false": "cc_false", "combined": "cc_combined_20"}
AT_20 = (
    "The columns of CC true and CC false are at the maps' own size, these figures at 20 x 20. A split-half correlation "
    "is one half of the people against the other; the ceiling sqrt(2 r / (1 + r)) is what a perfect prediction of the "
    "whole group's map would have."
)


@dataclass(frozen=True)
class HumanLine:
    """A row of the tables and a line of the plots; `short` for the latter."""

    label: str
    short: str
    scores: Scores
    published: bool


def people(group: SweepGroup) -> list[HumanLine]:
    """The split-half correlation and its ceiling; empty where nothing is known of people on these data."""
    halves, published = measured(group), False
    if not halves and group.data.title.startswith(VISCHEMA):
        halves, published = PUBLISHED, True
    if not halves:
        return []
    said = "published" if published else "measured"
    most = {which: ceiling(max(r, 0.0)) for which, r in halves.items()}
    return [
        HumanLine(f"Half the people to the other half ({said})", f"split half ({said})", named(halves), published),
        HumanLine(f"Ceiling for any map ({said})", f"ceiling ({said})", named(most), published),
    ]


def people_note(group: SweepGroup) -> str:
    """What the lines rest on; empty where there are none."""
    lines = people(group)
    if not lines:
        return ""
    if lines[0].published:
        return f"People, as published, not measured here: {SOURCE}. {AT_20}"
    source = next((str(sweep.people["source"]) for sweep in group.all if sweep.people.get("source")), "")
    return f"People, measured{f': {source}' if source else ''}. {AT_20}"


def measured(group: SweepGroup) -> dict[str, float]:
    """{true, false, combined: split-half r} as a sweep stored it."""
    for sweep in group.all:
        found = mapping(sweep.people.get("split_half"))
        known = {which: r for which in COLUMNS if (r := number(found.get(which))) is not None}
        if known:
            return known
    return {}


def named(values: dict[str, Any]) -> Scores:
    return {COLUMNS[which]: value for which, value in values.items()}
