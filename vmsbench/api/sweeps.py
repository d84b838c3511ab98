"""Sweeps from Python: tune, resume, final."""

import contextlib
import math
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.api.models import best_of_sweep
from vmsbench.api.training import command_line, runs_option
from vmsbench.config.compose import compose, with_epochs
from vmsbench.config.instantiate import build
from vmsbench.config.settings import Config
from vmsbench.errors import ConfigurationError
from vmsbench.inference.predictor import TrainedModel
from vmsbench.inference.predictor import load as load_folder
from vmsbench.launch.elastic.demand import demand_of
from vmsbench.launch.local import LocalLauncher
from vmsbench.launch.ownership import owning
from vmsbench.metrics.references import served
from vmsbench.search.pruners import Pruner
from vmsbench.signals import stoppable
from vmsbench.store.reader import read_sweep
from vmsbench.store.records import SweepRecord
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.store.sweeps import check_name, sweep_named
from vmsbench.sweep.ablation import ablation
from vmsbench.sweep.origin.numeric_code import check_code
from vmsbench.sweep.progress_lines import Lines, Quiet
from vmsbench.sweep.status import Status, status
from vmsbench.sweep.trial import Callback, Callbacks, TrialSource
from vmsbench.sweep.tune import Driver
from vmsbench.sweep.tune import final as train_finals
from vmsbench.sweep.tune import rescore as score_again
from vmsbench.sweep.tune import tune as search

LIMITS = ("budget", "hours_per_trial", "max_trials", "finals")
PLACES = ("device", "fid", "launcher", "slots", "tracker")

Go = Callable[[Callback, Driver, Mapping[str, float]], None]
"""What `run_sweep` runs, given a callback, a driver and the slots."""


@dataclass(frozen=True)
class SweepResult:
    """A sweep, read from its folder.

    finished   False where it was interrupted; the same call, or `vmsbench.resume`, continues it
    command    the command that continues it
    """

    folder: Path
    finished: bool
    command: str

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def record(self) -> SweepRecord:
        """Everything in the folder, typed."""
        return read_sweep(self.folder)

    @property
    def best(self) -> dict[str, Any]:
        """The winner: its trial, its parameters and its tuning score; empty while there is none."""
        winner = self.record.winner
        return {"trial": winner["trial"], "params": winner["params"], "score": winner["score"]} if winner else {}

    @property
    def finals(self) -> list[dict[str, Any]]:
        """The finals: the best configurations trained from fresh seeds, with their scores on the test pairs."""
        now = {final.id: dict(final.scores) for final in self.record.finals}
        events = [dict(event) for event in self.record.events if event["event"] == "final"]
        return [event | {"scores": now.get(event["trial"]) or event["scores"]} for event in events]

    @property
    def baselines(self) -> Mapping[str, Mapping[str, Any]]:
        """The test scores of the predictors that ignore the image."""
        return self.record.baselines["test"]

    @property
    def trials(self) -> Any:
        """A row for each trial (its id, state, score, epoch, seconds and parameters): a data frame where pandas is
        installed, else a list of dictionaries."""
        rows = [
            {"trial": one.id, "state": one.state, "score": one.score, "epoch": one.epoch, "seconds": one.seconds}
            | dict(one.params)
            for one in self.record.trials
        ]
        try:
            import pandas
        except ImportError:
            return rows
        return pandas.DataFrame(rows)

    def status(self) -> Status:
        """The sweep's status now."""
        return status(self.folder)

    def model(self, device: str = "auto") -> TrainedModel:
        """The best final, ready to predict."""
        return load_folder(best_of_sweep(self.folder), device)

    def summary(self) -> dict[str, Any]:
        """The results as a dictionary, for other programs."""
        head = {"name": self.name, "command": self.command}
        if not self.finished:
            return head | {"state": "interrupted"}
        metric = self.record.metric
        found = {"metric": metric, "winner": self.best, "finals": self.finals, "baselines": self.baselines}
        return head | {"state": "finished"} | found


def tune(
    exp: str,
    *overrides: str,
    name: str | None = None,
    epochs: int | None = None,
    runs: Path | str = "runs",
    cpus: int | None = None,
    gpus: int | None = None,
    callbacks: Iterable[Callback] = (),
    retry: bool = False,
    accept_code: bool = False,
    quiet: bool = False,
) -> SweepResult:
    """Search for the best configuration, train it again from fresh seeds, and score these on the test pairs.

    exp         unet, gan, diffusion, or another of conf/exp
    overrides   group=option or key=value, as on the command line
    name        of the sweep (default: `exp`); a sweep of that name is continued
    cpus, gpus  to use (default: all)
    callbacks   called with every trial's events (vmsbench.sweep.trial.Callback)
    retry       run failed trials again
    accept_code continue a sweep that was started with other numeric code, which its journal and report say
    quiet       print no line for each trial

    An interrupt (the notebook's stop button, Ctrl-C) lets the trials save, and returns with `finished` False.
    Raises UserError for settings or data that cannot work, and for a launcher that submits jobs.
    """
    name = exp if name is None else name
    check_name(name)
    settings = compose(exp, with_epochs(overrides, epochs))
    command = command_line("tune", exp, overrides, runs, name=name, epochs=epochs)
    check_runs_here(settings, command)
    folder = Path(runs) / name
    callback = showing(name, quiet, callbacks)
    options: dict[str, Any] = {"retry": retry, "accept_code": accept_code, "cpus": cpus, "gpus": gpus}
    return run_search(settings, folder, command, callback, **options)


