"""One training from Python: settings in, scores, history and the trained model out."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vmsbench.config.compose import compose, with_epochs
from vmsbench.config.settings import Config
from vmsbench.data.pairs import Dataset
from vmsbench.data.sources.provenance import Provenance
from vmsbench.errors import ConfigurationError
from vmsbench.experiment import Report, config_hash, ignore, run
from vmsbench.files import with_home
from vmsbench.inference.predictor import TrainedModel, load
from vmsbench.launch.allocation import refuse_login_node
from vmsbench.metrics.baselines import score_baselines
from vmsbench.search.configured import experiment_part
from vmsbench.signals import noted
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.sweep.tune import prepared, warn_of
from vmsbench.training.checks import check
from vmsbench.training.trainer import ShouldStop, TrainingInterrupted

SINGLE = "single"  # the folder of single trainings, in the runs folder


@dataclass(frozen=True)
class TrainingResult:
    """A training, finished or interrupted.

    folder    holds config.json, history.jsonl, checkpoint.pt, results.json
    results   what results.json holds; empty where it was interrupted
    dataset   what it was trained on
    """

    folder: Path
    results: Mapping[str, Any]
    dataset: Dataset = field(repr=False)

    @property
    def finished(self) -> bool:
        """False where it was interrupted; the same call continues it."""
        return bool(self.results)

    @property
    def scores(self) -> Mapping[str, Any]:
        """On the test pairs where it was a final training, else on the tuning validation pairs; empty where it was
        interrupted."""
        return self.results.get("test_scores") or self.results.get("validation_scores", {})

    @property
    def history(self) -> list[dict[str, Any]]:
        """A dictionary for each epoch: losses, scores, seconds."""
        return list(ExperimentFolder(self.folder).history())

    def baselines(self) -> Mapping[str, Mapping[str, Any]]:
        """The scores of the predictors that ignore the image, on the same pairs as `scores`."""
        return score_baselines(self.dataset, "test" if "test_scores" in self.results else "validation")

    def model(self, device: str = "auto") -> TrainedModel:
        """The trained model, ready to predict."""
        return load(self.folder, device)


def training_settings(exp: str, overrides: Iterable[str], epochs: int | None, seed: int | None, final: bool) -> Config:
    """All settings of one training. Raises ConfigurationError for those that do not exist or do not fit."""
    chosen = with_epochs(overrides, epochs)
    chosen += [f"seed={seed}"] if seed is not None else []
    return compose(exp, chosen) | {"test": final}


def train(
    exp: str,
    *overrides: str,
    epochs: int | None = None,
    seed: int | None = None,
    final: bool = False,
    runs: Path | str = "runs",
    on_epoch: Report = ignore,
    should_stop: ShouldStop | None = None,
    quiet: bool = False,
    allow_login_node: bool = False,
) -> TrainingResult:
    """Train one configuration, or continue it; a finished training returns at once.

    exp               unet, gan, diffusion, or another of conf/exp
    overrides         group=option or key=value, as on the command line
    final             score it on the test pairs, once: make no choices after that
    on_epoch          is called with each line of the history
    should_stop       is called between two steps; where it returns True, all is saved (default: an interrupt stops it)
    quiet             print no line for each epoch
    allow_login_node  train on this machine even if it is a login node

    An interrupt (the notebook's stop button, Ctrl-C) lets it save at its next step, and it is returned with `finished`
    False; a second one stops it at once. Raises UserError for settings or data that cannot work, and on a login node.
    """
    settings = training_settings(exp, overrides, epochs, seed, final)
    refuse_login_node(allow_login_node)
    if quiet:
        return run_training(settings, with_home(runs), on_epoch, should_stop)
    show = epoch_lines(settings["trainer"]["epochs"])

    def both(record: dict[str, Any]) -> None:
        show(record)
        on_epoch(record)

    return run_training(settings, with_home(runs), both, should_stop, print_data)


def epoch_lines(epochs: int) -> Report:
    """A callback that prints a line for each epoch."""

    def show(record: dict[str, Any]) -> None:
        scores = record.get("scores") or {}
        validation = f"  validation L1 {scores['l1']:.4f} ([0,1]: {scores['l1_unit']:.4f})" if "l1" in scores else ""
        losses = f"loss {record['train_loss']['loss']:.4f}, validation {record['validation_loss']['loss']:.4f}"
        print(f"{time.strftime('%H:%M:%S')} epoch {record['epoch']}/{epochs}  {losses}{validation}", flush=True)

    return show


def print_data(provenance: Provenance) -> None:
    """Say what data these are."""
    for line in provenance.lines():
        print(line, flush=True)


def warn_of_data(provenance: Provenance) -> None:
    """Say on the log what is odd about the data."""
    warn_of(provenance.warnings)


def run_training(
    settings: Config,
    runs: Path,
    on_epoch: Report = ignore,
    should_stop: ShouldStop | None = None,
    on_data: Callable[[Provenance], None] = warn_of_data,
) -> TrainingResult:
    """`train`, with all settings composed; `on_data` is called once the data are read."""
    if settings["data"].get("folds") is not None:
        raise ConfigurationError("data.folds is for a search: `vmsbench tune` trains on each fold; leave it out here")
    with ExitStack() as stack:
        stops = stack.enter_context(noted()) if should_stop is None else should_stop
        config, dataset = prepared(experiment_part(settings), runs)
        on_data(dataset.provenance)
        warn_of(check(config, dataset.channels, dataset.size, len(dataset.train)))
        folder = runs / SINGLE / f"{config['exp']}-{config_hash(config)}"
        try:
            return TrainingResult(folder, run(config, folder, on_epoch, stops), dataset)
        except TrainingInterrupted:
            return TrainingResult(folder, {}, dataset)
