"""What a plan says beforehand is what the sweep then takes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from typer.testing import CliRunner

import vmsbench
from tests.support.command_line import called, refused
from tests.support.processes.running import SMALL
from tests.support.sweeps.in_process import CONFIG, settings, study
from tests.support.tiny import files_in
from tests.support.wide import widest
from vmsbench.cli.app import app
from vmsbench.config.settings import with_settings
from vmsbench.errors import DataError
from vmsbench.files import read_json
from vmsbench.launch.slurm.flags import seconds_of
from vmsbench.sweep.planning.cost_model import TrialCost, recorded, shape
from vmsbench.sweep.planning.plan import Plan, plan


def planned(tmp_path: Path, calibrate: bool = False, **changes: Any) -> Plan:
    return plan(settings(**changes), tmp_path / "runs", 2, calibrate, lambda text: None)


def test_trials_files_bytes_and_hours_are_those_of_the_sweep(tmp_path: Path) -> None:
    said = planned(tmp_path, calibrate=True)
    done = study(tmp_path)
    trials = list((done / "trials").iterdir())
    assert said.trials == len(trials) == 4
    assert said.epochs == 4 * CONFIG["trainer"]["epochs"]
    assert said.finals == 1
    assert said.cost is not None
    files = files_in(done)
    assert len(files) <= said.files <= 2 * len(files)
    assert sum(file.stat().st_size for file in files) == pytest.approx(said.cost.bytes, rel=0.6)
    assert 0 < said.cost.hours < said.cost.hours_at_most
    assert said.cost.clock < said.cost.hours
    assert said.measured == "3 of 3 kinds of trial measured now, one at a time"


def test_trials_that_there_are_tell_the_pace(tmp_path: Path) -> None:
    assert planned(tmp_path).cost is None
    done = study(tmp_path)
    said = planned(tmp_path)
    assert said.measured == "3 of 3 kinds of trial from earlier sweeps"
    wide = [t for t in (done / "trials").iterdir() if read_json(t / "config.json")["model"]["network"]["width"] == 6]
    seconds = [read_json(trial / "results.json")["seconds"] / 2 for trial in wide]
    known = recorded(tmp_path / "runs", "cpu")
    assert known[shape(read_json(wide[0] / "config.json"))].epoch == pytest.approx(median(seconds))
    assert recorded(tmp_path / "runs", "cuda") == {}


def test_a_kind_of_trial_is_what_sets_its_pace() -> None:
    for path, value in (("seed", 7), ("trainer.epochs", 99), ("optimizers.network.lr", 0.5), ("data.root", "/a")):
        assert shape(with_settings(CONFIG, {path: value})) == shape(CONFIG), path
    for path, value in (("model.network.width", 8), ("trainer.batch_size", 3), ("data.digest", "other")):
        assert shape(with_settings(CONFIG, {path: value})) != shape(CONFIG), path


def test_a_trial_takes_its_epochs_its_evaluations_and_its_end() -> None:
    assert TrialCost(epoch=2, check=3, end=5).seconds(epochs=10, every=4) == 10 * 2 + 3 * 3 + 5


def test_early_stopping_takes_fewer_epochs_and_rounds_more_trials(tmp_path: Path) -> None:
    long = {"trainer": CONFIG["trainer"] | {"epochs": 20}}
    whole = planned(tmp_path, **long)
    stopped = planned(tmp_path, **long, pruner={"_target_": "vmsbench.search.pruners.AshaPruner"})
    assert stopped.epochs < whole.epochs == 4 * 20 <= whole.epochs_at_most
    searcher = settings()["searcher"]
    twice = planned(tmp_path, searcher=searcher | {"rounds": 2})
    assert whole.trials < twice.trials <= twice.trials_at_most
    assert planned(tmp_path, searcher=searcher | {"repeats": 3}).trials == 3 * 4


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        *(("90", 5_400), ("90:30", 5_430), ("8:00:00", 28_800), ("1-12", 129_600), ("1-12:30", 131_400)),
        *(("2-0:0:5", 172_805), ("5", 300)),
    ],
)
def test_times_are_read_as_slurm_reads_them(time: str, seconds: int) -> None:
    assert seconds_of(time) == seconds


@pytest.mark.slow
def test_the_command_begins_nothing_and_fits_into_a_terminal(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    place = ["--exp", "unet", *SMALL, "--runs", str(runs)]
    told = CliRunner().invoke(app, ["plan", *place, "budget=0.0001cpuh"])
    assert told.exit_code == 0, told.output
    assert "budget        0.0001cpuh is too little" in told.stdout
    assert widest(told.stdout.splitlines()) <= 80
    dry = CliRunner().invoke(app, ["tune", "--dry-run", *place])
    assert dry.exit_code == 0, dry.output
    assert dry.stdout.splitlines()[:5] == told.stdout.splitlines()[:5]
    assert {path.name for path in runs.iterdir()} == {"cache"}


@pytest.mark.parametrize(("slots", "fill", "aside"), [(8, True, True), (8, False, False), (2, True, False)])
def test_what_is_at_most_says_that_it_does_not_count_extra_trials(
    slots: int, fill: bool, aside: bool, tmp_path: Path
) -> None:
    place = ["--exp", "unet", *SMALL, f"searcher.fill={fill}", "--runs", str(tmp_path), "--no-calibrate"]
    told = CliRunner().invoke(app, ["plan", *place, "--cpus", str(slots)])
    assert told.exit_code == 0, told.output
    assert ("extra trials for idle slots are not counted" in " ".join(told.stdout.split())) == aside
    assert re.search(r"trials +at most 6\b", told.stdout), told.stdout


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["searcher.repeats=3"], ", 3 seeds each"),
        (["searcher.repeats=3", "searcher.racing=true"], ", up to 3 seeds each while they may win"),
        (["data.folds=5"], ", 5 folds each"),
        (["data.folds=5", "searcher.repeats=2"], ", 2 seeds on each of 5 folds"),
        ([], ""),
    ],
)
def test_the_plan_says_how_often_each_configuration_is_trained(overrides: list[str], said: str, tmp_path: Path) -> None:
    place = ["--exp", "unet", *SMALL, *overrides, "--runs", str(tmp_path), "--no-calibrate"]
    first = CliRunner().invoke(app, ["plan", *place]).stdout.splitlines()[0]
    assert first == f"unet: coordinate search over 2 parameters{said}"


def test_a_job_is_planned_without_training_on_the_login_node(tmp_path: Path) -> None:
    place = ["--exp", "unet", *SMALL, "--runs", str(tmp_path / "runs"), "launcher=slurm", "--nodes", "2", "--gpus", "2"]
    told = CliRunner().invoke(app, ["plan", *place, "--time", "30", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["cost"] is None
    assert found["slots"] == 4
    assert found["job"] == {"nodes": 2, "gpus": 2, "cpus": 4, "time": "30"}


def test_a_range_is_planned_as_one_text(tmp_path: Path) -> None:
    entry = {"param": "optimizers.network.lr", "range": [0.001, 0.1], "log": True}
    found = planned(tmp_path, space={"parameters": [entry]})
    assert found.parameters[0].options == ("0.001 to 0.1, logarithmic",)
    assert 4 <= found.trials <= found.trials_at_most == 8


HEAVY = ["ray", "mlflow", "optuna", "pandas", "scipy", "matplotlib", "torch", "numpy"]


@pytest.mark.parametrize(
    "override", ["trainer.batch_size=4", "searcher=random", "data.root=/nowhere", "launcher=slurm"]
)
def test_the_most_that_a_sweep_takes_is_known_without_data_or_heavy_imports(override: str, tmp_path: Path) -> None:
    program = (
        "import os, sys; from vmsbench.cli.app import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "assert not [name for name in os.environ if name.startswith(('RAY_', 'TUNE_'))], 'set where Ray runs alone'\n"
        f"assert not set({HEAVY}) & set(sys.modules)"
    )
    place = ["--exp", "unet", override, "--runs", str(tmp_path), "--no-calibrate", "--json"]
    kept = {name: value for name, value in os.environ.items() if name not in ("VMSBENCH_CONF", "VMSBENCH_DATA")}
    environment = {name: value for name, value in kept.items() if not name.startswith(("RAY_", "TUNE_"))}
    command = [sys.executable, "-c", program, "plan", *place]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["trials"] is found["cost"] is None
    assert found["epochs_at_most"] == found["trials_at_most"] * found["epochs_per_trial"]


def test_data_are_looked_for_where_a_search_is_simulated(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="/nowhere does not exist"):
        vmsbench.plan("unet", "data.root=/nowhere", runs=tmp_path, worlds=1)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.network.width=abc", "model.network.width=abc does not fit"),
        ("trainer.batch_size=0", "trainer.batch_size=0 does not fit"),
        ("searcher.repeats=many", "searcher.repeats=many does not fit"),
        ("searcher.repeats=true", "searcher.repeats=true does not fit"),
        ("finals.seeds=true", "finals.seeds=true does not fit"),
        ("data.size=big", "data.size=big does not fit"),
        ("model={_target_: vmsbench.models.regression.Nothing}", "Nothing"),
    ],
)
def test_a_plan_without_data_checks_what_the_command_changes(override: str, said: str, tmp_path: Path) -> None:
    place = ("--exp", "unet", override, "--runs", tmp_path, "--no-calibrate")
    refused(called("plan", *place), said)


def test_a_plan_without_data_checks_folders_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "network").mkdir(parents=True)
    text = "# @package model.network\n_target_: vmsbench.networks.unet.UNet\nwidth: wide\n"
    (tmp_path / "conf" / "network" / "mine.yaml").write_text(text)
    monkeypatch.setenv("VMSBENCH_CONF", str(tmp_path / "conf"))
    place = ("--exp", "unet", "network=mine", "--runs", tmp_path, "--no-calibrate")
    refused(called("plan", *place), "model.network.width=wide does not fit")


@pytest.mark.parametrize("worlds", [0, 1])
def test_what_is_simulated_and_what_is_not_agree_on_the_most(tmp_path: Path, worlds: int) -> None:
    found = vmsbench.plan("unet", "data=standin", "preset=demo", runs=tmp_path, calibrate=False, worlds=worlds, cpus=2)
    least = found.trials_at_most if found.trials is None else found.trials
    assert least <= found.trials_at_most
    assert found.epochs_at_most == found.trials_at_most * found.epochs_per_trial
    assert (found.busy is None) == (worlds == 0)


@pytest.mark.parametrize("budget", ["abc", "20gpuh"])
def test_a_wrong_budget_is_refused_before_anything_is_measured_or_written(budget: str, tmp_path: Path) -> None:
    arguments = ("--exp", "unet", *SMALL, f"budget={budget}", "--cpus", 1, "--gpus", 0, "--runs", tmp_path)
    for command in (("plan",), ("tune", "--dry-run"), ("tune",)):
        refused(called(*command, *arguments), f"budget={budget}")
        assert not list(tmp_path.iterdir())
