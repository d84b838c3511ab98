"""Sweeps from Python: tune, resume, final."""

import contextlib
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vmsbench.api.cluster.submission import command_words, run_or_submit, typed, waited
from vmsbench.api.sweep_results import SweepResult
from vmsbench.config.compose import with_epochs
from vmsbench.config.instantiate import build
from vmsbench.config.settings import Config
from vmsbench.files import with_home
from vmsbench.launch.elastic.demand import demand_of
from vmsbench.launch.ownership import owning
from vmsbench.launch.submit import RunOptions
from vmsbench.metrics.tracks.served import served
from vmsbench.search.pruners import Pruner
from vmsbench.signals import stoppable
from vmsbench.store.runs_folder import check_name
from vmsbench.sweep.ablation import ablation, ablation_name
from vmsbench.sweep.origin.numeric_code import check_code
from vmsbench.sweep.progress_lines import Lines, Quiet
from vmsbench.sweep.sweep_settings import search_settings, settings_of, settings_to_resume
from vmsbench.sweep.trial import Callback, Callbacks, TrialSource
from vmsbench.sweep.tune import Driver
from vmsbench.sweep.tune import final as train_finals
from vmsbench.sweep.tune import rescore as score_again
from vmsbench.sweep.tune import tune as search

Go = Callable[[Callback, Driver, Mapping[str, float]], None]
"""What `run_sweep` runs, given a callback, a driver and the slots."""


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
    nodes: int | None = None,
    time: str | None = None,
    wait: bool = False,
    submit: bool = True,
    allow_login_node: bool = False,
) -> SweepResult:
    """Search for the best configuration, train it again from fresh seeds, and score these on the test pairs.

    exp               unet, gan, diffusion, or another of conf/exp
    overrides         group=option or key=value, as on the command line; launcher= may submit a job that does it
    name              of the sweep (default: `exp`); a sweep of that name is continued
    cpus, gpus        to use (default: all); of each node of a job
    callbacks         called with every trial's events (vmsbench.sweep.trial.Callback); a job has none
    retry             run failed trials again
    accept_code       continue a sweep that was started with other numeric code, which its journal and report say
    quiet             print no line for each trial
    nodes, time       of the job
    wait              show the job's log until it is over, as `.job.wait()` does
    submit            False makes the job alone: `.job.script` is its batch script, `.job.check()` asks the cluster
    allow_login_node  train on this machine even if it is a login node

    An interrupt (the notebook's stop button, Ctrl-C) lets the trials save, and returns with `finished` False. A job is
    returned at once, as `.job` (vmsbench.launch.submit.SweepJob), with `finished` False. Raises UserError for settings
    or data that cannot work, for a job that is refused, and on a login node.
    """
    name = exp if name is None else name
    check_name(name)
    settings, folder = search_settings(exp, overrides, epochs), with_home(runs) / name
    size: dict[str, Any] = {"cpus": cpus, "gpus": gpus}
    own: dict[str, Any] = {"retry": retry, "accept_code": accept_code, **size}
    words, job = ["tune", "--exp", exp, *overrides], {"nodes": nodes, "time": time}
    command = command_words(words, runs, name=name, epochs=epochs, quiet=quiet, **own, **job)
    run = partial(run_search, settings, folder, typed(command), showing(name, quiet, callbacks), **own)
    options = RunOptions(nodes=nodes, time=time, submit=submit, allow_login_node=allow_login_node, **size)
    found = run_or_submit(run, settings, overrides, folder, command, options, accept_code)
    return waited(found, quiet) if wait else found


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
    allow_login_node: bool = False,
) -> SweepResult:
    """Compare the options of one group (augment, target, network, ...), each trained from `seeds` seeds.

    name      of the sweep (default: EXP-ablate-GROUP)
    The rest is as of `tune`. Scores are of the tuning validation pairs; the report plots them.

    Raises ConfigurationError for a group that cannot be ablated.
    """
    name = ablation_name(exp, group) if name is None else name
    check_name(name)
    settings, folder = ablation(exp, group, seeds, with_epochs(overrides, epochs)), with_home(runs) / name
    size: dict[str, Any] = {"cpus": cpus, "gpus": gpus}
    own: dict[str, Any] = {"retry": retry, "accept_code": accept_code, **size}
    words = ["ablate", group, "--exp", exp, *overrides]
    command = command_words(words, runs, seeds=seeds, name=name, epochs=epochs, quiet=quiet, **own)
    run = partial(run_search, settings, folder, typed(command), showing(name, quiet, callbacks), **own)
    options = RunOptions(allow_login_node=allow_login_node, **size)
    return run_or_submit(run, settings, overrides, folder, command, options, accept_code)


def showing(name: str, quiet: bool, callbacks: Iterable[Callback]) -> Callback:
    """The caller's callbacks, after one that prints a line for each event where it is not `quiet`."""
    return Callbacks([Quiet() if quiet else Lines(name), *callbacks])


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
    allow_login_node: bool = False,
) -> SweepResult:
    """Continue a sweep with the settings it was started with; options as `tune`'s.

    Raises UserError where there is no such sweep, ConfigurationError for an override that would change its results.
    """
    settings, folder = settings_to_resume(name, with_home(runs), list(overrides)), with_home(runs) / name
    size: dict[str, Any] = {"cpus": cpus, "gpus": gpus}
    own: dict[str, Any] = {"retry": retry, "accept_code": accept_code, **size}
    command = command_words(["resume", name, *overrides], runs, quiet=quiet, **own)
    run = partial(run_search, settings, folder, typed(command), showing(name, quiet, callbacks), **own)
    options = RunOptions(allow_login_node=allow_login_node, **size)
    return run_or_submit(run, settings, overrides, folder, command, options, accept_code)


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
    allow_login_node: bool = False,
) -> SweepResult:
    """Train the `top` best configurations of a finished search from `seeds` fresh seeds each, and test them; options as
    `tune`'s.

    Raises UserError where the search is not finished, or its data have changed.
    """
    settings, places = settings_of(name, with_home(runs), list(overrides))
    folder, size = with_home(runs) / name, {"cpus": cpus, "gpus": gpus}
    own: dict[str, Any] = {"top": top, "seeds": seeds, "accept_code": accept_code, **size}
    command = command_words(["final", name, *overrides], runs, quiet=quiet, **own)
    run = partial(run_finals, settings, places, folder, typed(command), showing(name, quiet, callbacks), **own)
    options = RunOptions(allow_login_node=allow_login_node, cpus=cpus, gpus=gpus)
    return run_or_submit(run, settings, overrides, folder, command, options, accept_code)


def rescore(
    name: str, *overrides: str, runs: Path | str = "runs", on_progress: Callable[[str], None] = lambda line: None
) -> SweepResult:
    """Score the finals of a sweep again from the weights that were kept, here and without training: for what an older
    version did not measure. The test pairs are read once more for each, which is counted.

    on_progress  called with a line before each final

    Raises UserError where there is no finished final, or the data have changed.
    """
    _, places = settings_of(name, with_home(runs), list(overrides))
    folder = (with_home(runs) / name).resolve()
    score_again(folder, folder.parent, places, on_progress, own=owning())
    return SweepResult(folder, True, typed(command_words(["final", name, *overrides], runs, rescore=True)))


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
                stack.enter_context(Background(tracker, folder, warn=warn))
                started = True
            epochs = settings["trainer"]["epochs"]
            return run_trials(source, pruner, slots, callback, settings["metric"], epochs, seconds, demand_of(folder))

        try:
            go(callback, driver, share)
        except KeyboardInterrupt:
            return False
    return True


def warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)
