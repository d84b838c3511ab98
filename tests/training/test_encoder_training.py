"""An encoder that is trained with the network: it begins as the frozen one, and learns at its own rate."""

import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.tiny import MODELS, configuration, pairs
from vmsbench import experiment
from vmsbench.config.instantiate import build
from vmsbench.data.augmentation import Flip
from vmsbench.data.encoded.features import seen_now
from vmsbench.data.pairs import Dataset, Pairs, signed
from vmsbench.errors import ConfigurationError
from vmsbench.inference.predictor import load
from vmsbench.models.model import Model
from vmsbench.networks.encoder_training import SeeingNetwork
from vmsbench.training.lr_schedules import ConstantLR
from vmsbench.training.trainer import Training


def settings(name: str = "readout", **encoder: Any) -> dict[str, Any]:
    changed = copy.deepcopy(MODELS[name]) | {"augment": MODELS["readout"]["augment"]}
    sight = copy.deepcopy(MODELS["readout"]["model"]["sight"])
    sight["encoder"] |= {"train": True} | encoder
    changed["model"]["sight"] = sight
    changed["model"].pop("target", None)  # a lower resolution and target=sum do not go together
    return configuration(**changed)


def model(name: str = "readout", **encoder: Any) -> Model:
    torch.manual_seed(0)
    made: Model = build(settings(name, **encoder)["model"], channels=2, size=32)
    return made


def seen(model: Model) -> Pairs:
    """Training pairs with what is kept for the model's encoder."""
    of = pairs(8, 32, 1)
    dataset = Dataset(of, of, of, coding="rg", digest="tiny", title="tiny squares")
    return dataset.seen(model.sight.encoder.kept, None, torch.device("cpu"), lambda *_: None, "train")


def prepared(model: Model) -> tuple[Model, Pairs]:
    train = seen(model)
    model.prepare(signed(train.images), signed(train.maps[:, :2]), train.moments(model.encoded))
    return model.eval(), train


def encoder_weights(player: Any) -> list[Tensor]:
    return [weight.detach().clone() for weight in player.encoder.parameters()]


def change(before: list[Tensor], player: Any) -> float:
    return max(
        float((now.detach() - then).abs().max()) for now, then in zip(player.encoder.parameters(), before, strict=True)
    )


def test_before_training_it_predicts_what_the_frozen_encoder_does() -> None:
    frozen, trained = prepared(model(train=False))[0], prepared(model())[0]
    assert isinstance(trained.network, SeeingNetwork)
    trained.network.network.load_state_dict(frozen.network.state_dict())
    pictures = pairs(4, 32, 5).images
    maps = [
        one.sample(signed(pictures), features=seen_now(one.sight.encoder.kept, pictures)) for one in (frozen, trained)
    ]
    torch.testing.assert_close(*maps, atol=0.01, rtol=0.01)  # one keeps features in half precision, one pictures


@pytest.mark.parametrize(("rate", "of_network"), [(1e-3, 0.0), (1e-6, 0.01)])
def test_the_encoder_learns_at_its_own_rate(rate: float, of_network: float) -> None:
    learner, train = prepared(model(lr=rate))
    before, body = encoder_weights(learner.network), copy.deepcopy(learner.network.network.state_dict())  # type: ignore[union-attr,operator]
    optimizers = {"network": partial(torch.optim.SGD, lr=of_network)}
    training = Training(learner, train, 2, optimizers, Flip(), ConstantLR(), epochs=1, batch_size=4)
    groups = training.optimizers["network"].param_groups
    assert [group["lr"] for group in groups] == [of_network, rate]
    training.epoch()
    after = learner.network.network.state_dict()  # type: ignore[union-attr,operator]
    still = all(torch.equal(after[name], value) for name, value in body.items())
    assert still == (of_network == 0)
    assert change(before, learner.network) > 0


@pytest.mark.parametrize("name", ["gan", "wgan"])
def test_in_a_gan_each_player_trains_an_encoder_of_its_own_from_the_given_weights(name: str) -> None:
    learner, train = prepared(model(name))
    first = encoder_weights(model().network)
    players = learner.players()
    assert all(change(first, player) == 0 for player in players.values())
    optimizers = dict.fromkeys(players, partial(torch.optim.SGD, lr=0.01))
    Training(learner, train, 2, optimizers, Flip(), ConstantLR(), epochs=5, batch_size=4).epoch()
    assert change(first, players["discriminator"]) > 0
    if name == "gan":  # a Wasserstein generator waits for its critic
        assert change(first, players["network"]) > 0


def test_a_critic_clips_its_own_weights_and_leaves_those_of_the_encoder_it_trains() -> None:
    config = settings("wgan", lr=1e-12)["model"] | {"clip": 0.01, "penalty": 0.0}
    learner, train = prepared(build(config, channels=2, size=32))
    before = encoder_weights(learner.players()["discriminator"])
    optimizers = dict.fromkeys(learner.players(), partial(torch.optim.SGD, lr=0.0))
    Training(learner, train, 2, optimizers, Flip(), ConstantLR(), epochs=1, batch_size=4).epoch()
    critic = learner.players()["discriminator"]
    assert change(before, critic) < 1e-6
    assert max(float(weight.detach().abs().max()) for weight in critic.network.parameters()) <= 0.01  # type: ignore[union-attr]


def test_a_gradient_penalty_goes_with_an_encoder_whose_batch_norms_keep_their_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They do not tie the images of a batch together, as those of a critic would."""

    def with_norm(self: SeeingNetwork, *given: Any) -> None:
        made(self, *given)
        self.encoder.add_module("norm", torch.nn.BatchNorm2d(3))

    made = SeeingNetwork.__init__
    monkeypatch.setattr(SeeingNetwork, "__init__", with_norm)
    config = settings("wgan")["model"] | {"clip": 0.0, "penalty": 10.0}
    config["discriminator"] |= {"norm": "instance"}
    assert any(isinstance(part, torch.nn.BatchNorm2d) for part in build(config, channels=2, size=32).modules())


def test_a_training_is_kept_continued_and_predicts_with_what_the_encoder_became(tmp_path: Path) -> None:
    config = settings(lr=0.01)
    config["trainer"]["epochs"] = 2
    calls = iter(range(100))

    def later() -> bool:
        return next(calls) >= 5

    with pytest.raises(experiment.TrainingInterrupted):
        experiment.run(config, tmp_path / "broken", should_stop=later)
    again = experiment.run(config, tmp_path / "broken")
    whole = experiment.run(config, tmp_path / "whole")
    assert again["validation_scores"]["l1"] == whole["validation_scores"]["l1"]
    assert "trained further" in whole["info"]["encoder"]
    predictor = load(tmp_path / "whole", "cpu")
    assert change(encoder_weights(model().network), predictor.model.network) > 0
    assert predictor(pairs(2, 32, 5).images).shape == (2, 1, 2, 32, 32)


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"encoder sight\.encoder\.lr=0: above 0; 0\.0001 works"):
        model(lr=0.0)
