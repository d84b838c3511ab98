"""What a section of the report is about: one group of sweeps, its verdicts, and its data loaded again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vmsbench.data.pairs import Dataset
from vmsbench.report.analysis.ranking import Rankings
from vmsbench.report.analysis.sentences import Verdicts
from vmsbench.report.blocks import Block, Bytes
from vmsbench.store.records import SweepGroup


@dataclass(frozen=True)
class Truth:
    """The group's data loaded again, or None and why."""

    dataset: Dataset | None
    reason: str = ""
    median: Bytes | None = None
    categories: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Topic:
    """level is that of the section's heading; `suffix` tells the files of several groups apart."""

    group: SweepGroup
    truth: Truth
    rankings: Rankings
    verdicts: Verdicts
    level: int = 2
    suffix: str = ""


@dataclass(frozen=True)
class Section:
    """A title and what makes the blocks under it; a section without blocks is left out."""

    title: str
    blocks: Callable[[Topic], list[Block]]
