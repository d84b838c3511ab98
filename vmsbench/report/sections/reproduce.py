"""How to make each row of the score table again: command, commit, data and seeds."""

import shlex

from vmsbench.report import labels
from vmsbench.report.analysis.tracks import ANSWER
from vmsbench.report.blocks import Block, Facts, Heading, TableBlock
from vmsbench.report.gaps import data_words_of
from vmsbench.report.render.tables import Column, Part, Table, words
from vmsbench.report.sections.scores.differences import comparison_table, contender_table
from vmsbench.report.topic import Topic
from vmsbench.store.records import FinalRecord, SweepGroup, SweepRecord
from vmsbench.store.values import number


def reproduce_blocks(topic: Topic) -> list[Block]:
    table = origin_table(topic.group, f"reproduce{topic.suffix}")
    return [TableBlock(table), *configurations(topic.group, topic.level + 1)]


def origin_table(group: SweepGroup, name: str = "reproduce") -> Table:
    """A row for each model, each model from elsewhere, the baselines and each ablation."""
    digest = group.data.digest[:12]
    rows = [
        (words(group.label(sweep)), words(f"`{sweep.made_by}`"), words(sweep.commit or "unknown"), words(digest),
         words(seeds(sweep)))
        for sweep in group.sweeps
    ]  # fmt: skip
    rows += [
        (words(group.ensemble_label(sweep)), words(f"`{sweep.on('ensemble')}`"),
         words(sweep.commit or "unknown"), words(digest), words(seeds(sweep)))
        for sweep in group.sweeps if sweep.ensemble
    ]  # fmt: skip
    rows += [
        (words(f"{sweep.family}: ablation of {sweep.space[0]['param']}"), words(f"`{sweep.made_by}`"),
         words(sweep.commit or "unknown"), words(digest), words(seeds(sweep)))
        for sweep in group.ablated
    ]  # fmt: skip
    rows += [
        (words(group.outside_label(one)),
         words(f"`{evaluation(one)}{data_words_of(group)}{group.place}`"),
         words("not known here"), words(digest), words(None))
        for one in group.outside
    ]  # fmt: skip
    blind = f"`vmsbench evaluate baselines{data_words_of(group)}`"
    commits = labels.listing(dict.fromkeys(sweep.commit for sweep in group.all if sweep.commit))
    rows.append((words("Baselines"), words(blind), words(commits or "unknown"), words(digest), words("none")))
    columns = (
        Column("row", "Row", text=True),
        Column("command", "Command", text=True),
        Column("commit", "Commit", text=True),
        Column("data", "Data digest", text=True),
        Column("seeds", "Seeds", text=True),
    )
    notes = (
        "On a CPU the same commit, data, seeds and number of threads (`OMP_NUM_THREADS`) give the same numbers to the "
        "last bit; on GPUs nearly so. A commit ending in -dirty had changes that were not committed.",
    )
    return Table(name, "How to make each row again.", columns, (Part("", tuple(rows)),), notes)


def evaluation(one: FinalRecord) -> str:
    source = one.results.get("source", "FOLDER")
    return f"vmsbench evaluate {shlex.quote(source)} --name {shlex.quote(one.id)}"


def seeds(sweep: SweepRecord) -> str:
    """The seeds of the finals that stand for the family, and of the search."""
    searched = sorted({int(trial.params.get("seed", trial.config.get("seed", 0)) or 0) for trial in sweep.trials})
    parts = [f"search {labels.listing(map(str, searched))}"] if searched else []
    finals = [str(final.seed) for final in sweep.scored if final.seed is not None]
    return "; ".join(parts + ([f"finals {labels.listing(finals)}"] if finals else []))


def configurations(group: SweepGroup, level: int) -> list[Block]:
    blocks: list[Block] = []
    for sweep in group.sweeps:
        blocks.append(Heading(level, f"{sweep.family}: sweep {sweep.name}"))
        if again := contender_table(sweep, group):
            blocks.append(TableBlock(again[0]))
            caption = f"The best configurations of {sweep.name} as one answer, on the same test images, two by two."
            table = comparison_table(ANSWER, {"": again[1]}, caption, f"final-differences-{sweep.name}")
            blocks.append(TableBlock(table))
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
        "Code": code_changes(sweep),
        "Started": sweep.created,
    }
    return [(name, fact) for name, fact in facts.items() if fact]


def code_changes(sweep: SweepRecord) -> str:
    """The files that changed while the sweep was in progress, which its user accepted; empty where none did."""
    accepted = [event for event in sweep.events if event.get("event") == "code"]
    changed = dict.fromkeys(file for event in accepted for file in event.get("files", ()))
    return (
        f"changed during the sweep (--accept-code): {labels.listing(f'`{file}`' for file in changed)}"
        if changed
        else ""
    )
