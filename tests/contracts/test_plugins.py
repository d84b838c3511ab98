"""Plugins: an installed package, or a plain folder, adds an option to every group, and its options are real ones."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.support.nightly import few_by_day
from tests.support.plugin import install, plain_folder, write_pictures
from tests.support.processes.running import ROOT, command, surroundings
from vmsbench.config import plugins
from vmsbench.config.compose import compose
from vmsbench.config.instantiate import build
from vmsbench.config.plugins import VARIABLE, add_folders, groups, option_files, options
from vmsbench.config.settings import Config, with_settings
from vmsbench.errors import ConfigurationError
from vmsbench.files import read_json, read_lines
from vmsbench.search.configured import experiment_part, label_of, searcher_for, space_of
from vmsbench.testing import (
    dataset_contract,
    metric_contract,
    model_contract,
    network_contract,
    pruner_contract,
    searcher_contract,
    tracker_contract,
)
from vmsbench.training.checks import check

GROUPS = {"network": "sample", "searcher": "sample", "pruner": "sample", "tracker": "sample", "data": "sample",
          "launcher": "pbs", "model": "gaussian", "exp": "gaussian"}  # fmt: skip
CHOSEN = ["data=sample", "network=sample", "searcher=sample", "pruner=sample", "tracker=sample"]


@pytest.fixture(params=["package", "folder"])
def sample(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sample plugin, in one form or the other."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    if request.param == "package":
        sys.path.insert(0, str(install(tmp_path / "site")))
    else:
        monkeypatch.setenv(VARIABLE, str(plain_folder(tmp_path / "mine")))
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "vmsbench_sample"]:
        del sys.modules[name]


@pytest.mark.usefixtures("sample")
def test_a_plugins_options_are_among_all(tmp_path: Path) -> None:
    for group, option in GROUPS.items():
        assert option in options(group)
    with pytest.raises(ConfigurationError, match="network=sampel is not a choice; did you mean sample"):
        compose("unet", ["network=sampel"])
    with pytest.raises(ConfigurationError, match=r"searcher\.trails is not a setting"):
        compose("unet", ["searcher=sample", "searcher.trails=5"])
    with pytest.raises(ConfigurationError, match=r"searcher\.trials=many does not fit: .*searcher\.trials=20"):
        compose("unet", ["searcher=sample", "searcher.trials=many"])


@pytest.mark.usefixtures("sample")
def test_a_plugins_options_keep_their_contracts(tmp_path: Path) -> None:
    settings = compose("unet", [*CHOSEN, "data.size=32"])
    network_contract(build(settings["model"]["network"]))
    model = with_settings(compose("gaussian", ["network=sample"])["model"], {"network.width": 8})
    model_contract(lambda channels, size: build(model, channels=channels, size=size))
    searcher = {name: value for name, value in settings["searcher"].items() if name != "repeats"}
    searcher_contract(lambda space: build(searcher, space=space))
    pruner_contract(partial(build, settings["pruner"]))
    assert label_of(settings["searcher"], "searcher") == "ReversedGrid"
    assert label_of(settings["pruner"], "pruner") == "PatiencePruner"
    tracker_contract(partial(build, settings["tracker"]), tmp_path / "runs")
    metric_contract("hits_true")
    data = {name: value for name, value in settings["data"].items() if name != "cache"}
    root = str(write_pictures(tmp_path / "pictures"))
    dataset_contract(build(data | {"root": root, "_partial_": True}), tmp_path / "cache")


@pytest.mark.parametrize("form", few_by_day(["package", "folder"], "package"))
@pytest.mark.slow
def test_a_sweep_of_a_plugins_options_alone_runs_from_the_search_to_the_report(form: str, tmp_path: Path) -> None:
    if form == "package":
        where = {"PYTHONPATH": f"{ROOT}{os.pathsep}{install(tmp_path / 'site')}"}
    else:
        where = {VARIABLE: str(plain_folder(tmp_path / "my conf"))}
    root = write_pictures(tmp_path / "pictures (1)")
    small = [f"data.root={root}", "data.size=32", "preset=quick", "trainer.epochs=1", "searcher.trials=2"]
    chosen = [*CHOSEN, *small, "metric=hits_true", "evaluation.every=1"]
    ran(tmp_path, where, "tune", "--exp", "gaussian", *chosen, "--gpus", "0", "--cpus", "2", "--quiet")
    header, *rows = [line.split(",") for line in (tmp_path / "runs" / "gaussian.csv").read_text().splitlines()]
    assert len(rows) == 2
    folder = tmp_path / "runs" / "gaussian"
    about = read_json(folder / "sweep.json")
    assert about["config"]["model"]["network"]["_target_"] == "vmsbench_sample.network.Plain"
    (winner,) = [line for line in read_lines(folder / "journal.jsonl") if line["event"] == "winner"]
    assert winner["score"] == max(float(row[header.index("score")]) for row in rows)
    ran(tmp_path, where, "final", "gaussian", "--top", "1", "--seeds", "2", "--quiet")
    finals = [read_json(file)["test_scores"]["hits_true"] for file in folder.glob("final/*/results.json")]
    assert len(finals) == 2
    ran(tmp_path, where, "report", "gaussian")
    report = (tmp_path / "reports" / "gaussian" / "report.md").read_text()
    assert "Report: Gaussian" in report
    assert "Hits true ↑" in report
    assert re.search(rf"\| Gaussian .*{sum(finals) / 2:.3f}", report)


def ran(folder: Path, where: dict[str, str], *arguments: str) -> str:
    environment = surroundings(**where)
    done = subprocess.run(command(*arguments), cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("sample")
def test_a_plugins_family_is_in_the_demo_and_goes_with_every_preset_and_space() -> None:
    from vmsbench.api.demonstration import demo_families as shown

    assert list(shown()) == ["unet", "gan", "diffusion", "gaussian"]
    assert shown()["gaussian"].name == "Gaussian"
    for preset in ("demo", "quick", "seed", "strong", "study"):
        works(compose("gaussian", ["data=standin", f"preset={preset}", *(shown()["gaussian"].demo or ())]))
    for space in options("space"):
        works(compose("gaussian", ["data=standin", f"space={space}"]))


def works(settings: Config) -> None:
    experiment = experiment_part(settings)
    check(experiment, channels=2, size=64, train=400)
    assert searcher_for(settings, space_of(settings["space"]["parameters"], experiment)).max_trials > 1


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize("exp", ["unet", "gan", "diffusion", "gaussian"])
def test_every_preset_goes_with_a_plugins_network(exp: str) -> None:
    """What a preset sets that a network does not have is left out."""
    for preset in options("preset"):
        meant = yaml.safe_load(option_files("preset")[preset].read_text()) or {}
        if meant.get("exp", exp) == exp:
            settings = compose(exp, ["data=standin", f"preset={preset}", "network=sample"])
            assert set(settings["model"]["network"]) == {"_target_", "_partial_", "width"}
            works(settings)


def test_folders_are_searched_in_order_and_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{tmp_path}{os.pathsep}{ROOT}/conf{os.pathsep}")
    (tmp_path / "a").mkdir()
    add_folders([tmp_path / "a"])
    assert plugins.folders() == [ROOT / "conf", tmp_path / "a", tmp_path]


def test_a_group_of_ones_own_may_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment of one's own, with a choice of its own."""
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "mine.yaml").write_text("# @package _global_\ndefaults: [/flavour: mild]\nexp: unet\n")
    (tmp_path / "flavour").mkdir()
    for name, dropout in (("mild", 0.1), ("hot", 0.5)):
        text = f"# @package _global_\nmodel: {{network: {{dropout: {dropout}}}}}\n"
        (tmp_path / "flavour" / f"{name}.yaml").write_text(text)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert "flavour" in groups()
    assert compose("mine", ["flavour=hot"])["model"]["network"]["dropout"] == 0.5
    with pytest.raises(ConfigurationError, match="flavour is not a choice of --exp gan"):
        compose("gan", ["flavour=hot"])


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("/nowhere", r"\$VMSBENCH_CONF: /nowhere is not a folder"),
        ("{tmp}", r"network=unet is defined twice, in .*conf/network/unet.yaml and .*; rename one"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(
    variable: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "unet.yaml").write_text((ROOT / "conf" / "network" / "unet.yaml").read_text())
    monkeypatch.setenv(VARIABLE, variable.format(tmp=tmp_path))
    with pytest.raises(ConfigurationError, match=said):
        compose("unet", ["network=unet"])


def test_a_folder_given_for_a_command_is_there_for_what_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    add_folders([plain_folder(tmp_path / "mine")])
    program = "from vmsbench.config.instantiate import find; print(find('vmsbench_sample.pruner.PatiencePruner'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "PatiencePruner" in done.stdout
    with pytest.raises(ConfigurationError, match=r"--config-dir .*/none is not a folder"):
        add_folders([tmp_path / "none"])


def test_every_command_that_takes_overrides_takes_a_folder_of_options() -> None:
    from typer.main import get_command

    from vmsbench.cli.app import app

    seen = 0
    waiting = [get_command(app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        names = {option for parameter in command.params for option in parameter.opts}
        if "overrides" in names:
            seen += 1
            assert "--config-dir" in names, command.name
    assert seen >= 10


def test_a_folder_given_on_the_command_line_has_its_options(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "my conf")
    arguments = ["train", "--exp", "unet", "network=sample", "data=sample", "--config-dir", str(folder)]
    done = subprocess.run(command(*arguments), cwd=tmp_path, env=surroundings(), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: data.root=None holds 0 pictures; at least 10 .png are needed\n"


def test_every_option_of_a_plugin_is_found_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(plain_folder(tmp_path / "mine")))
    assert option_files("network")["sample"] == tmp_path / "mine" / "network" / "sample.yaml"
    assert list(option_files("network")) == sorted(option_files("network"))
