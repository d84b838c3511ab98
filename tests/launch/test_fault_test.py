"""The fault test passes here, and goes red where a handler is broken."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.broken_copy import broken
from tests.support.processes.running import surroundings, vmsbench
from vmsbench.files import append_line
from vmsbench.launch.drill.fault_test import SweepTraces, differences
from vmsbench.launch.drill.faults import DRIVER, REQUEUE, SIGNAL, TRIAL, is_driver
from vmsbench.store.experiment_folder import ExperimentFolder

BROKEN = {
    SIGNAL: (
        "launch/supervisor.py",
        "signal.SIGUSR1 if self.signalled == TIME_UP else signal.SIGTERM",
        "signal.SIGCONT",
    ),
    TRIAL: ("ray_backend/driver.py", "max_failures=", "max_failures=0 *"),
    DRIVER: ("launch/supervisor.py", 'say(f"died ({words}); restarting")', 'return self.end(1, "")'),
}
QUIET = {"scores": {"a": 0.1, "b": 0.2}, "twice": [], "winner": {"width": 8}}


def test_a_sweep_that_came_to_the_same_does_not_differ() -> None:
    assert differences(QUIET, QUIET) == []
    assert differences(QUIET, QUIET | {"scores": {"a": 0.1001, "b": 0.2}}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"winner": {"width": 16}}, "the winner is {'width': 16}, not {'width': 8}"),
        ({"winner": None}, "the winner is None, not {'width': 8}"),
        ({"twice": ["a"]}, "a was completed twice"),
        ({"scores": {"a": 0.1}}, "1 trainings were completed, not 2"),
        ({"scores": {"a": 0.2, "b": 0.2}}, "a scored 0.2, not 0.1"),
    ],
)
def test_what_differs_from_the_undisturbed_sweep_is_named(change: dict[str, object], said: str) -> None:
    assert differences(QUIET, QUIET | change) == [said]


def test_a_fault_counts_as_survived_where_it_was_noticed_and_epochs_followed(tmp_path: Path) -> None:
    append_line(tmp_path / "jobs.jsonl", {"event": "began"})
    (tmp_path / "trials" / "a").mkdir(parents=True)
    for epoch in range(4):
        append_line(tmp_path / "trials" / "a" / "history.jsonl", {"epoch": epoch})
    ExperimentFolder(tmp_path / "trials" / "a").add_start(1, "cpu", "n1")
    seen = SweepTraces.of(tmp_path)
    assert seen == SweepTraces(began=1, died=0, resumed=0, epochs=4)
    for fault, after in {
        SIGNAL: SweepTraces(2, 0, 0, 7),
        REQUEUE: SweepTraces(2, 0, 0, 7),
        TRIAL: SweepTraces(1, 0, 1, 7),
        DRIVER: SweepTraces(1, 1, 0, 7),
    }.items():
        assert after.recovered(fault, seen)
        assert not seen.recovered(fault, seen)
        assert not SweepTraces(after.began, after.died, after.resumed, 4).recovered(fault, seen)
    (tmp_path / "trials" / "b").mkdir()
    ExperimentFolder(tmp_path / "trials" / "b").add_start(1, "cpu", "n1")
    assert SweepTraces.of(tmp_path).resumed == 0, "another trial's first start is no recovery of the killed one"


def test_the_driver_is_distinguished_from_its_supervisor_and_from_other_sweeps() -> None:
    words = ["python", "-m", "vmsbench", "tune", "--runs", "/runs/disturbed"]
    assert is_driver(words, Path("/runs/disturbed"))
    assert not is_driver(words, Path("/runs/quiet"))
    assert not is_driver(["python", "-m", "vmsbench", "job", *words[3:]], Path("/runs/disturbed"))


def test_a_drill_takes_no_settings_of_a_sweep(tmp_path: Path) -> None:
    done = vmsbench("drill", "trainer.epochs=3", cwd=tmp_path)
    assert done.returncode == 2
    assert "trainer.epochs=3: a drill takes only launcher=NAME and launcher.*" in done.stderr


@pytest.mark.slow
@pytest.mark.nightly
def test_the_drill_is_passed_here(tmp_path: Path) -> None:
    done = vmsbench("drill", "--epochs", "30", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["PASS", "signal"],
        ["SKIP", "requeue"],
        ["PASS", "trial"],
        ["PASS", "driver"],
        ["PASS", "result"],
    ]
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert list((tmp_path / "runs" / "drill").iterdir()) == []


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("handler", BROKEN)
def test_the_drill_goes_red_where_a_handler_is_broken(handler: str, tmp_path: Path) -> None:
    place = broken(tmp_path / "broken", *BROKEN[handler])
    command = [sys.executable, "-m", "vmsbench", "drill", "--epochs", "30", "--patience", "40"]
    environment = surroundings(PYTHONPATH=str(place))
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"FAIL  {handler}" in done.stdout
    assert (tmp_path / "runs" / "drill").exists()