def ablate(
    group: str,
    exp: str,
    *overrides: str,
    seeds: int = 3,
    name: str | None = None,
    epochs: int | None = None,
    runs: Path | str = "runs",
    cpus: int | None = None,
    gpus: int | None = None,
    callbacks: Iterable[Callback] = (),
    retry: bool = False,
    accept_code: bool = False,
    quiet: bool = False,
) -> SweepResult:
    """Compare the options of one group (augment, target, network, ...), each trained from `seeds` seeds.

    name      of the sweep (default: EXP-ablate-GROUP)
    The rest is as of `tune`. Scores are of the tuning validation pairs; the report plots them.

    Raises ConfigurationError for a group that cannot be ablated, and for a launcher that submits jobs.
    """
    named = ablation_name(exp, group) if name is None else name
    check_name(named)
    settings = ablation(exp, group, seeds, with_epochs(overrides, epochs))
    words = ["vmsbench", "ablate", group, "--exp", exp, *overrides, "--seeds", str(seeds), "--name", named]
    words += ["--epochs", str(epochs)] if epochs is not None else []
    command = shlex.join([*words, *runs_option(runs)])
    check_runs_here(settings, command)
    callback = showing(named, quiet, callbacks)
    options: dict[str, Any] = {"retry": retry, "accept_code": accept_code, "cpus": cpus, "gpus": gpus}
    return run_search(settings, Path(runs) / named, command, callback, **options)


def showing(name: str, quiet: bool, callbacks: Iterable[Callback]) -> Callback:
    """The caller's callbacks, after one that prints a line for each event where it is not `quiet`."""
    return Callbacks([Quiet() if quiet else Lines(name), *callbacks])


def check_runs_here(settings: Config, command: str) -> None:
    """Raises ConfigurationError for a launcher that submits jobs: what a job runs is a command."""
    launcher = settings["launcher"]["_target_"]
    if launcher != f"{LocalLauncher.__module__}.{LocalLauncher.__name__}":
        name = launcher.rpartition(".")[2]
        raise ConfigurationError(f"{name} submits commands, and Python runs sweeps here; submit it by `{command}`")


def ablation_name(exp: str, group: str) -> str:
    """The name of the sweep that ablates a group, where it is given none."""
    return f"{exp}-ablate-{group.partition('@')[0]}"


def resume(
    name: str,
    *overrides: str,
    runs: Path | str = "runs",
    cpus: int | None = None,
    gpus: int | None = None,
    callbacks: Iterable[Callback] = (),
    retry: bool = False,
    accept_code: bool = False,
    quiet: bool = False,
) -> SweepResult:
    """Continue a sweep with the settings it was started with; options as `tune`'s.

    Raises UserError where there is no such sweep, ConfigurationError for an override that would change its results.
    """
    settings = settings_to_resume(name, Path(runs), list(overrides))
    resume_command = shlex.join(["vmsbench", "resume", name, *overrides, *runs_option(runs)])
    callback = showing(name, quiet, callbacks)
    options: dict[str, Any] = {"retry": retry, "accept_code": accept_code, "cpus": cpus, "gpus": gpus}
    return run_search(settings, Path(runs) / name, resume_command, callback, **options)


def final(
    name: str,
    *overrides: str,
    top: int = 3,
    seeds: int = 5,
    runs: Path | str = "runs",
    cpus: int | None = None,
    gpus: int | None = None,
    callbacks: Iterable[Callback] = (),
    accept_code: bool = False,
    quiet: bool = False,
) -> SweepResult:
    """Train the `top` best configurations of a finished search from `seeds` fresh seeds each, and test them.

    Raises UserError where the search is not finished, or its data have changed.
    """
    settings, places = settings_of(name, Path(runs), list(overrides))
    words = ["vmsbench", "final", name, *overrides, "--top", str(top), "--seeds", str(seeds), *runs_option(runs)]
    command = shlex.join(words)
    callback = showing(name, quiet, callbacks)
    options: dict[str, Any] = {"cpus": cpus, "gpus": gpus, "accept_code": accept_code}
    return run_finals(settings, places, Path(runs) / name, command, callback, top=top, seeds=seeds, **options)


def rescore(
    name: str, *overrides: str, runs: Path | str = "runs", on_progress: Callable[[str], None] = lambda line: None
) -> SweepResult:
    """Score the finals of a sweep again from the weights that were kept, here and without training: for what an older
    version did not measure. The test pairs are read once more for each, which is counted.

    on_progress  called with a line before each final

    Raises UserError where there is no finished final, or the data have changed.
    """
    _, places = settings_of(name, Path(runs), list(overrides))
    folder = (Path(runs) / name).resolve()
    score_again(folder, folder.parent, places, on_progress, own=owning())
    words = ["vmsbench", "final", name, "--rescore", *overrides, *runs_option(runs)]
    return SweepResult(folder, True, shlex.join(words))


