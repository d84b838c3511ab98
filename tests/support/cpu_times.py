"""Where the tests' time goes: CPU seconds of every file and of the longest tests, into a report; and which tests are
longer than `make quick` waits for.

    python -m tests.support.cpu_times reports/tests.md tests/longer.txt -m "not slow"

CPU seconds, of the test's process and of those that it started and waited for, mean the same on a busy machine; which
tests are longer is decided by seconds on the clock, all of a test's cases together, on a machine that is best idle.
"""

import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.support.reliability import commit

LONGEST = 30
QUICK = 0.5  # seconds that all cases of a quick test take together


class Clock:
    """pytest's plugin: the CPU seconds of every test, and those that pass while it runs or waits."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before, start = sum(os.times()[:4]), time.monotonic()
        result = yield
        self.seconds[item.nodeid] += sum(os.times()[:4]) - before
        self.passed[item.nodeid] += time.monotonic() - start
        return result  # type: ignore[return-value]


def table(seconds: Counter[str]) -> list[str]:
    rows = [f"| {name.removeprefix('tests/')} | {took:.1f} |" for name, took in seconds.most_common(LONGEST)]
    return ["| | CPU seconds |", "|---|---|", *rows]


def page(seconds: Counter[str], arguments: list[str]) -> str:
    """In Markdown: the sum, the files and the test functions that took the most."""
    files, functions = Counter[str](), Counter[str]()
    for name, took in seconds.items():
        files[name.partition("::")[0]] += took
        functions[name.partition("[")[0]] += took
    said = f"{date.today()}, commit {commit()}, Python {platform.python_version()}: `pytest {' '.join(arguments)}`, "
    head = f"{said}{len(seconds)} tests, {sum(seconds.values()):.0f} CPU seconds."
    parts = ["# Where the tests' time goes", "", head, "", "## Files", "", *table(files)]
    return "\n".join([*parts, "", "## Tests, all their parameters together", "", *table(functions), ""])


def longer(passed: Counter[str]) -> list[str]:
    """The tests that take QUICK or longer, all their parameters together."""
    functions = Counter[str]()
    for name, took in passed.items():
        functions[name.partition("[")[0]] += took
    return sorted(name for name, took in functions.items() if took >= QUICK)


def main(file: Path, listed: Path, arguments: list[str]) -> int:
    clock = Clock()
    code = pytest.main([*arguments], plugins=[clock])
    file.write_text(page(clock.seconds, arguments))
    if code == 0:
        listed.write_text("".join(f"{name}\n" for name in longer(clock.passed)))
    return int(code)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
