"""What the report says, in the order a reader asks; page.py and markdown.py say it in their forms."""

from dataclasses import replace

from vmsbench.report import labels
from vmsbench.report.analysis.ranking import rank
from vmsbench.report.analysis.sentences import judge
from vmsbench.report.blocks import Block, Caution, Document, Heading, Items, TableBlock, Text
from vmsbench.report.gaps import missing
from vmsbench.report.sections.ablations import ablation_blocks
from vmsbench.report.sections.calibration import calibration_blocks
from vmsbench.report.sections.categories import category_blocks
from vmsbench.report.sections.coordinate_search import walk_blocks
from vmsbench.report.sections.curves import curve_blocks
from vmsbench.report.sections.data import data_blocks
from vmsbench.report.sections.fid import distance_blocks
from vmsbench.report.sections.reproduce import reproduce_blocks
from vmsbench.report.sections.samples import load_truth, sample_blocks
from vmsbench.report.sections.sampling_steps import tradeoff_blocks
from vmsbench.report.sections.scores.scores import score_blocks
from vmsbench.report.sections.scores.verdict import verdict_blocks
from vmsbench.report.sections.search import parameter_blocks
from vmsbench.report.sections.usage import hour_blocks, saving_blocks
from vmsbench.report.topic import Section, Topic
from vmsbench.store.records import Study, SweepGroup

SECTIONS = [
    Section("Verdict", verdict_blocks),
    Section("Scores", score_blocks),
    Section("Calibration", calibration_blocks),
    Section("Training curves", curve_blocks),
    Section("FID and KID", distance_blocks),
    Section("Samples", sample_blocks),
    Section("Per category", category_blocks),
    Section("Samples and sampling steps", tradeoff_blocks),
    Section("Ablations", ablation_blocks),
    Section("Coordinate search", walk_blocks),
    Section("Hyper-parameters", parameter_blocks),
    Section("Early stopping", saving_blocks),
    Section("Where the hours went", hour_blocks),
    Section("Data", data_blocks),
    Section("How to reproduce each row", reproduce_blocks),
]
"""A new section is a function of a Topic in a file of sections/, and a line here."""


def compose(study: Study) -> Document:
    """The whole report. Groups that do not share their data are marked as such and never share a table."""
    several = len(study.groups) > 1
    blocks: list[Block] = []
    if several:
        names = "; ".join(f"{labels.listing(f'`{s.name}`' for s in g.sweeps)}: {named(g)}" for g in study.groups)
        blocks.append(
            Caution(
                "These sweeps differ in data, size or coding, so their scores cannot be compared, and each group "
                f"has its own tables. {names}."
            )
        )
    for at, group in enumerate(study.groups, start=1):
        if several:
            blocks.append(Heading(2, f"Data {at}: {named(group)}"))
        blocks += group_blocks(group, level=3 if several else 2, suffix=f"-{at}" if several else "")
    blocks += [Heading(2, "What is missing"), *gaps(study)]
    title = labels.listing(dict.fromkeys(sweep.family for sweep in study.sweeps))
    data = "; ".join(named(group) for group in study.groups)
    return Document(
        f"Report: {title}", f"{data}. Sweeps {labels.listing(f'`{s.name}`' for s in study.sweeps)}.", tuple(blocks)
    )


def named(group: SweepGroup) -> str:
    size = f"{group.data.size} px" if group.data.size else "unknown size"
    title = group.data.title if size in group.data.title else f"{group.data.title}, {size}"
    return f"{title}, maps as {group.data.coding}, digest `{group.data.digest[:12]}`"


def gaps(study: Study) -> list[Block]:
    texts = missing(study)
    return [Items(tuple(texts))] if texts else [Text("Nothing.")]


def group_blocks(group: SweepGroup, level: int, suffix: str) -> list[Block]:
    rankings = rank(group)
    topic = Topic(group, load_truth(group), rankings, judge(group, rankings), level, suffix)
    made = ((section.title, section.blocks(topic)) for section in SECTIONS)
    blocks = [block for title, found in made if found for block in (Heading(level, title), *found)]
    return [with_note(block, group) if isinstance(block, TableBlock) else block for block in blocks]


def with_note(block: TableBlock, group: SweepGroup) -> TableBlock:
    """The table with a note on which of its models have seen other pictures than these.

    A model is named in the first cell of a row, in a column's key, or in the table's own name.
    """
    table, stems = block.table, group.stems
    rows = [row for part in table.parts for row in part.rows if row]
    sides = [side for row in rows for side in str(row[0].value).split(" − ")]
    columns = [column.key.rpartition(" ")[0] for column in table.columns]  # MODEL SCORE
    named = {side.removesuffix(", dressed") for side in (*sides, *columns)}
    about = {
        label for label in group.encoded if {label, stems[label]} & named or table.name.endswith(f"-{stems[label]}")
    }
    if not about:
        return block
    note = f"Seen other pictures too, through an encoder: {', '.join(sorted(about))}."
    return replace(block, table=replace(table, notes=(*table.notes, note)))
