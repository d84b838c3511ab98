"""`vmsbench report`: the report, with the hours that the searches' own ledger counts."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from vmsbench.errors import UserError
from vmsbench.report.write import report
from vmsbench.store.journal import Journal
from vmsbench.store.usage import last_sign, slot_hours


def write_report(runs: Path, names: list[str], out: Path) -> Path:
    """The report's index.html; errors as `vmsbench.report.write.report`."""
    return report(runs, names, out, hours)


def hours(folder: Path) -> Mapping[str, float]:
    """Hours of slots by what they went into; none where the journal cannot be read."""
    try:
        return asdict(slot_hours(list(Journal(folder / "journal.jsonl").events()), partial(last_sign, folder)))
    except (UserError, KeyError):
        return {}
