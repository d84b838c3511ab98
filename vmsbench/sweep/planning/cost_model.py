"""How long a configuration trains and how much disk it takes: from recorded trials, or from a short measurement."""

import math
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from vmsbench.accelerators import synchronize
from vmsbench.config.settings import Config
from vmsbench.experiment import SLIDES, Experiment
from vmsbench.search.searcher import key
from vmsbench.store.documents import read_document
from vmsbench.store.experiment_folder import PICTURE
from vmsbench.store.runs_folder import finished_trials
from vmsbench.training.validation import evaluate, validation_losses
from vmsbench.versions import SCHEMA

LINE = 1_500  # bytes of an epoch in the history, rounded up
SMALL = 8_000  # bytes of configuration, results and log
STEPS = 3  # at least so many steps are timed, after one that is not
MOST_TRIALS = 2_000  # recorded trials


@dataclass(frozen=True)
class TrialCost:
    """Seconds and bytes of a configuration.

    epoch   seconds of an epoch with its validation losses
    check   seconds of an evaluation on the validation pairs
    end     seconds of the final evaluation
    kept    bytes of a finished trial
    """

    epoch: float
    check: float = 0.0
    end: float = 0.0
    kept: float = 0.0

    def seconds(self, epochs: int, every: int) -> float:
        """The seconds of a trial of so many epochs that is validated after `every` epochs and at its end."""
        return epochs * self.epoch + math.ceil(epochs / every) * self.check + self.end


def shape(config: Config) -> str:
    """Equal text for configurations that cost the same per epoch: learning rates, seeds and lengths are left out."""
    trainer = {name: config["trainer"][name] for name in ("batch_size", "micro_batch", "precision")}
    optimizers = {name: spec["_target_"] for name, spec in config["optimizers"].items()}
    data = {name: value for name, value in config["data"].items() if name not in ("root", "cache", "fold")}
    parts = {name: config[name] for name in ("exp", "model", "augment", "evaluation")}
    return key([parts, trainer, optimizers, data])


def recorded(runs: Path, device: str) -> dict[str, TrialCost]:
    """The cost of each shape of trial recorded in a folder of sweeps, on that kind of device.

    Medians over trials, including whatever shared the device at the time.
    """
    found: dict[str, list[TrialCost]] = {}
    for folder in finished_trials(runs)[:MOST_TRIALS]:
        results = read_document(folder.results_file)
        if results.get("schema") == SCHEMA and str(results["device"]).partition(":")[0] == device:
            epoch = results["seconds"] / results["epochs"]
            end = results["seconds_per_image"] * results["samples"] * results["validation_scores"]["n"]
            kept = sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())
            found.setdefault(shape(folder.config()), []).append(TrialCost(epoch, 0.0, end, kept))
    return {
        one: TrialCost(*(median(part) for part in zip(*map(astuple, paces), strict=True)))
        for one, paces in found.items()
    }


def measured(config: Config, folder: Path, seconds: float) -> TrialCost:
    """Time a few steps and the validation of one batch, and add up the sizes of a trial's files; the device must be
    free.

    folder    is written into
    seconds   that the steps may take, beyond the few that they are at least
    """
    experiment = Experiment(config, folder)
    training, evaluation = experiment.training, config["evaluation"]
    order = torch.randperm(len(experiment.train), device=experiment.device)[: training.batch_size]
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) <= STEPS or (time.perf_counter() < until and len(times) < training.steps_per_epoch):
        times.append(timed(experiment, lambda: training.one_step(*training.batch(order), {})))
    count = min(evaluation["images"] or len(experiment.validation), len(experiment.validation))
    batch = evaluation["batch_size"]
    part = experiment.validation.spread(min(batch, count))
    losses = timed(experiment, lambda: validation_losses(experiment.model, part, experiment.dataset.channels, batch))
    shown = part.subset(range(max(1, min(len(part), batch // evaluation["samples"]))))
    begun = time.perf_counter()
    seen = evaluate(experiment.model, shown, evaluation["samples"], batch, quick=True)
    check = (time.perf_counter() - begun) / len(shown)
    experiment.draw(experiment.epochs, shown, seen)
    pictures = (SLIDES + 1) * (folder / PICTURE).stat().st_size
    model = config["model"]
    slower = (
        model["sampling_steps"] / model["preview_steps"] if {"sampling_steps", "preview_steps"} <= set(model) else 1.0
    )
    return TrialCost(
        epoch=median(times[1:]) * training.steps_per_epoch + losses * len(experiment.validation) / len(part),
        check=check * count,
        end=check * slower * len(experiment.validation) * evaluation["final_samples"] / evaluation["samples"],
        kept=size(experiment.model.state_dict()) + pictures + LINE * experiment.epochs + SMALL,
    )


def timed(experiment: Experiment, work: Any) -> float:
    """Seconds until the device has finished."""
    begun = time.perf_counter()
    work()
    synchronize(experiment.device)
    return time.perf_counter() - begun


def size(state: dict[str, torch.Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in state.values())
