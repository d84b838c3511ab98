"""Under Ray, trials that a pruner gives up end early, and so do those that train for too long."""

from pathlib import Path

import pytest

from tests.support.processes.running import SMALL, TWO_TRIALS, events, vmsbench

SPACE = "space.parameters=[{param: optimizers.network.lr, values: [0.01, 1.0e-9]}]"


@pytest.mark.slow
def test_asha_ends_a_trial_that_learns_nothing(tmp_path: Path) -> None:
    chosen = ["pruner=asha" if word == "pruner=none" else word for word in SMALL]
    done = vmsbench("tune", "--exp", "unet", "--cpus", "1", *chosen, "trainer.epochs=12", SPACE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ends = {event["state"]: event["epoch"] for event in events(tmp_path / "runs" / "unet", "finished")}
    assert ends["complete"] == 12
    assert 2 <= ends["pruned"] < 12


@pytest.mark.slow
def test_a_trial_that_trains_for_longer_than_allowed_fails_and_the_next_one_is_tried(tmp_path: Path) -> None:
    limits = ["hours_per_trial=0.0005", "trainer.epochs=2000"]
    done = vmsbench("tune", "--exp", "unet", "--cpus", "1", *SMALL, *limits, SPACE, cwd=tmp_path)
    assert done.returncode != 0
    ends = events(tmp_path / "runs" / "unet", "finished")
    assert {(event["state"], event["cause"]) for event in ends} == {("failed", "longer than hours_per_trial=0.0005")}
    assert all(0 < event["epoch"] < 2000 for event in ends)


@pytest.mark.slow
def test_a_budget_that_is_used_up_ends_what_runs_and_a_larger_one_continues_it(tmp_path: Path) -> None:
    words = ["tune", "--exp", "unet", "--cpus", "1", *SMALL, "trainer.epochs=80", TWO_TRIALS, "finals.top=0"]
    done = vmsbench(*words, "budget=0.0006cpuh", cwd=tmp_path)
    folder = tmp_path / "runs" / "unet"
    assert "budget" in done.stdout + done.stderr
    assert not events(folder, "finished")
    (trial,) = (folder / "trials").iterdir()
    reached = len((trial / "history.jsonl").read_text().splitlines())
    assert 0 < reached < 80
    again = vmsbench(*words, "budget=1cpuh", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert events(folder, "finished")[0]["epoch"] == 80
