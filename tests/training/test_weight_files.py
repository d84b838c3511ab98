"""An encoder whose weights come from a file is known by what the file holds, not by where it lies."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import resnet18

from tests.support.sweeps.in_process import driver, settings
from tests.support.tiny import MODELS, configuration, pairs
from vmsbench import experiment
from vmsbench.config.settings import setting, with_settings
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.experiment import config_hash
from vmsbench.files import read_json
from vmsbench.inference.predictor import load
from vmsbench.search.space import Parameter, Space
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.sweep_settings import settings_of, settings_to_resume
from vmsbench.sweep.trial import Callback
from vmsbench.sweep.tune import tune

ENCODER = "model.sight.encoder"


def written(file: Path, seed: int) -> Path:
    """An untaught ResNet-18's weights."""
    torch.manual_seed(seed)
    torch.save(resnet18(weights=None).state_dict(), file)
    return file


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two files of different weights."""
    folder = tmp_path_factory.mktemp("weights")
    return written(folder / "one.pt", 0), written(folder / "two.pt", 1)


@pytest.fixture
def file(taught: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(taught[0], tmp_path / "resnet18.pt"))


def encoder(file: Path) -> dict[str, Any]:
    target = "vmsbench.networks.from_file.torchvision_encoder.Torchvision"
    return {
        "_target_": target,
        "architecture": "resnet18",
        "weights": str(file),
        "sha256": None,
        "size": 64,
        "warps": 1,
    }


def config(file: Path, **changes: Any) -> dict[str, Any]:
    made = configuration(**copy.deepcopy(MODELS["readout"]))
    return with_settings(made, {ENCODER: encoder(file) | changes, "trainer.epochs": 2})


def test_equal_contents_are_the_same_experiment_wherever_they_lie(taught: tuple[Path, Path], file: Path) -> None:
    elsewhere = Path(shutil.copy(file, file.with_name("moved.pt")))
    assert config_hash(config(file)) == config_hash(config(elsewhere))
    assert config_hash(config(taught[1])) != config_hash(config(file))
    before = config_hash(config(file))
    shutil.copy(taught[1], file)
    assert config_hash(config(file)) == config_hash(config(taught[1])) != before


def test_it_holds_within_a_set_of_encoders(taught: tuple[Path, Path], file: Path) -> None:
    def of(one: Path) -> str:
        made = with_settings(config(file), {f"{ENCODER}": {"_target_": "vmsbench.networks.encoder_set.EncoderSet"}})
        part = {name: value for name, value in encoder(one).items() if name not in ("size", "warps")}
        return config_hash(with_settings(made, {f"{ENCODER}.encoders": [part | {"_partial_": True}]}))

    assert of(file) == of(taught[0]) != of(taught[1])


def refused(error: Any, file: Path, fix: str) -> None:
    said = str(error.value)
    assert "\n" not in said
    assert str(file) in said
    assert said.count("...") == 2
    assert fix in said


def test_a_half_finished_training_is_not_continued_on_other_features(taught: tuple[Path, Path], file: Path) -> None:
    calls = iter(range(100))
    folder = file.parent / "run"
    with pytest.raises(experiment.TrainingInterrupted):
        experiment.run(config(file), folder, should_stop=lambda: next(calls) >= 3)
    kept = read_json(folder / "config.json")
    elsewhere = Path(shutil.copy(file, file.with_name("moved.pt")))
    shutil.copy(taught[1], file)
    for again in (config(file), kept):  # as it is typed, and as a sweep has it
        with pytest.raises(ConfigurationError) as error:
            experiment.run(again, folder)
        refused(error, file, f"{ENCODER}.weights=FILE names those")
    assert experiment.run(config(elsewhere), folder)["epochs"] == 2


def test_a_model_predicts_with_the_weights_that_it_was_trained_with_or_not_at_all(
    taught: tuple[Path, Path], file: Path
) -> None:
    folder, pictures = file.parent / "run", pairs(2, 32, 5).images
    experiment.run(config(file), folder)
    before = load(folder, "cpu")(pictures)
    shutil.copy(taught[1], file)
    with pytest.raises(UserError) as error:
        load(folder, "cpu")
    refused(error, file, "--encoder-weights FILE")
    with pytest.raises(UserError) as error:
        load(folder, "cpu", taught[1])
    refused(error, taught[1], "--encoder-weights FILE")
    assert torch.equal(load(folder, "cpu", taught[0])(pictures), before)
    file.unlink()
    with pytest.raises(UserError, match=r"cannot be read .No such file or directory.: --encoder-weights FILE"):
        load(folder, "cpu")
    assert experiment.run(read_json(folder / "config.json"), folder)["epochs"] == 2  # nothing is left to do


def test_where_no_weights_come_from_a_file_none_can_be_given(tmp_path: Path, taught: tuple[Path, Path]) -> None:
    experiment.run(configuration() | {"trainer": configuration()["trainer"] | {"epochs": 1}}, tmp_path)
    with pytest.raises(UserError, match="this model has no weights from a file; leave it out"):
        load(tmp_path, "cpu", taught[0])


def searched(file: Path) -> dict[str, Any]:
    space = {"parameters": [{"param": "optimizers.network.lr", "values": [0.01]}]}
    return settings(**{name: config(file)[name] for name in ("model", "augment")}, space=space)


def test_a_sweep_goes_on_where_its_file_was_moved_and_not_where_it_was_replaced(
    taught: tuple[Path, Path], file: Path
) -> None:
    runs = file.parent / "runs"
    folder = runs / "mine"
    tune(searched(file), folder, runs, Callback(), driver, "vmsbench tune --exp unet", retry=False)
    about = SweepFolder(folder).about()
    assert len(setting(about["config"], ENCODER)["sha256"]) == 64
    elsewhere = Path(shutil.copy(file, file.with_name("moved.pt")))
    shutil.copy(taught[1], file)
    with pytest.raises(ConfigurationError) as error:
        tune(searched(file), folder, runs, Callback(), driver, "vmsbench tune --exp unet", retry=False)
    refused(error, file, f"{ENCODER}.weights=FILE names those")
    moved = settings_to_resume("mine", runs, [f"{ENCODER}.weights={elsewhere}"])
    before = sorted(path.name for path in (folder / "trials").iterdir())
    tune(moved, folder, runs, Callback(), driver, "vmsbench tune --exp unet", retry=False)
    assert sorted(path.name for path in (folder / "trials").iterdir()) == before
    assert settings_of("mine", runs, [f"{ENCODER}.weights={elsewhere}"])[1] == {f"{ENCODER}.weights": str(elsewhere)}


def test_a_space_may_vary_the_file(taught: tuple[Path, Path]) -> None:
    base = with_settings(config(taught[0]), {f"{ENCODER}.sha256": "f" * 64})
    space = Space([Parameter(f"{ENCODER}.weights", [str(one) for one in taught])], base)
    names = {config_hash(space.config({f"{ENCODER}.weights": str(one)})) for one in taught}
    assert names == {config_hash(config(one)) for one in taught}
