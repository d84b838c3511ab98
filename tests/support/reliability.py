"""Run the tests of one marker, and write what became of them into a report: make test-cluster, make test-kills,
make test-nightly."""

import os
import platform
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

HEAD = (
    "# Reliability\n\nMade by `make test-cluster`, `test-kills` and `test-nightly`; nothing here is written by hand.\n"
)


class Recorder:
    """pytest's plugin: the result and the seconds of every test."""

    def __init__(self) -> None:
        self.results: dict[str, tuple[str, float]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        before, seconds = self.results.get(report.nodeid, ("passed", 0.0))
        worse = report.outcome if report.outcome != "passed" else before
        self.results[report.nodeid] = worse, seconds + report.duration


def commit() -> str:
    """The commit of this checkout, and whether files differ from it."""
    said = [
        subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()
        for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    ]
    return f"{said[0]} with changes" if said[1] else said[0]


def section(mark: str, results: dict[str, tuple[str, float]], seconds: float) -> str:
    """A run in Markdown: date, commit, counts, and a row for each test."""
    outcomes = [outcome for outcome, _ in results.values()]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in ("passed", "failed", "skipped"))
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    rows = [f"| {name.removeprefix('tests/')} | {outcome} | {took:.0f} |" for name, (outcome, took) in results.items()]
    said = f"{date.today()}, commit {commit()}, {where}: {counts}, in {seconds / 60:.1f} minutes."
    return "\n".join([f"## {mark}", "", said, "", "| test | result | seconds |", "|---|---|---|", *rows, ""])


def with_section(text: str, mark: str, new: str) -> str:
    """The report with this marker's section replaced, the others as they are."""
    _, *parts = text.split("\n## ")
    kept = {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}
    kept[mark] = new
    return "\n".join([HEAD, *(kept[name] for name in sorted(kept))])


def main(mark: str, file: Path) -> int:
    recorder, start = Recorder(), time.monotonic()
    code = pytest.main(["-m", mark], plugins=[recorder])
    if recorder.results:
        text = file.read_text() if file.exists() else HEAD
        file.write_text(with_section(text, mark, section(mark, recorder.results, time.monotonic() - start)))
        print(f"{file}: the results of this run, by commit")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
