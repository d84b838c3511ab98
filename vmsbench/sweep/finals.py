"""Finals: the best configurations of a sweep trained again from fresh seeds, each scored once on the test set.

They learn from the training pairs alone; where patience or keep=best is set, the tuning validation pairs say when a
training ends and which epoch is kept, as in the search. Training on both would leave no pairs for early stopping, and
the number of epochs was found for fewer images. No single seed decides: the configuration that stands for its family
is chosen by the mean tuning score over the fresh seeds, and the test scores report it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch

from vmsbench.config.settings import Config, with_settings
from vmsbench.config.weight_files import moved_files
from vmsbench.data.cache import expand
from vmsbench.data.pairs import Dataset
from vmsbench.experiment import config_hash, rescore
from vmsbench.metrics.catalog import sign
from vmsbench.metrics.distances.encoder_features import find_encoder
from vmsbench.metrics.distances.frechet import distances
from vmsbench.metrics.distances.inception import NoWeights, find_weights
from vmsbench.search.configured import unfolded
from vmsbench.search.pruners import Curve
from vmsbench.search.searcher import OF_A_RUN, Params, key, without_run
from vmsbench.search.space import Space
from vmsbench.store.experiment_folder import PREDICTIONS, ExperimentFolder
from vmsbench.store.journal import Journal
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.budget import Budget
from vmsbench.sweep.failures import STORAGE, Failure
from vmsbench.sweep.requests import Steering
from vmsbench.sweep.retries import Retries
from vmsbench.sweep.sweep import outcome_of
from vmsbench.sweep.trial import Callback, Trial, TrialSource
from vmsbench.training.checks import chosen_device

FINAL_SEED = 1000


@dataclass(frozen=True)
class Finalist:
    """One of the best configurations of a search: its trial, and its rank by tuning score, 1 the best."""

    trial: str
    rank: int
    config: Config


def finalists(folder: Path, space: Space, top: int) -> list[Finalist]:
    """The winner of the sweep in `folder`, then its other complete choices by tuning score; `top` of them at most.

    The score of a choice that has several runs is the mean over these seeds and folds, where all of them are complete;
    seeds that were run for idle slots play no part. Of folds the configurations have none.
    """
    choices: dict[str, dict[str, Any]] = {}
    scores: dict[str, float | None] = {}
    winner, extra = "", set()
    for event in Journal(folder).events():
        if event["event"] in ("started", "winner"):
            choices[event["trial"]] = event["params"]
        if event.get("extra") and "seed" in event["params"]:
            extra.add(event["trial"])
        if event["event"] == "finished":
            scores[event["trial"]] = event["score"] if event["state"] == "complete" else None
        elif event["event"] == "winner":
            winner = event["trial"]
    runs: dict[str, dict[str, float | None]] = {}
    for trial in (started for started in choices if started in scores and started not in extra):
        runs.setdefault(key(without_run(choices[trial])), {})[trial] = scores[trial]
    means = {}
    for repeats in runs.values():
        values = [score for score in repeats.values() if score is not None]
        if len(values) == len(repeats):
            means[min(repeats, key=lambda trial: (trial != winner, is_further_run(choices[trial])))] = fmean(values)
    best = sorted(means, key=lambda trial: (trial != winner, sign(space.base["metric"]) * means[trial]))[:top]
    return [Finalist(t, rank, unfolded(space.config(without_run(choices[t])))) for rank, t in enumerate(best, start=1)]


def is_further_run(params: Params) -> bool:
    return any(name in params for name in OF_A_RUN)


def measure_later(folder: Path, config: Config, dataset: Dataset) -> None:
    """Compute the Frechet distances of finals that were made without Inception weights, once these are there; without
    them those in an encoder's features, once its package is there."""
    weights = find_weights(config["fid"]["weights"])
    if isinstance(weights, NoWeights) and isinstance(find_encoder(), str):
        return
    for final in SweepFolder(folder).finished_finals():
        results = final.results()
        known = results["fid"].get("encoder") if isinstance(weights, NoWeights) else results["fid"]
        if not known or known["weights"] is None:
            with np.load(final.path / PREDICTIONS) as kept:
                maps = torch.from_numpy(kept["predictions"])
            device, cache = chosen_device(config["device"]), expand(config["data"]["cache"])
            reads = final.count_test_read(dataset.digest)
            found = distances(dataset.test.maps, maps, dataset.train.maps, weights, device, cache=cache)
            final.write_results(results | {"fid": found, "test_reads": reads})


