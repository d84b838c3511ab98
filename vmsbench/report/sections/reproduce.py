"""How to make each row of the score table again: command, commit, data and seeds."""

from vmsbench.report import labels
from vmsbench.report.gaps import data_words_of
from vmsbench.report.render.tables import Column, Part, Table, words
from vmsbench.store.records import SweepGroup, SweepRecord


def origin_table(group: SweepGroup, name: str = "reproduce") -> Table:
    """A row for each model, each model from elsewhere, the baselines and each ablation."""
    digest = group.data.digest[:12]
    rows = [
        (words(group.label(sweep)), words(f"`{command(sweep)}`"), words(sweep.commit or "unknown"), words(digest),
         words(seeds(sweep)))
        for sweep in group.sweeps
    ]  # fmt: skip
    rows += [
        (words(f"{sweep.family}: ablation of {sweep.space[0]['param']}"), words(f"`{command(sweep)}`"),
         words(sweep.commit or "unknown"), words(digest), words(seeds(sweep)))
        for sweep in group.ablated
    ]  # fmt: skip
    rows += [
        (words(group.outside_label(one)),
         words(f"`vmsbench evaluate {one.results.get('source', 'FOLDER')} --name {one.id}{data_words_of(group)}`"),
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
        "On a CPU the same commit, data and seeds give the same numbers to the last bit; on GPUs nearly so. A commit "
        "ending in -dirty had changes that were not committed.",
    )
    return Table(name, "How to make each row again.", columns, (Part("", tuple(rows)),), notes)


def command(sweep: SweepRecord) -> str:
    return sweep.command or f"vmsbench tune --exp {sweep.exp} --name {sweep.name}"


def seeds(sweep: SweepRecord) -> str:
    """The seeds of the finals that stand for the family, and of the search."""
    searched = sorted({int(trial.choice.get("seed", trial.config.get("seed", 0)) or 0) for trial in sweep.trials})
    parts = [f"search {labels.listing(map(str, searched))}"] if searched else []
    finals = [str(final.seed) for final in sweep.scored if final.seed is not None]
    return "; ".join(parts + ([f"finals {labels.listing(finals)}"] if finals else []))
