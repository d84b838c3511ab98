"""The one loop: a step of it is, to float precision, what the papers' algorithms written out by hand do."""

import copy
import pickle
import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.support.tiny import pairs
from vmsbench.data.augmentation import Compose
from vmsbench.data.encoded.features import Features
from vmsbench.models.diffusion import Diffusion
from vmsbench.models.model import Model
from vmsbench.models.noise_schedules import CosineSchedule
from vmsbench.models.pix2pix import Pix2Pix
from vmsbench.models.regression import Regression
from vmsbench.models.wasserstein import Wasserstein
from vmsbench.networks.patch_discriminator import PatchDiscriminator
from vmsbench.networks.unet import UNet
from vmsbench.training.lr_schedules import ConstantLR
from vmsbench.training.out_of_memory import OutOfMemory, fitting
from vmsbench.training.trainer import Diverged, Training, random_state, set_random_state
from vmsbench.training.validation import preflight

RATE = 0.05
GENERATOR = partial(UNet, width=4, norm="instance")
JUDGE = partial(PatchDiscriminator, width=4, norm="instance")


def one_step_of_the_loop(model: Model, image: Tensor, target: Tensor) -> None:
    optimizers = dict.fromkeys(model.players(), partial(torch.optim.SGD, lr=RATE))
    training = Training(model, pairs(8, 32, 1), 2, optimizers, Compose([]), ConstantLR(), epochs=1, batch_size=4)
    torch.manual_seed(7)
    training.one_step(image, target, Features(), {})


def descend(player: nn.Module, loss: Tensor) -> None:
    """Gradient descent by hand."""
    weights = list(player.parameters())
    with torch.no_grad():
        for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight -= RATE * slope


def lsgan(model: Any, image: Tensor, real: Tensor) -> None:
    generator, judge = model.network, model.discriminator
    fake = torch.tanh(generator(image))
    wrong = (judge(torch.cat([image, fake.detach()], 1)) ** 2).mean()
    right = ((judge(torch.cat([image, real], 1)) - 1) ** 2).mean()
    descend(judge, (wrong + right) / 2)
    adversarial = ((judge(torch.cat([image, fake], 1)) - 1) ** 2).mean()
    descend(generator, adversarial + 100 * (fake - real).abs().mean())


def wgan_gp(model: Any, image: Tensor, real: Tensor) -> None:
    generator, critic = model.network, model.discriminator

    def value(candidate: Tensor) -> Tensor:
        return critic(torch.cat([image, candidate], 1)).mean(dim=(1, 2, 3))

    fake = torch.tanh(generator(image))
    between = torch.rand(len(image), 1, 1, 1)
    between = (between * real + (1 - between) * fake.detach()).requires_grad_()
    slope = torch.autograd.grad(value(between).sum(), between, create_graph=True)[0]
    penalty = ((slope.pow(2).sum(dim=(1, 2, 3)).sqrt() - 1) ** 2).mean()
    descend(critic, value(fake.detach()).mean() - value(real).mean() + 10 * penalty)
    descend(generator, -value(fake).mean() + 100 * (fake - real).abs().mean())


def denoising(model: Any, image: Tensor, target: Tensor) -> None:
    clean = (target - model.mean) / model.deviation
    t = 1 + torch.randint(1000, (len(image),))
    alpha_bar = torch.cos(t / 1000 * torch.pi / 2)[:, None, None, None] ** 2
    noise = torch.randn_like(clean)
    noisy = alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise
    velocity = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * clean
    guess = model.network(torch.cat([image, noisy], 1), t / 1000)
    descend(model.network, functional.mse_loss(guess, velocity))


