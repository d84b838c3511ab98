"""The report from Python."""

import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from vmsbench.errors import UserError
from vmsbench.files import with_home
from vmsbench.report.write import report as write
from vmsbench.store.journal import Journal
from vmsbench.store.usage import last_sign, slot_hours


@dataclass(frozen=True)
class ReportResult:
    """A written report: `page` is its index.html; tables/ and plots/ are next to it."""

    page: Path

    @property
    def folder(self) -> Path:
        return self.page.parent

    def open(self) -> bool:
        """Show the page in a web browser; False where none can be opened."""
        return webbrowser.open(self.page.resolve().as_uri())

    def _repr_html_(self) -> str:
        return f'<a href="{self.page.resolve().as_uri()}">{self.page}</a>'


def report(
    *names: str,
    runs: Path | str = "runs",
    out: Path | str | None = None,
    formats: Sequence[str] = ("pdf",),
) -> ReportResult:
    """Write the report that compares sweeps, all of them where none is named.

    out      the folder to write (default: reports/NAME)
    formats  the files of each figure next to its PNG: pdf, svg, or none

    Raises UserError where there is no such sweep.
    """
    target = with_home(out) if out is not None else Path("reports") / ("-".join(names) if names else "all")
    return ReportResult(write(with_home(runs), list(names), target, hours, formats))


def hours(folder: Path) -> Mapping[str, float]:
    """Slot-hours by what they were used for; none where the journal cannot be read."""
    try:
        return asdict(slot_hours(list(Journal(folder).events()), partial(last_sign, folder)))
    except (UserError, KeyError):
        return {}
