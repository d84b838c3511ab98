"""A test that cannot run here is listed with the remedy; under CI it fails. One that needs VISCHEMA PLUS is neither."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.slurm.lab import packages
from tests.support import reliability
from tests.support.constraints import lines
from tests.support.cpu_times import longer, page
from tests.support.system_packages import NEEDS

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest
def test_of_a_program():
    pytest.skip("no Chromium here: apt-get install chromium")
@pytest.mark.vischema
def test_of_the_data(): pass
@pytest.mark.xfail
def test_known(): assert False
@pytest.mark.kills
def test_of_kills(): pass
def test_of_nothing(): pass
"""


def ran(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """pytest with the conftest of these tests, on others, from where no data lies next to any folder above."""
    (folder / "test_them.py").write_text(TESTS)
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "VMSBENCH_DATA")}
    own = kept | {"PYTHONPATH": str(ROOT)} | environment
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", "."]
    command = [sys.executable, "-m", "pytest", *options, *(words or ["test_them.py"])]
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)


def test_without_ci_what_is_not_tested_is_listed_with_the_remedy(tmp_path: Path) -> None:
    done = ran(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, listed = done.stdout.partition("not tested")
    assert "1 tests: no Chromium here: apt-get install chromium; `make system-packages`" in listed
    assert "tests marked kills: `make test-kills`" in listed


def test_under_ci_a_skipped_test_fails_with_the_line_that_installs_what_it_needs(tmp_path: Path) -> None:
    done = ran(tmp_path, CI="true")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, " in done.stdout
    assert "skipped, and CI is set" in done.stdout
    assert "apt-get install chromium" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


def test_two_processes_share_tests_by_file_and_the_files_with_slow_tests_come_first(tmp_path: Path) -> None:
    here = (
        "import os\ndef test_{0}():\n    open('seen', 'a').write('{1} ' + os.environ['PYTEST_XDIST_WORKER'] + '\\n')\n"
    )
    for file, mark in (("test_1", ""), ("test_2", ""), ("test_3", "import pytest\npytestmark = pytest.mark.slow\n")):
        tests = "".join(here.format(number, file) for number in range(5))
        (tmp_path / f"{file}.py").write_text(mark + tests)
    done = ran(tmp_path, "--numprocesses=2", "test_1.py", "test_2.py", "test_3.py")
    assert "15 passed" in done.stdout, done.stdout + done.stderr
    seen = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert len({(file, worker) for file, worker in seen}) == 3
    of_slow = dict(seen)["test_3"]
    assert next(file for file, worker in seen if worker == of_slow) == "test_3"


def test_one_script_installs_what_any_skipped_test_asks_for() -> None:
    known = {package for _, needed in NEEDS for package in needed}
    assert {*packages(accounting=True, pbs=True), "chromium", "texlive-latex-base"} <= known


def test_the_constraints_are_the_resolved_versions_without_torchs_own() -> None:
    resolved = [("torch", "2.9.0+cpu"), ("nvidia-cublas", "1"), ("Jinja2", "3.1"), ("anyio", "4"), ("vmsbench", "0.2")]
    head, *pins = lines([{"name": name, "version": version} for name, version in resolved])
    assert head.startswith("# The versions that were tested together")
    assert pins == ["anyio==4", "Jinja2==3.1", "torch==2.9.0"]


def test_a_run_renews_its_own_rows_of_the_reliability_report_alone() -> None:
    there, gone = "test_skips.py::test_of_a_program[1 | 2]", "test_skips.py::test_nobody_has"
    old = reliability.Row("passed", 60.0, "2026-01-01", "abc")
    first = reliability.renewed(reliability.HEAD, "kills", [there, gone], {there: old})
    assert "1 passed, 0 failed, 0 skipped, 1 not run, in 1.0 minutes" in first
    other = {"c.py::d": reliability.Row("failed", 2.0, "2026", "x")}
    both = reliability.renewed(first, "cluster", ["c.py::d"], other)
    assert reliability.rows_of(both, "kills") == reliability.rows_of(first, "kills")
    new = reliability.Row("failed", 3.0, "2026-02-02", "def with changes")
    made = reliability.renewed(both, "kills", ["a.py::c"], {"a.py::c": new})
    assert reliability.rows_of(made, "kills") == {"a.py::c": new, there: old}, "kept where another folder is run alone"
    assert reliability.rows_of(made, "cluster") == reliability.rows_of(both, "cluster")
    now = there.replace("[1 | 2]", "[3]")
    assert reliability.rows_of(reliability.renewed(made, "kills", [now], {now: new}), "kills").keys() == {now}


def test_a_test_that_was_interrupted_has_no_result(tmp_path: Path) -> None:
    """Nor has one that was not reached; a failure of what comes after a test is its own."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\npytestmark = pytest.mark.kills\n@pytest.fixture\ndef late():\n    yield\n    raise ValueError\n"
        "def test_1(): pass\ndef test_2(late): pass\ndef test_3(): raise KeyboardInterrupt\ndef test_4(): pass\n"
    )
    report = tmp_path / "report.md"
    program = f"import sys; from tests.support.reliability import main; main('kills', {report!r}, ['{tmp_path}'])"
    done = subprocess.run(
        [sys.executable, "-c", f"from pathlib import Path, PosixPath; {program}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = {
        name.rpartition("::")[2]: row.result for name, row in reliability.rows_of(report.read_text(), "kills").items()
    }
    assert rows == {"test_1": "passed", "test_2": "failed", "test_3": "not run", "test_4": "not run"}, done.stdout


def test_the_time_of_tests_is_summed_by_file_and_by_function() -> None:
    made = page(Counter({"tests/a.py::b[1]": 1.0, "tests/a.py::b[2]": 2.0, "tests/a.py::c": 0.5}), ["-q"])
    assert "`pytest -q`, 3 tests, 4 CPU seconds" in made
    assert "| a.py | 3.5 |" in made
    assert made.index("| a.py::b | 3.0 |") < made.index("| a.py::c | 0.5 |")


def test_what_quick_leaves_out_takes_long_with_all_its_cases_and_is_there() -> None:
    passed = Counter({"tests/a.py::b[1]": 0.3, "tests/a.py::b[2]": 0.3, "tests/a.py::c": 0.4, "tests/a.py::d": 9.0})
    assert longer(passed) == ["tests/a.py::b", "tests/a.py::d"]
    for name in (ROOT / "tests" / "longer.txt").read_text().splitlines():
        file, _, function = name.partition("::")
        assert f"def {function.rpartition('::')[2]}(" in (ROOT / file).read_text(), f"{name} has gone: make test-times"
