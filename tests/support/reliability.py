"""Run the tests of one marker, and write what became of them into a report: make test-cluster, make test-kills,
make test-nightly.

A row for each test: its last result, when, and of which commit. A run of some (ONLY='-k soak') renews their rows.
"""

import os
import platform
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

HEAD = (
    "# Reliability\n\nMade by `make test-cluster`, `test-kills` and `test-nightly`; nothing here is written by hand.\n"
)
TESTS = Path(__file__).parents[1]
COLUMNS = "| test | result | seconds | date | commit |\n|---|---|---|---|---|"
NEVER = "not run"


@dataclass(frozen=True)
class Row:
    """The last run of a test; `result` is passed, failed, skipped or NEVER."""

    result: str
    seconds: float = 0.0
    day: str = ""
    commit: str = ""

    def line(self, name: str) -> str:
        return f"| {name} | {self.result} | {self.seconds:.0f} | {self.day} | {self.commit} |"


class Recorder:
    """pytest's plugin: the result and the seconds of every test that came to its end, and which tests there are."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.there: list[str] = []
        self.results: dict[str, str] = {}
        self.seconds: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.there = [named(item.nodeid) for item in items if item.get_closest_marker(self.mark)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = named(report.nodeid)
        self.seconds[name] += report.duration
        if report.outcome != "passed" or (report.when == "call" and name not in self.results):
            self.results[name] = report.outcome

    def rows(self, day: str, commit: str) -> dict[str, Row]:
        return {name: Row(result, self.seconds[name], day, commit) for name, result in self.results.items()}


def named(test: str) -> str:
    return test.removeprefix("tests/")


def commit() -> str:
    """The commit of this checkout, and whether files other than reports differ from it."""
    said = [
        subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()
        for words in (
            ("rev-parse", "--short", "HEAD"),
            ("status", "--porcelain", "--untracked-files=no", "--", ":!reports"),
        )
    ]
    return f"{said[0]} with changes" if said[1] else said[0]


def section(mark: str, rows: dict[str, Row]) -> str:
    """The rows in Markdown, counted."""
    counts = Counter(row.result for row in rows.values())
    said = ", ".join(f"{counts[result]} {result}" for result in ("passed", "failed", "skipped", NEVER))
    minutes = sum(row.seconds for row in rows.values()) / 60
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    table = [row.line(name) for name, row in rows.items()]
    return "\n".join([f"## {mark}", "", f"{where}: {said}, in {minutes:.1f} minutes.", "", COLUMNS, *table, ""])


def rows_of(text: str, mark: str) -> dict[str, Row]:
    """The rows that a report has of this marker."""
    _, _, after = text.partition(f"\n## {mark}\n")
    lines = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    cells = [line[2:-2].rsplit(" | ", 4) for line in lines]
    return {name: Row(result, float(seconds), day, made) for name, result, seconds, day, made in cells}


def still_there(name: str) -> bool:
    """Whether a test of that name is in the files, collected by this run or not."""
    file, _, function = name.partition("[")[0].partition("::")
    path = TESTS / file
    return path.is_file() and f"def {function.rpartition('::')[2]}(" in path.read_text()


def renewed(text: str, mark: str, there: list[str], new: dict[str, Row]) -> str:
    """The report with the rows of this run, and the last known ones of all other tests that there are.

    there   the tests of this marker that the run collected
    """
    _, *parts = text.split("\n## ")
    kept = {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}
    known = rows_of(text, mark) | new
    collected = {name.partition("[")[0] for name in there}
    kept_on = (name for name in known if name.partition("[")[0] not in collected and still_there(name))
    names = sorted({*there, *kept_on})
    kept[mark] = section(mark, {name: known.get(name, Row(NEVER)) for name in names})
    return "\n".join([HEAD, *(kept[name] for name in sorted(kept))])


def main(mark: str, file: Path, only: list[str]) -> int:
    recorder = Recorder(mark)
    code = pytest.main(["-m", mark, *only], plugins=[recorder])
    if recorder.results:
        text = file.read_text() if file.exists() else HEAD
        file.write_text(renewed(text, mark, recorder.there, recorder.rows(str(date.today()), commit())))
        print(f"{file}: the results of this run, by commit")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), shlex.split(os.environ.get("ONLY", ""))))