@pytest.mark.parametrize(
    ("make", "by_hand"),
    [
        (partial(Pix2Pix, GENERATOR, JUDGE), lsgan),
        (partial(Wasserstein, GENERATOR, JUDGE, critic_steps=1), wgan_gp),
        (partial(Diffusion, GENERATOR, noise_schedule=CosineSchedule()), denoising),
    ],
    ids=["lsgan", "wgan-gp", "diffusion"],
)
def test_a_step_of_the_loop_is_the_algorithm_written_by_hand(make: Any, by_hand: Any) -> None:
    torch.manual_seed(0)
    model = make(channels=2, size=32)
    image, target = torch.rand(4, 3, 32, 32) * 2 - 1, torch.rand(4, 2, 32, 32) * 2 - 1
    model.prepare(image, target)
    other, before = copy.deepcopy(model), copy.deepcopy(model.state_dict())
    one_step_of_the_loop(model, image, target)
    torch.manual_seed(7)
    by_hand(other, image, target)
    for name, weight in other.named_parameters():
        torch.testing.assert_close(model.state_dict()[name], weight, atol=2e-6, rtol=2e-5)
    assert any(not torch.equal(before[name], weight) for name, weight in other.named_parameters())


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. OptionResult to allocate 2 GiB"), "GPU"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "host"),
        (MemoryError(), "host"),
    ],
)
def test_a_batch_that_does_not_fit_is_told_with_the_setting_that_helps(error: Exception, where: str) -> None:
    class Greedy(UNet):
        def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
            if len(image) > 2:
                raise error
            return super().forward(image, time)

    def training(micro_batch: int | None) -> Training:
        model = Regression(partial(Greedy, width=4), channels=2, size=32)
        optimizers = {"network": partial(torch.optim.SGD, lr=RATE)}
        data = pairs(8, 32, 1)
        return Training(model, data, 2, optimizers, Compose([]), ConstantLR(), 1, batch_size=4, micro_batch=micro_batch)

    with pytest.raises(
        OutOfMemory, match=rf"out of memory \({where}\): training on 4 pairs .* trainer.micro_batch=2"
    ) as met:
        training(None).epoch()
    assert pickle.loads(pickle.dumps(met.value)).where == where
    assert training(2).epoch()["loss"] > 0
    model = training(None).model
    with pytest.raises(OutOfMemory, match=r"evaluating 6 pairs at once does not fit; evaluation.batch_size=3 may fit"):
        preflight(model, pairs(8, 32, 1), 6)
    preflight(model, pairs(8, 32, 1), 2)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"), fitting("it", "less"):
        raise RuntimeError("shapes do not match")


def test_weights_that_are_no_numbers_are_a_divergence_that_names_what_helps() -> None:
    model = Pix2Pix(GENERATOR, JUDGE, channels=2, size=32)
    optimizers = dict.fromkeys(model.players(), partial(torch.optim.SGD, lr=1e30))
    training = Training(model, pairs(8, 32, 1), 2, optimizers, Compose([]), ConstantLR(), epochs=1, batch_size=8)
    with pytest.raises(Diverged, match="a lower lr may help"):
        training.epoch()


class Accelerator:
    """A kind of GPU with one random generator, as torch.cuda and torch.xpu are seen by a checkpoint."""

    __name__ = "torch.xpu"

    def __init__(self) -> None:
        self.stream = torch.tensor([1, 2, 3], dtype=torch.uint8)

    def is_available(self) -> bool:
        return True

    def get_rng_state_all(self) -> list[Tensor]:
        return [self.stream.clone()]

    def set_rng_state_all(self, streams: list[Tensor]) -> None:
        (self.stream,) = streams


class AppleGPU:
    """Apple's GPU, whose generator torch.mps gives without a list."""

    def __init__(self) -> None:
        self.stream = torch.tensor([1, 2, 3], dtype=torch.uint8)

    def get_rng_state(self) -> Tensor:
        return self.stream.clone()

    def set_rng_state(self, stream: Tensor) -> None:
        self.stream = stream


def test_a_checkpoint_holds_the_state_of_apples_generator_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = AppleGPU()
    monkeypatch.setattr("torch.mps", gpu)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    torch.save(random_state(), tmp_path / "state.pt")
    gpu.stream = gpu.stream + 1
    set_random_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert gpu.stream.tolist() == [1, 2, 3]
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert "random_mps" not in random_state()
    gpu.stream = gpu.stream + 1
    set_random_state(torch.load(tmp_path / "state.pt", weights_only=True))  # continued on another machine
    assert gpu.stream.tolist() == [2, 3, 4]


def test_a_checkpoint_holds_the_state_of_every_random_generator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Accelerator()
    monkeypatch.setattr("torch.xpu", gpu, raising=False)

    def drawn() -> tuple[Any, ...]:
        gpu.stream = gpu.stream + 1
        return torch.rand(1).item(), np.random.rand(), np.random.randn(), random.random(), gpu.stream.tolist()

    drawn()  # the Gaussian that NumPy keeps for the next draw is part of the state
    torch.save(random_state(), tmp_path / "state.pt")
    expected = drawn()
    assert drawn() != expected
    set_random_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert drawn() == expected
