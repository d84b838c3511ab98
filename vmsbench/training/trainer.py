"""The one loop that trains every model: batches by index from pairs on the device, each player's step in turn."""

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vmsbench.accelerators import backends, kind_of
from vmsbench.data.augmentation import Augmentation
from vmsbench.data.encoded.features import Features
from vmsbench.data.encoded.viewing import Viewing
from vmsbench.data.pairs import Pairs, signed
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.models.model import Losses, Model
from vmsbench.networks.encoder_training import SeeingNetwork
from vmsbench.training.ema import EMA
from vmsbench.training.lr_schedules import LRSchedule
from vmsbench.training.out_of_memory import fitting

MakesOptimizer = Callable[..., torch.optim.Optimizer]

ShouldStop = Callable[[], bool]
"""Whether to save and stop here."""


def never() -> bool:
    return False


class TrainingInterrupted(BaseException):
    """The training stopped between two steps because it was asked to; its state can be saved and continued."""


class Diverged(UserError, ArithmeticError):
    """The training loss, or the network's output, is NaN or infinite."""


class Training:
    """A model in training, epoch by epoch; `state_dict` holds all that the next epoch depends on.

    optimizers     for each player, a function that makes its optimiser from its weights, such as
                   `partial(Adam, lr=1e-3)`
    augmentation   changes a batch of images and targets, both in [-1, 1]; with an encoder, it chooses among the views
                   whose features are kept
    epochs         that the learning-rate schedule is stretched over
    ema            decay of the averaged weights of `model.network`; 0 for none
    clip           largest norm of a player's gradient; 0 for no limit
    micro_batch    how many images go through the networks at once; the gradients are added up to those of the batch
    precision      float32, or bf16: networks run under torch's autocast to bfloat16
    Every random draw comes from torch's default generators. One batch shorter than `batch_size` is dropped at the end
    of each epoch (different images each time), so that no batch norm sees a batch of one.
    """

    def __init__(
        self,
        model: Model,
        pairs: Pairs,
        channels: int,
        optimizers: Mapping[str, MakesOptimizer],
        augmentation: Augmentation,
        lr_schedule: LRSchedule,
        epochs: int,
        batch_size: int,
        ema: float = 0.0,
        clip: float = 0.0,
        precision: str = "float32",
        micro_batch: int | None = None,
    ) -> None:
        players = model.players()
        if set(optimizers) != set(players):
            raise ConfigurationError(
                f"optimizers are given for {', '.join(sorted(optimizers))}, but {type(model).__name__} trains "
                f"{', '.join(sorted(players))}"
            )
        if not 1 <= batch_size <= len(pairs):
            raise ConfigurationError(
                f"trainer.batch_size={batch_size} must lie between 1 and the {len(pairs)} training pairs"
            )
        if micro_batch is not None and micro_batch < 1:
            raise ConfigurationError(f"trainer.micro_batch={micro_batch}: at least 1")
        self.micro_batch = micro_batch or batch_size
        self.model, self.pairs, self.channels = model, pairs, channels
        self.augmentation, self.lr_schedule = augmentation, lr_schedule
        self.viewing = Viewing.of(augmentation) if pairs.views else None
        self.batch_size, self.clip = batch_size, clip
        self.device, self.half = pairs.images.device, precision == "bf16"
        self.weights = {name: list(player.parameters()) for name, player in players.items()}
        self.optimizers = {name: optimizers[name](groups_of(player)) for name, player in players.items()}
        self.rates = {name: [group["lr"] for group in o.param_groups] for name, o in self.optimizers.items()}
        self.average = EMA(model.network, ema)
        self.steps_per_epoch = len(pairs) // batch_size
        self.steps = epochs * self.steps_per_epoch
        self.step = 0
        self.part: dict[str, Any] = {}
        """Of an interrupted epoch: the order of its pairs, and the losses of the steps so far."""

    @property
    def images_seen(self) -> int:
        return self.step * self.batch_size

    def epoch(self, should_stop: ShouldStop = never) -> dict[str, float]:
        """Train one epoch, on the training pairs in a new order; returns the mean of each `player/term` and their
        `loss`.

        `should_stop` is called before each step. Where it returns True, TrainingInterrupted is raised; the next call
        continues at that step. Raises Diverged where the loss or a weight is not finite, OutOfMemory where the batch
        does not fit: as all are of one size, at the first step. The device is synchronised once, at the end.
        """
        size = self.micro_batch
        halved = f"trainer.micro_batch={max(1, size // 2)} trains the same in smaller parts"
        with fitting(f"training on {size} pairs at once", f"{halved}, a lower model.network.width with less"):
            return self.through_all(should_stop)

    def through_all(self, should_stop: ShouldStop) -> dict[str, float]:
        self.model.train()
        part, self.part = self.part, {}
        order = part["order"] if part else torch.randperm(len(self.pairs), device=self.device)
        seen: dict[str, list[Tensor]] = {name: list(values) for name, values in part.get("seen", {}).items()}
        for index in range(self.step % self.steps_per_epoch, self.steps_per_epoch):
            if should_stop():
                self.part = {"order": order, "seen": {name: torch.stack(values) for name, values in seen.items()}}
                raise TrainingInterrupted
            chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
            self.one_step(*self.batch(chosen), seen)
        means = {name: float(torch.stack(values).mean()) for name, values in seen.items()}
        means["loss"] = sum(means.values())
        if not math.isfinite(means["loss"]):
            raise Diverged(f"diverged: the training loss is {means['loss']} at step {self.step}; a lower lr may help")
        if not all(bool(weight.isfinite().all()) for weight in chain(*self.weights.values())):
            raise Diverged(f"diverged: weights are NaN or infinite at step {self.step}; a lower lr may help")
        return means

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor, Features]:
        """Images and targets, augmented, and what the encoder saw in them, where there is one."""
        image = signed(self.pairs.images[chosen])
        target = signed(self.pairs.maps[chosen, : self.channels])
        if self.viewing and self.pairs.views:
            return self.viewing(image, target, self.pairs.views, chosen)
        return *self.augmentation(image, target), Features()

    def one_step(self, image: Tensor, target: Tensor, features: Features, seen: dict[str, list[Tensor]]) -> None:
        factor = self.lr_schedule.factor(self.step / self.steps)
        for player, terms in self.gradients(image, target, features):
            optimizer, weights = self.optimizers[player], self.weights[player]
            for group, rate in zip(optimizer.param_groups, self.rates[player], strict=True):
                group["lr"] = rate * factor
            if self.clip:
                nn.utils.clip_grad_norm_(weights, self.clip)
            optimizer.step()
            for term, value in terms.items():
                seen.setdefault(f"{player}/{term}", []).append(value)
        self.model.on_step_end()
        self.step += 1
        self.average.update()

    def gradients(self, image: Tensor, target: Tensor, features: Features) -> Losses:
        """Each player's turn, with its gradients in place and the values of its terms.

        With micro-batches each part computes a player's turn again, with the same random draws, so that the
        activations of one part alone are held; what earlier turns yield is skipped. Batch norms see the parts.
        """
        if len(image) <= self.micro_batch:
            for player, terms in self.player_losses(image, target, features):
                yield player, self.backward(player, terms, share=1.0, first=True)
            return
        size = self.micro_batch
        parts = list(zip(image.split(size), target.split(size), features.split(size, len(image)), strict=True))
        before = random_state()
        for turn in itertools.count():
            set_random_state(before)
            means: dict[str, Tensor] = {}
            for part in parts:
                reached = next(itertools.islice(self.player_losses(*part), turn, None), None)
                if reached is None:
                    return
                player, terms = reached
                values = self.backward(player, terms, len(part[0]) / len(image), first=not means)
                means = {term: means.get(term, 0) + value for term, value in values.items()}
            yield player, means

    def backward(self, player: str, terms: dict[str, Tensor], share: float, first: bool) -> dict[str, Tensor]:
        """Put the gradients of a share of the batch in place, or add them; returns the share's part of each term."""
        if first:
            self.optimizers[player].zero_grad(set_to_none=True)
        shares = {term: value * share if share < 1 else value for term, value in terms.items()}
        torch.stack(list(shares.values())).sum().backward(inputs=self.weights[player])
        return {term: value.detach() for term, value in shares.items()}

    def player_losses(self, image: Tensor, target: Tensor, features: Features = Features()) -> Losses:
        """The model's losses, computed in the chosen precision; the backward pass lies outside."""
        turns = self.model.losses(image, target, features)
        while True:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                turn = next(turns, None)
            if turn is None:
                return
            yield turn

    def state_dict(self) -> dict[str, Any]:
        """Everything but the data: weights, optimisers, average, step, the state of an interrupted epoch, and of every
        random generator."""
        return {
            "model": self.model.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "average": self.average.state_dict(),
            "step": self.step,
            "part": self.part,
            **random_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.average.load_state_dict(state["average"])
        self.step, self.part = state["step"], state["part"]
        set_random_state(state)


def groups_of(player: nn.Module) -> list[Any]:
    """What an optimiser is made of: weights, or groups of them that differ in their learning rate."""
    return player.parameter_groups() if isinstance(player, SeeingNetwork) else list(player.parameters())


def random_state() -> dict[str, Any]:
    """The state of every random generator: torch's on the CPU and on each GPU (Apple's `mps` has one), NumPy's,
    Python's."""
    numpy_state: dict[str, Any] = np.random.get_state(legacy=False)  # type: ignore[assignment]
    inner = {name: value.tolist() if name == "key" else value for name, value in numpy_state["state"].items()}
    return {
        "random": torch.get_rng_state(),
        **{f"random_{kind_of(backend)}": backend.get_rng_state_all() for backend in backends()},
        **({"random_mps": torch.mps.get_rng_state()} if torch.backends.mps.is_available() else {}),
        "random_numpy": {**numpy_state, "state": inner},
        "random_python": random.getstate(),
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Continue from `random_state`; a generator of a kind of GPU that was not there continues as it is."""
    torch.set_rng_state(state["random"].cpu())
    for backend in backends():
        if streams := state.get(f"random_{kind_of(backend)}"):
            backend.set_rng_state_all([stream.cpu() for stream in streams])
    if "random_mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["random_mps"].cpu())
    if "random_numpy" in state:
        inner = state["random_numpy"]["state"]
        np.random.set_state({**state["random_numpy"], "state": {**inner, "key": np.array(inner["key"], np.uint32)}})
        random.setstate(state["random_python"])


def snapshot(model: Model) -> dict[str, Tensor]:
    """A copy of all weights, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def summary(diagnostics: Iterable[Sequence[str]]) -> list[str]:
    """Each warning of the epochs once, with its epochs: 'the model has collapsed: ... (epochs 3 to 9, 4 times)'."""
    epochs: dict[str, list[int]] = {}
    for epoch, met in enumerate(diagnostics, start=1):
        for trouble in met:
            epochs.setdefault(trouble, []).append(epoch)
    return [f"{trouble} (epochs {seen[0]} to {seen[-1]}, {len(seen)} times)" for trouble, seen in epochs.items()]