def run_search(
    settings: Config,
    folder: Path,
    command: str,
    callback: Callback,
    *,
    retry: bool = False,
    cpus: int | None = None,
    gpus: int | None = None,
    accept_code: bool = False,
) -> SweepResult:
    """`tune`, with all settings composed."""
    folder = folder.resolve()

    def go(callback: Callback, driver: Driver, slots: Mapping[str, float]) -> None:
        search(settings, folder, folder.parent, callback, driver, command, retry, slots, own=owning())

    return SweepResult(
        folder, run_sweep(go, settings, folder, callback, cpus=cpus, gpus=gpus, accept_code=accept_code), command
    )


def run_finals(
    settings: Config,
    places: Config,
    folder: Path,
    command: str,
    callback: Callback,
    *,
    top: int,
    seeds: int,
    cpus: int | None = None,
    gpus: int | None = None,
    accept_code: bool = False,
) -> SweepResult:
    """`final`, with all settings known."""
    folder = folder.resolve()

    def go(callback: Callback, driver: Driver, slots: Mapping[str, float]) -> None:
        train_finals(folder, folder.parent, places, top, seeds, callback, driver, slots, own=owning())

    return SweepResult(
        folder, run_sweep(go, settings, folder, callback, cpus=cpus, gpus=gpus, accept_code=accept_code), command
    )


def run_sweep(
    go: Go,
    settings: Config,
    folder: Path,
    callback: Callback,
    *,
    cpus: int | None = None,
    gpus: int | None = None,
    accept_code: bool = False,
) -> bool:
    """Call `go(callback, driver, slots)` with Ray and the tracker around it; False where it was interrupted."""
    from vmsbench.ray_backend.driver import run_trials
    from vmsbench.ray_backend.resources import ray_for, slots_for
    from vmsbench.tracking.background import Background

    slots = slots_for(settings, cpus, gpus)
    serves = served(settings["metric"], settings["evaluation"]["final_samples"])
    share = {"slots": slots.count, "cpus": slots.cpus_per_trial, "gpus": slots.gpus_per_trial}
    seconds = 3600 * (settings["hours_per_trial"] or math.inf)
    tracker = build(settings["tracker"], "tracker")
    with contextlib.ExitStack() as stack:
        stack.enter_context(stoppable())
        started = False

        def driver(source: TrialSource, pruner: Pruner) -> bool:
            nonlocal started
            if source.finished or source.halted:
                return source.finished
            check_code(folder, accept_code)
            if not started:
                callback.on_sweep_start(slots.count, f"{slots}; {serves}")
                stack.enter_context(ray_for(slots, folder))
                stack.enter_context(contextlib.closing(Background(tracker, folder, warn=warn)))
                started = True
            epochs = settings["trainer"]["epochs"]
            return run_trials(source, pruner, slots, callback, settings["metric"], epochs, seconds, demand_of(folder))

        try:
            go(callback, driver, share)
        except KeyboardInterrupt:
            return False
    return True


def settings_of(name: str, runs: Path, overrides: list[str]) -> tuple[Config, Config]:
    """The settings of an existing sweep with overrides of paths and resources; and these overrides, by dotted path.

    Raises UserError where there is no such sweep, ConfigurationError for an override that would change its results.
    """
    about = SweepFolder(sweep_named(name, runs)).about()
    words = check_overrides(name, overrides, PLACES)
    composed = compose(about["exp"], overrides)
    given = {"data.root": composed["data"]["root"], "device": composed["device"], "fid": composed["fid"]}
    places = {path: value for path, value in given.items() if any(word.startswith(path) for word in words)}
    return composed | {"metric": about["config"]["metric"], "trainer": about["config"]["trainer"]}, places


def check_overrides(name: str, overrides: list[str], allowed: tuple[str, ...]) -> list[str]:
    """The settings that are overridden. Raises ConfigurationError for one that would change the sweep's results."""
    words = [override.partition("=")[0] for override in overrides]
    for word in words:
        if word.partition(".")[0] not in allowed and word != "data.root":
            raise ConfigurationError(
                f"{word} is part of what {name} was tuned for; only data.root, {', '.join(allowed)} can change now"
            )
    return words


def settings_to_resume(name: str, runs: Path, overrides: list[str]) -> Config:
    """All settings that a sweep was started with, except for paths and resources."""
    about = SweepFolder(sweep_named(name, runs)).about()
    words = check_overrides(name, overrides, (*PLACES, *LIMITS))
    composed, settings = compose(about["exp"], overrides), about["settings"]
    for word in words:
        if word == "data.root":
            settings["data"]["root"] = composed["data"]["root"]
        else:
            settings[word.partition(".")[0]] = composed[word.partition(".")[0]]
    return dict(settings)


def warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)
