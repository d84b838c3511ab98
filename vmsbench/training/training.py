"""The one loop that trains every model: batches by index from pairs on the device, each player's step in turn."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vmsbench.data.pairs import Pairs, signed
from vmsbench.errors import ConfigurationError
from vmsbench.models.model import Losses, Model
from vmsbench.training.average import Average
from vmsbench.training.schedules import RateSchedule

MakesOptimizer = Callable[..., torch.optim.Optimizer]
Augmentation = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Diverged(ArithmeticError):
    """The training loss is no number any more."""


class Training:
    """A model in training, epoch by epoch; `state_dict` holds all that the next epoch depends on.

    optimizers     for each player, what makes its optimiser from its weights, such as `partial(Adam, lr=1e-3)`
    augmentation   changes a batch of images and targets, both in [-1, 1]
    epochs         that the learning-rate schedule is stretched over
    ema            decay of the averaged weights of `model.network`; 0 for none
    clip           largest norm of a player's gradient; 0 for no limit
    precision      float32, or bf16: networks run in bfloat16 where torch's autocast says that it does no harm
    Every random draw comes from torch's default generators. One batch shorter than `batch_size` is left out at the
    end of each epoch (other pictures each time), so that no batch norm sees a batch of one.
    """

    def __init__(
        self,
        model: Model,
        pairs: Pairs,
        channels: int,
        optimizers: Mapping[str, MakesOptimizer],
        augmentation: Augmentation,
        schedule: RateSchedule,
        epochs: int,
        batch_size: int,
        ema: float = 0.0,
        clip: float = 0.0,
        precision: str = "float32",
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
        self.model, self.pairs, self.channels = model, pairs, channels
        self.augmentation, self.schedule = augmentation, schedule
        self.batch_size, self.clip = batch_size, clip
        self.device, self.half = pairs.images.device, precision == "bf16"
        self.weights = {name: list(player.parameters()) for name, player in players.items()}
        self.optimizers = {name: optimizers[name](self.weights[name]) for name in players}
        self.rates = {name: [group["lr"] for group in o.param_groups] for name, o in self.optimizers.items()}
        self.average = Average(model.network, ema)
        self.steps_per_epoch = len(pairs) // batch_size
        self.steps = epochs * self.steps_per_epoch
        self.step = 0

    @property
    def images_seen(self) -> int:
        return self.step * self.batch_size

    def epoch(self) -> dict[str, float]:
        """Go once through the training pairs in a new order; returns the mean of each `player/term` and their `loss`.

        Raises Diverged where the loss is not finite. The device is waited for once, at the end.
        """
        self.model.train()
        order = torch.randperm(len(self.pairs), device=self.device)
        seen: dict[str, list[Tensor]] = {}
        for index in range(self.steps_per_epoch):
            chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
            self.one_step(*self.batch(chosen), seen)
        means = {name: float(torch.stack(values).mean()) for name, values in seen.items()}
        means["loss"] = sum(means.values())
        if not math.isfinite(means["loss"]):
            raise Diverged(f"diverged: the training loss is {means['loss']} at step {self.step}; a lower lr may help")
        return means

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        image = signed(self.pairs.images[chosen])
        target = signed(self.pairs.maps[chosen, : self.channels])
        return self.augmentation(image, target)

    def one_step(self, image: Tensor, target: Tensor, seen: dict[str, list[Tensor]]) -> None:
        factor = self.schedule.factor(self.step / self.steps)
        for player, terms in self.turns(image, target):
            optimizer, weights = self.optimizers[player], self.weights[player]
            for group, rate in zip(optimizer.param_groups, self.rates[player], strict=True):
                group["lr"] = rate * factor
            optimizer.zero_grad(set_to_none=True)
            torch.stack(list(terms.values())).sum().backward(inputs=weights)
            if self.clip:
                nn.utils.clip_grad_norm_(weights, self.clip)
            optimizer.step()
            for term, value in terms.items():
                seen.setdefault(f"{player}/{term}", []).append(value.detach())
        self.step += 1
        self.average.update()

    def turns(self, image: Tensor, target: Tensor) -> Losses:
        """The model's losses, each computed in the chosen precision; what is done with them is not."""
        turns = self.model.losses(image, target)
        while True:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                turn = next(turns, None)
            if turn is None:
                return
            yield turn

    def state_dict(self) -> dict[str, Any]:
        """Everything but the data: weights, optimisers, average, step, and the state of every random stream."""
        return {
            "model": self.model.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "average": self.average.state_dict(),
            "step": self.step,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.average.load_state_dict(state["average"])
        self.step = state["step"]
        torch.set_rng_state(state["random"].cpu())
        if state["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([stream.cpu() for stream in state["random_cuda"]])
