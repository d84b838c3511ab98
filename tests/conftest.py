"""Tests share two cores with whatever else runs: one thread each, and processes that they start keep what Python
compiles for them (.15 s each). The last lines list what was not tested.

With CI=1 a test that would be skipped fails, with the line that installs what it needs. Tests marked `vischema` are not
collected where VISCHEMA PLUS is not.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.data.vischema import data_folder

torch.set_num_threads(1)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

HOW = {
    "apt-get": "`make system-packages`, as root, installs all that tests need",
    "root": "`sudo make test` runs them",
}
LONGER = Path(__file__).with_name("longer.txt")
ONE_CLUSTER = "tests/slurm/"
SEPARATE = {"cluster": "test-cluster", "kills": "test-kills", "nightly": "test-nightly"}


def nothing_may_be_skipped() -> bool:
    return os.environ.get("CI", "") not in ("", "0", "false")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    longer = set(LONGER.read_text().splitlines())
    for item in items:
        if item.nodeid.partition("[")[0] in longer:
            item.add_marker("longer")
    if data_folder() is None:
        absent = [item for item in items if item.get_closest_marker("vischema")]
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]
    if hasattr(config, "workerinput"):
        slow = Counter(room_of(item.nodeid) for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[room_of(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of several processes one runs all tests of a room, those with most slow tests first; names stay."""
    from xdist.scheduler import LoadScopeScheduling

    class ByRoom(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return room_of(nodeid)

    config.option.loadscopereorder = False
    return ByRoom(config, log)


def room_of(test: str) -> str:
    """The file of a test, or the folder of those that share one cluster."""
    return ONE_CLUSTER if test.startswith(ONE_CLUSTER) else test.partition("::")[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[misc, assignment]
    if report.skipped and not hasattr(report, "wasxfail") and nothing_may_be_skipped():
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped, and CI is set, under which nothing may be: {reason_of(report)}"
    return report  # type: ignore[return-value]


def reason_of(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(reason).removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reasons = Counter(reason_of(report) for report in terminalreporter.stats.get("skipped", []))
    lines = [f"{count} tests: {reason}{how_of(reason)}" for reason, count in reasons.most_common()]
    if data_folder() is None:
        lines.append("tests on VISCHEMA PLUS, which is not here: VMSBENCH_DATA=FOLDER make test")
    chosen = config.getoption("markexpr")
    lines += [f"tests marked {mark}: `make {goal}`" for mark, goal in SEPARATE.items() if f"not {mark}" in chosen]
    if lines:
        terminalreporter.write_sep("=", "not tested")
        terminalreporter.write_line("\n".join(lines))


def how_of(reason: str) -> str:
    return next((f"; {how}" for word, how in HOW.items() if word in reason), "")
