"""The data: what was read from where, as the sweeps wrote it down when they began."""

from vmsbench.report.blocks import Block, Caution, Facts, Text
from vmsbench.report.topic import Topic
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import mapping

PLAIN = {"pairs": "Pairs", "images": "Images", "maps": "Maps"}


def data_blocks(topic: Topic) -> list[Block]:
    """The account of the first sweep that has one, else that of the data loaded again."""
    kept = account(topic.group)
    if kept is None and topic.truth.dataset is not None:
        provenance = topic.truth.dataset.provenance
        kept = (provenance.table(), list(provenance.warnings)) if provenance.table() else None
    counts = split_words(topic.group)
    if kept is None:
        why = "was not written down when these sweeps started, and the data cannot be read again"
        return [Facts((("Pairs", counts),)), Text(f"What was read {why}.")] if counts else []
    table, warnings = kept
    facts = [(PLAIN.get(term, f"List, {term}"), words) for term, words in table if term != "pairs" or not counts]
    facts += [("Pairs", counts)] if counts else []
    return [Facts(tuple(facts)), *(Caution(f"{warning}.") for warning in warnings)]


def account(group: SweepGroup) -> tuple[list[tuple[str, str]], list[str]] | None:
    """What was read, a term and words for each, and what is odd; None where no sweep wrote it down."""
    for sweep in group.all:
        table = [(str(term), str(words)) for term, words in sweep.provenance.get("table") or ()]
        if table:
            return table, [str(warning) for warning in sweep.provenance.get("warnings") or ()]
    return None


def split_words(group: SweepGroup) -> str:
    data = group.data
    counts = (("train", data.train), ("validation (tuning)", data.validation), ("test", data.test))
    words = ", ".join(f"{count} {split}" for split, count in counts if count is not None)
    drawn = mapping(group.all[0].provenance).get("drawn") or ()
    held = f" ({' and '.join(str(one) for one in drawn)} drawn by a seed, as no list gives them)" if drawn else ""
    return words + held
