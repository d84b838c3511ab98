"""One report of three sweeps, for all tests that read it: it takes twenty seconds to make."""

from pathlib import Path

import pytest

from tests.support.sweep_maker import FAULTS, make_sweep
from vmsbench.report.write import report


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(runs, the folder of a report over three sweeps), which no test changes."""
    base = tmp_path_factory.mktemp("study")
    for exp in FAULTS:
        make_sweep(base / "runs", exp)
    return base / "runs", report(base / "runs", [], base / "reports" / "all").parent
