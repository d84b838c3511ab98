"""What `vmsbench bench` measures is what it says: the same work on both sides, a target met or missed."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from vmsbench.bench.data_loading import reading
from vmsbench.bench.measurements import small
from vmsbench.bench.precision import precisions
from vmsbench.bench.result import Measurement, interleaved, times_faster
from vmsbench.bench.sampling import sampling
from vmsbench.bench.synthetic_data import noise, photographs
from vmsbench.bench.throughput import (
    BATCHES,
    DEFAULTS,
    SAME_LAYOUT,
    Folder,
    against_the_limit,
    bare,
    count,
    loop,
    measured,
    peers,
)
from vmsbench.cli.app import app
from vmsbench.config.settings import Config
from vmsbench.data.vischema import vischema

TINY = ["data.size=32", "model.network.width=8", "trainer.batch_size=4"]


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Measurement("a", 0.96, "x", least=0.95), True),
        (Measurement("a", 0.94, "x", least=0.95), False),
        (Measurement("a", 19.0, "s", most=20), True),
        (Measurement("a", 21.0, "s", most=20), False),
        (Measurement("a", 21.0, "s"), None),
        (Measurement("a", None, "s", most=20, how="vmsbench bench data"), None),
    ],
)
def test_a_row_says_whether_its_target_is_met(row: Measurement, met: bool | None) -> None:
    assert row.met is met
    assert ("met" in row.line(), "missed" in row.line()) == (met is True, met is False)
    assert ("unmeasured" in row.line()) == (row.value is None)
    assert row.how in row.line()


def test_contestants_take_turns_and_their_first_turn_is_not_counted() -> None:
    turns: list[str] = []

    def work(name: str) -> int:
        turns.append(name)
        return 2

    seconds = interleaved({"a": lambda: work("a"), "b": lambda: work("b")}, rounds=3)
    assert turns == ["a", "b"] * 4
    assert [len(rounds) for rounds in seconds.values()] == [3, 3]
    assert times_faster([1.0, 2.0, 1.0], [3.0, 4.0, 9.0]) == 3.0


@pytest.mark.parametrize("exp", ["unet", "gan", "diffusion"])
def test_loop_and_bare_step_train_every_player_on_as_many_images(exp: str, tmp_path: Path) -> None:
    config = small(exp, *TINY, *(["model.discriminator.width=8"] if exp == "gan" else []))
    for name, contestant in (("loop", loop), ("bare", bare)):
        experiment = measured(config, tmp_path / name)
        before = {player: [w.clone() for w in weights] for player, weights in experiment.training.weights.items()}
        assert contestant(experiment)() == BATCHES * 4
        for player, weights in experiment.training.weights.items():
            assert any(not torch.equal(w, old) for w, old in zip(weights, before[player], strict=True)), player


def test_against_the_limit_gives_a_ratio_with_its_target_and_the_time(tmp_path: Path) -> None:
    on_gpu = torch.cuda.is_available()
    ratio, time, *elsewhere = against_the_limit(small("unet", *TINY), tmp_path, rounds=1)
    assert [row.how for row in elsewhere] == ["vmsbench bench train --exp unet device=cuda"] * (not on_gpu)
    assert (ratio.least, ratio.unit, time.unit) == (0.95, "x", "ms/image")
    assert ratio.value is not None
    assert ratio.value > 0


def test_diffusers_networks_have_as_many_parameters_and_fit_the_maps() -> None:
    ours = measured_network(["data.size=64", "model.network.width=16"])
    found = peers(64, 16, [1, 2, 4, 4], count(ours))
    assert set(found) == {SAME_LAYOUT, DEFAULTS}
    for network in found.values():
        assert abs(count(network) / count(ours) - 1) <= 0.1
    whole: Any = found[SAME_LAYOUT]
    assert whole(torch.zeros(1, 5, 64, 64), torch.tensor([3])).sample.shape == (1, 2, 64, 64)


def measured_network(overrides: list[str]) -> torch.nn.Module:
    from vmsbench.config.instantiate import build

    model = build(small("diffusion", *overrides)["model"], channels=2, size=64)
    return model.network


def test_photographs_are_a_dataset_as_released(tmp_path: Path) -> None:
    root = photographs(tmp_path / "released", 50, size=64)
    dataset = vischema(root, size=32)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 50
    spread = dataset.train.images.float().std()
    assert 30 < spread < 70
    image, target = Folder(root, 32)[0]
    assert (image.shape, target.shape) == ((3, 32, 32), (2, 32, 32))
    assert -1 <= float(image.min()) < float(image.max()) <= 1


def test_reading_is_measured_for_as_many_pairs_as_asked_for(tmp_path: Path) -> None:
    first, later = reading(tmp_path, 20, 32)
    assert first.most == pytest.approx(20 * 20 / 1600)
    assert later.most == 0.3


def test_sampling_without_a_gpu_leaves_its_row_unmeasured_with_the_command(tmp_path: Path) -> None:
    rows = sampling(
        small("diffusion", *TINY, "model.sampling_steps=2", "model.network.multipliers=[1,2]"), tmp_path, 2, 1
    )
    assert [row.value is not None and math.isfinite(row.value) for row in rows][:2] == [True, True]
    if not torch.cuda.is_available():
        assert rows[2].value is None
        assert "vmsbench bench sample --batch 320" in rows[2].line()


def test_noise_is_bytes_of_the_size_asked_for() -> None:
    dataset = noise(6, 32)
    assert dataset.train.images.shape == (6, 3, 32, 32)
    assert dataset.train.maps.dtype == torch.uint8


def test_the_shift_of_bf16_is_told_in_deviations_of_seeds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scores = {("float32", 0): 0.10, ("float32", 1): 0.12, ("bf16", 0): 0.13, ("bf16", 1): 0.15}

    def trained(config: Config, folder: Path) -> dict[str, Any]:
        return {"validation_scores": {"crps": scores[config["trainer"]["precision"], config["seed"]]}, "seconds": 1.0}

    monkeypatch.setattr(sys.modules[precisions.__module__], "run", trained)
    said: list[str] = []
    *_, spread, shift = precisions(small("unet", *TINY), tmp_path, 2, said.append)
    assert spread.value == pytest.approx(math.sqrt(2) * 0.01)
    assert shift.value == pytest.approx(0.03 / (math.sqrt(2) * 0.01))
    assert shift.met is False
    assert len(said) == 4


@pytest.mark.slow
@pytest.mark.nightly
def test_bench_precision_trains_in_either_precision() -> None:
    told = ["--exp", "unet", "--seeds", "2", "--json", "trainer.epochs=2", "data.count=100", "model.network.width=4"]
    done = CliRunner().invoke(app, ["bench", "precision", *told])
    assert done.exit_code == 0, done.output
    single, half, spread, _ = (row["value"] for row in json.loads(done.stdout))
    assert spread > 0
    assert single != half
