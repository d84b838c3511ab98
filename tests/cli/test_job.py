"""`vmsbench job`: the folder that a job works on is that of the command it runs."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.command_line import called, refused
from vmsbench.launch import supervisor

COMMANDS = {
    "tune --exp unet": "runs/unet",
    "tune --exp unet --name mine --runs r": "r/mine",
    "tune data.count=40 --runs=r --exp=unet": "r/unet",
    "ablate network --exp unet": "runs/unet-ablate-network",
    "ablate --exp unet --seeds 2 network": "runs/unet-ablate-network",
    "ablate network@model --exp unet --runs r": "r/unet-ablate-network",
    "ablate network --exp unet --name mine": "runs/mine",
    "resume x": "runs/x",
    "resume --runs r x": "r/x",
    "resume --retry x --runs r budget=2": "r/x",
    "final x": "runs/x",
    "final --top 1 x": "runs/x",
    "final --accept-code --seeds 2 x --runs r": "r/x",
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Path]]:
    """The commands that jobs were to run, and the folders that they would have worked on."""
    found: list[tuple[list[str], Path]] = []

    def supervise(command: Sequence[str], folder: Path) -> int:
        found.append((list(command), folder))
        return 0

    monkeypatch.setattr(supervisor, "supervise", supervise)
    monkeypatch.delenv("VMSBENCH_RUNS", raising=False)
    return found


@pytest.mark.parametrize("line", COMMANDS)
def test_a_job_works_on_the_folder_of_its_command(line: str, taken: list[tuple[list[str], Path]]) -> None:
    ended = called("job", *line.split())
    assert ended.code == 0, ended
    assert taken == [(line.split(), Path(COMMANDS[line]))]


def test_every_command_that_a_job_runs_is_among_these() -> None:
    assert {line.split()[0] for line in COMMANDS} == set(supervisor.SWEEPS)


def test_the_runs_folder_of_the_environment_is_the_jobs(
    taken: list[tuple[list[str], Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VMSBENCH_RUNS", "elsewhere")
    called("job", "resume", "x")
    assert taken == [(["resume", "x"], Path("elsewhere/x"))]


@pytest.mark.parametrize("command", ["train --exp unet", "report x"])
def test_a_command_of_no_sweep_is_refused(command: str, taken: list[tuple[list[str], Path]]) -> None:
    works = "a job supervises the commands of sweeps: tune, resume, final, ablate"
    refused(called("job", *command.split()), works, f"`vmsbench {command.split()[0]}` runs in a batch script as it is")
    assert not taken


def test_a_name_that_no_sweep_can_have_makes_no_folder(taken: list[tuple[list[str], Path]]) -> None:
    refused(called("job", "resume", "../x"), "a sweep's name is a folder's name")
    assert not taken


def test_it_shows_its_own_help_where_no_command_precedes_it() -> None:
    ended = called("job", "--help")
    assert (ended.code, ended.err) == (0, "")
    assert "tune, resume, final or ablate, with its arguments" in ended.text
