"""Environment variables: what each says, and that each one that is read is documented."""

import re
from pathlib import Path

import pytest

from vmsbench.launch.environment import (
    ELASTIC,
    MAX_RESTARTS,
    NOTICE,
    UNTIL,
    Workers,
    max_restarts,
    notice,
    until,
    workers,
)

ROOT = Path(__file__).parents[2]


def test_every_variable_that_the_package_reads_is_documented() -> None:
    read = {
        name for file in (ROOT / "vmsbench").rglob("*.py") for name in re.findall(r"VMSBENCH_[A-Z_]+", file.read_text())
    }
    page = (ROOT / "docs" / "how-to" / "slurm.md").read_text()
    documented = set(re.findall(r"^\| `(VMSBENCH_[A-Z_]+)` \|", page, re.M))
    assert documented == read


def test_each_variable_of_a_job_is_defined_in_one_place() -> None:
    for name in (UNTIL, NOTICE, ELASTIC, MAX_RESTARTS):
        files = [file for file in (ROOT / "vmsbench").rglob("*.py") if name in file.read_text()]
        assert [file.name for file in files] == ["environment.py"]


def test_without_variables_a_job_has_the_documented_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (UNTIL, NOTICE, ELASTIC, MAX_RESTARTS):
        monkeypatch.delenv(name, raising=False)
    assert (until(), notice(), workers(), max_restarts()) == (float("inf"), 120, None, 100)


def test_the_size_of_an_elastic_sweep_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ELASTIC, str(Workers(3, 16, 4)))
    assert workers() == Workers(3, 16, 4)