def rescore_finals(folder: Path, config: Config) -> Iterator[Path]:
    """Score every finished final of a sweep again from its weights; yields the folder of each before it begins.

    config  where the data, the cache, the Inception weights and the device are now
    """
    here = {"data.root": config["data"]["root"], "data.cache": config["data"]["cache"]}
    here |= {"fid": config["fid"], "device": config["device"]}
    for final in SweepFolder(folder).finished_finals():
        yield final.path
        rescore(final.path, here | moved_files(final.config(), config))


class Finals(TrialSource):
    """Each finalist with the seeds from FINAL_SEED on; finished ones are kept, only the rest is run."""

    def __init__(
        self, folder: Path, finalists: list[Finalist], seeds: int, watcher: Callback, budget: Budget = Budget()
    ) -> None:
        self.folder, self.watcher, self.budget = folder, watcher, budget
        self.journal = Journal(folder)
        self.retries, self.steering = Retries(self.journal), Steering(self.journal)
        done = {event["trial"] for event in self.journal.events() if event["event"] == "final"}
        self.of: dict[str, Finalist] = {}
        self.trials = [self.trial(one, FINAL_SEED + seed) for seed in range(seeds) for one in finalists]
        self.open = [trial for trial in self.trials if trial.id not in done]
        self.waiting = {trial.id for trial in self.open}
        self.causes: list[str] = []
        self.storage: str | None = None

    def trial(self, finalist: Finalist, seed: int) -> Trial:
        config = with_settings(finalist.config, {"seed": seed, "test": True})
        name = config_hash(config)
        self.of[name] = finalist
        return Trial(
            name, SweepFolder(self.folder).final(name).path, config, {"rank": finalist.rank, "seed": seed}, None
        )

    def ask(self) -> Trial | None:
        if not self.open or self.halted:
            return None
        trial = self.open.pop(0)
        self.journal.write("final_started", trial=trial.id)
        self.budget.begin(trial.id)
        self.watcher.on_trial_start(trial)
        return self.retries.fitted(trial)

    def note_slots(self, count: int) -> None:
        self.journal.write("slots", slots=count)

    def tell(self, trial: Trial, stopped: str | None, failed: Failure | None) -> None:
        self.budget.end(trial.id)
        if failed is not None and self.retries.again(trial, failed):
            self.watcher.on_trial_retry(trial, failed)
            self.open.append(trial)
            return
        if failed is not None and failed.kind == STORAGE:  # it continues at the next start
            self.storage = failed.cause
            return
        outcome = outcome_of(trial, trial.config["metric"], stopped, failed)
        finalist = self.of[trial.id]
        if outcome.state == "complete":
            results = ExperimentFolder(trial.folder).results()
            event = {"trial": trial.id, "seed": trial.config["seed"], "of": finalist.trial, "rank": finalist.rank}
            self.journal.write(
                "final",
                **event,
                **{name: results[name] for name in ("test_reads", "seconds")},
                scores=results["test_scores"],
            )
        else:
            self.causes.append(f"rank {finalist.rank}, seed {trial.config['seed']}: {outcome.cause}")
        self.waiting.discard(trial.id)
        self.watcher.on_trial_end(trial, outcome)

    @property
    def halted(self) -> str | None:
        paused = self.steering.halted
        self.budget.grow(self.steering.budgets)
        return self.storage or paused or self.budget.used_up

    @property
    def finished(self) -> bool:
        return not self.waiting

    @property
    def max_trials(self) -> int:
        return max(1, len(self.trials))

    def reference(self, trial: Trial) -> Curve:
        return {}

    def past(self) -> dict[str, Curve]:
        return {}
