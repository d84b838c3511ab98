"""Plugins: an installed package, or a plain folder, adds an option to every group, and its options are real ones."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.cli.test_commands import ROOT, command, surroundings
from tests.support.plugin import install, plain_folder, write_pictures
from vmsbench.config import plugins
from vmsbench.config.compose import compose
from vmsbench.config.instantiate import build
from vmsbench.config.plugins import VARIABLE, add_folders, groups, option_files, options
from vmsbench.errors import ConfigurationError
from vmsbench.files import read_json
from vmsbench.testing import (
    dataset_contract,
    metric_contract,
    network_contract,
    pruner_contract,
    searcher_contract,
    tracker_contract,
)

GROUPS = ("network", "searcher", "pruner", "tracker", "data")
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
    for group in GROUPS:
        assert "sample" in options(group)
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
    searcher = {name: value for name, value in settings["searcher"].items() if name != "repeats"}
    searcher_contract(lambda space: build(searcher, space=space))
    pruner_contract(partial(build, settings["pruner"]))
    tracker_contract(partial(build, settings["tracker"]), tmp_path / "runs")
    metric_contract("l0_true")
    data = {name: value for name, value in settings["data"].items() if name != "cache"}
    root = str(write_pictures(tmp_path / "pictures"))
    dataset_contract(build(data | {"root": root, "_partial_": True}), tmp_path / "cache")


@pytest.mark.parametrize("form", ["package", "folder"])
@pytest.mark.slow
def test_a_sweep_of_a_plugins_options_alone_runs(form: str, tmp_path: Path) -> None:
    if form == "package":
        where = {"PYTHONPATH": f"{ROOT}{os.pathsep}{install(tmp_path / 'site')}"}
    else:
        where = {VARIABLE: str(plain_folder(tmp_path / "my conf"))}
    root = write_pictures(tmp_path / "pictures (1)")
    small = [f"data.root={root}", "data.size=32", "preset=quick", "trainer.epochs=1", "searcher.trials=2"]
    arguments = ["tune", "--exp", "unet", *CHOSEN, *small, "--gpus", "0", "--cpus", "2", "--quiet"]
    environment = surroundings(**where)
    done = subprocess.run(command(*arguments), cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "runs" / "unet.csv").read_text().splitlines()) == 3
    about = read_json(tmp_path / "runs" / "unet" / "sweep.json")
    (results,) = (tmp_path / "runs" / "unet" / "final").glob("*/results.json")
    assert 0 < read_json(results)["test_scores"]["l0_true"] < 1
    assert about["config"]["model"]["network"]["_target_"] == "vmsbench_sample.network.Plain"


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
