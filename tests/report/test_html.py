"""The report as its readers open it: in a real browser, and its tables in a real LaTeX."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser, chromium
from tests.support.sweep_maker import FAULTS

PACKAGES = "texlive-latex-base texlive-latex-recommended"


@pytest.fixture
def out(study: tuple[Path, Path]) -> Path:
    return study[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_opens_without_complaint_and_asks_the_network_for_nothing(
    out: Path, browser: Browser, width: int, dark: bool
) -> None:
    browser.open(out / "index.html", width=width, dark=dark)
    assert browser.complaints == []
    assert browser.requests == []
    assert browser.ask("document.documentElement.scrollWidth") <= width, "the page itself never scrolls sideways"
    paper = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")


@pytest.mark.slow
def test_the_printed_page_is_black_on_white_and_as_wide_as_the_paper(out: Path, browser: Browser) -> None:
    browser.open(out / "index.html", width=720, dark=True)
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.ask("document.documentElement.scrollWidth") <= 720, "the width of A4 within its margins"
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert browser.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.slow
def test_every_figure_is_there_when_the_page_is_open(out: Path, browser: Browser) -> None:
    browser.open(out / "index.html")
    assert browser.ask("document.images.length") > 50
    assert browser.ask("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    sizes = browser.ask("[...document.querySelectorAll('svg')].map((svg) => svg.getBoundingClientRect().height)")
    assert len(sizes) > 10
    assert min(sizes) > 40
    assert browser.ask("[...document.querySelectorAll('svg')].every((svg) => svg.getAttribute('aria-label'))")


@pytest.mark.slow
def test_tables_sort_by_a_click_on_a_heading_and_back_by_another(out: Path, browser: Browser) -> None:
    browser.open(out / "index.html")
    table = (
        "[...document.querySelectorAll('table.sortable')].find((t) => t.caption.innerText.startsWith('Test scores'))"
    )
    column = "[...table.tHead.rows[0].cells].findIndex((cell) => cell.innerText.startsWith('MSE'))".replace(
        "table", table
    )
    at = browser.ask(column)
    first_part = f"[...{table}.tBodies[0].rows].filter((row) => !row.classList.contains('part'))"
    values = f"{first_part}.map((row) => Number(row.cells[{at}].dataset.value))"
    names = f"{first_part}.map((row) => row.cells[0].innerText)"
    before = browser.ask(f"{table}.tBodies[1].rows.length")
    button = f"{table}.tHead.rows[0].cells[{at}].querySelector('button')"
    browser.click(button)
    upwards = browser.ask(values)
    assert len(upwards) == len(FAULTS)
    assert upwards == sorted(upwards)
    assert browser.ask(f"{table}.tHead.rows[0].cells[{at}].getAttribute('aria-sort')") == "ascending"
    browser.click(button)
    assert browser.ask(values) == upwards[::-1]
    browser.click(f"{table}.tHead.rows[0].cells[0].querySelector('button')")
    assert browser.ask(names) == sorted(browser.ask(names))
    assert browser.ask(f"{table}.tBodies[1].rows.length") == before, "rows stay within their part"
    assert browser.complaints == []


@pytest.mark.slow
def test_every_latex_table_compiles_with_booktabs_alone(out: Path, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        pytest.skip(f"no LaTeX here: apt-get install --no-install-recommends {PACKAGES}")
    tables = sorted((out / "tables").glob("*.tex"))
    assert len(tables) > 10
    body = "\n".join(rf"\begin{{table}}\input{{{path}}}\end{{table}}\clearpage" for path in tables)
    head = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    (tmp_path / "all.tex").write_text(f"{head}\n{body}\n\\end{{document}}\n")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert f"Output written on all.pdf ({len(tables)} pages" in done.stdout.decode(errors="replace")
