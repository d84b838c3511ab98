"""From sweeps to a report's folder: index.html, report.md, tables/ and plots/.

    path = report(Path("runs"), ["unet", "gan"], Path("reports/both"))

Everything is made before anything is written, each file is replaced whole, and index.html comes last: a crash
leaves the previous report readable.
"""

from collections.abc import Sequence
from pathlib import Path

from vmsbench.errors import UserError
from vmsbench.files import check_place, replace
from vmsbench.report.blocks import Document, TableBlock, pictures
from vmsbench.report.document import compose
from vmsbench.report.render.html import GENERATOR, to_page
from vmsbench.report.render.markdown import to_report
from vmsbench.report.render.style import VECTOR_FORMATS, rendered
from vmsbench.report.render.tables import to_csv, to_latex
from vmsbench.store.reader import Hours, collect, uncounted


def report(
    runs: Path, names: list[str], out: Path, hours: Hours = uncounted, formats: Sequence[str] = ("pdf",)
) -> Path:
    """Write the report of the sweeps `names` (all of them where empty) into `out`; returns its index.html.

    hours    what the slots of a sweep's folder were used for, in hours; the report has no ledger where nobody counts
    formats  of VECTOR_FORMATS: the files of each figure next to its PNG, which report.md shows

    Raises UserError where a sweep does not exist, for another format, or where `out` holds something other than a
    report or cannot be written.
    """
    for kind in formats:
        if kind not in VECTOR_FORMATS:
            known = " and ".join(VECTOR_FORMATS)
            raise UserError(f"--formats {kind}: figures are written as PNG, and next to it as {known}")
    check_out(out)
    files = contents(compose(collect(runs, names, hours)), formats)
    for place in ("tables", "plots"):
        (out / place).mkdir(parents=True, exist_ok=True)
        for path in (out / place).iterdir():
            if str(path.relative_to(out)) not in files and path.suffix[1:] in ("csv", "tex", "png", *VECTOR_FORMATS):
                path.unlink()
    for name, content in files.items():
        replace(out / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
    return out / "index.html"


def contents(document: Document, formats: Sequence[str]) -> dict[str, bytes]:
    """Every file of the report by its path, index.html last; figures as PNG and in `formats`."""
    files: dict[str, bytes] = {}
    for block in document.blocks:
        if isinstance(block, TableBlock):
            files[f"tables/{block.table.name}.csv"] = to_csv(block.table).encode()
            files[f"tables/{block.table.name}.tex"] = to_latex(block.table).encode()
    for picture in pictures(document.blocks):
        for kind in ("png", *formats):
            files[f"plots/{picture.name}.{kind}"] = rendered(picture.figure, kind)
    files["report.md"] = to_report(document).encode()
    files["index.html"] = to_page(document).encode()
    return files


def check_out(out: Path) -> None:
    """Raises UserError where no report can be written into `out`."""
    refuse_strangers(out)
    check_place(out)


def refuse_strangers(out: Path) -> None:
    """A report is written over a report or into an empty place, never among other files."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file; give --out a folder that is new, empty or a report's")
    page = out / "index.html"
    ours = page.is_file() and f'content="{GENERATOR}"' in page.read_text(encoding="utf-8", errors="replace")[:2000]
    half_made = {path.name for path in out.iterdir()} <= {"tables", "plots", "report.md"}
    if not ours and not half_made:
        raise UserError(f"{out} holds something else than a report; give --out a folder that is new or empty")
