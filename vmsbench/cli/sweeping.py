"""A sweep from the command line: devices, progress, MLflow, and what to do next."""

import contextlib
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vmsbench.cli.progress import watching
from vmsbench.config.compose import compose
from vmsbench.config.instantiate import build, describe, short
from vmsbench.errors import ConfigurationError
from vmsbench.ray_backend.resources import ray_for, slots_for
from vmsbench.store.documents import read_document
from vmsbench.store.reader import read_about, read_sweep
from vmsbench.store.sweeps import check_name, sweep_folders, sweep_named

LIMITS = ("budget", "hours_per_trial", "max_trials", "finals")
PLACES = ("device", "fid", "launcher", "slots", "tracker")


def sweep(
    settings: dict[str, Any],
    name: str,
    runs_folder: str,
    cpus: int | None,
    gpus: int | None,
    command: str,
    retry: bool,
    quiet: bool,
    advise: bool = True,
    as_json: bool = False,
) -> bool:
    """Search, finals and their mirror; True when all is done, False when it was interrupted. Prints what came out."""
    from vmsbench.sweep.trial import Callback
    from vmsbench.sweep.tune import Driver, tune

    check_name(name)
    runs = Path(runs_folder).resolve()

    def go(watcher: Callback, driver: Driver, slots: dict[str, float]) -> None:
        tune(settings, runs / name, runs, watcher, driver, command, retry, slots)

    return run_sweep(go, settings, name, runs_folder, cpus, gpus, command, quiet, advise, as_json)


def final(
    settings: dict[str, Any],
    places: dict[str, Any],
    name: str,
    runs_folder: str,
    cpus: int | None,
    gpus: int | None,
    top: int,
    seeds: int,
    command: str,
    quiet: bool,
    as_json: bool = False,
) -> bool:
    """The best configurations of a sweep from fresh seeds, on the test pairs; True and False as `sweep`."""
    from vmsbench.sweep.trial import Callback
    from vmsbench.sweep.tune import Driver
    from vmsbench.sweep.tune import final as train_again

    runs = Path(runs_folder).resolve()

    def go(watcher: Callback, driver: Driver, slots: dict[str, float]) -> None:
        train_again(runs / name, runs, places, top, seeds, watcher, driver, slots)

    return run_sweep(go, settings, name, runs_folder, cpus, gpus, command, quiet, as_json=as_json)


def run_sweep(
    go: Callable[..., None],
    settings: dict[str, Any],
    name: str,
    runs_folder: str,
    cpus: int | None,
    gpus: int | None,
    command: str,
    quiet: bool,
    advise: bool = True,
    as_json: bool = False,
) -> bool:
    """Call `go(watcher, driver, slots)` with Ray, progress and MLflow around it, and print what came out."""
    from vmsbench.ray_backend.driver import run_trials
    from vmsbench.search.pruners import Pruner
    from vmsbench.signals import stoppable
    from vmsbench.sweep.trial import TrialSource
    from vmsbench.tracking.background import Background

    quiet = quiet or as_json
    slots = slots_for(settings, cpus, gpus)
    at_once = slots.count
    folder = Path(runs_folder).resolve() / name
    tracker = build(settings["tracker"])
    with contextlib.ExitStack() as stack:
        stack.enter_context(stoppable())
        watcher = stack.enter_context(watching(folder, quiet))
        started = stopped = False

        seconds = 3600 * (settings["hours_per_trial"] or math.inf)

        def driver(work: TrialSource, stopping: Pruner) -> bool:
            nonlocal started
            if work.finished or work.halted:
                return work.finished
            if not started:
                if not quiet:
                    print(f"{name}: {at_once} trials at once on {slots}", flush=True)
                stack.enter_context(ray_for(slots, folder))
                stack.enter_context(contextlib.closing(Background(tracker, folder, warn=warn)))
                started = True
            return run_trials(
                work, stopping, slots, watcher, settings["metric"], settings["trainer"]["epochs"], seconds
            )

        try:
            go(watcher, driver, {"slots": at_once, "cpus": slots.cpus_per_trial, "gpus": slots.gpus_per_trial})
        except KeyboardInterrupt:
            stopped = True
    if as_json:
        print(json.dumps({"name": name, "command": command} | ({"state": "interrupted"} if stopped else found(folder))))
        return not stopped
    if stopped:
        print(f"stopped before the end; to continue:\n  {command}", flush=True)
        return False
    print("\n".join(outcome(folder)))
    if advise:
        print("next:")
        place = f" --runs {runs_folder}" if runs_folder != "runs" else ""
        print(f"  vmsbench report {name}{place}")
        print(f"  {tracker.link()}" if tracker.link() else f"  vmsbench sync{place}")
    return True


def settings_of(name: str, runs: Path, overrides: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a sweep that is there, with overrides that say where things are; and those, by dotted path.

    Raises UserError where there is no such sweep, ConfigurationError for an override that would change its results.
    """
    about = read_about(sweep_named(name, runs))
    words = told_anew(name, overrides, PLACES)
    composed = compose(about["exp"], overrides)
    given = {"data.root": composed["data"]["root"], "device": composed["device"], "fid": composed["fid"]}
    told = {path: value for path, value in given.items() if any(word.startswith(path) for word in words)}
    return composed | {"metric": about["config"]["metric"], "trainer": about["config"]["trainer"]}, told


def told_anew(name: str, overrides: list[str], places: tuple[str, ...]) -> list[str]:
    """The settings that are overridden. Raises ConfigurationError for one that would change the sweep's results."""
    words = [override.partition("=")[0] for override in overrides]
    for word in words:
        if word.partition(".")[0] not in places and word != "data.root":
            raise ConfigurationError(
                f"{word} is part of what {name} was tuned for; only data.root, {', '.join(places)} can be told anew"
            )
    return words


def settings_to_resume(name: str, runs: Path, overrides: list[str]) -> dict[str, Any]:
    """All settings that a sweep was begun with, but for those that say where things are and how much is spent."""
    about = read_about(sweep_named(name, runs))
    words = told_anew(name, overrides, (*PLACES, *LIMITS))
    composed, settings = compose(about["exp"], overrides), about["settings"]
    for word in words:
        if word == "data.root":
            settings["data"]["root"] = composed["data"]["root"]
        else:
            settings[word.partition(".")[0]] = composed[word.partition(".")[0]]
    return settings


def warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


def found(folder: Path) -> dict[str, Any]:
    """What a finished sweep found, for other programs."""
    sweep = read_sweep(folder)
    winner = next(event for event in reversed(sweep.events) if event["event"] == "winner")
    return {
        "state": "finished",
        "metric": sweep.metric,
        "winner": {name: winner[name] for name in ("trial", "choice", "score")},
        "finals": [event for event in sweep.events if event["event"] == "final"],
        "baselines": read_document(folder / "baselines.json")["test"],
    }


def outcome(folder: Path) -> list[str]:
    """What a finished sweep found, beside the map that ignores the image."""
    sweep = read_sweep(folder)
    winner, metric = sweep.winner, sweep.metric
    choice = ", ".join(f"{short(param)}={describe(value)}" for param, value in winner["choice"].items())
    lines = [
        f"{folder.name}: the best configuration is {choice}",
        f"  tuning {metric} {winner['score']:.4f} on the pairs it was chosen by (trial {winner['trial']})",
    ]
    failed = [trial for trial in sweep.trials if trial.state == "failed"]
    if failed:
        lines.append(f"  {len(failed)} trials failed and could not win; the same command with --retry tries them again")
    blind = sweep.baselines["test"]["pixel_median"]
    for final in sorted((one for one in sweep.finals if one.scores), key=lambda one: (one.rank or 0, one.seed or 0)):
        scores = final.scores
        lines.append(
            f"  test, rank {final.rank}, seed {final.seed}: {metric} {scores[metric]:.4f}, L1 {scores['l1']:.4f} "
            f"in [-1,1], {scores['l1_unit']:.4f} in [0,1]"
        )
    lines.append(f"  pixel median, blind to the image: L1 {blind['l1']:.4f} in [-1,1], {blind['l1_unit']:.4f} in [0,1]")
    return lines


def mirror(runs: Path, names: list[str], quiet: bool = False) -> None:
    """Bring MLflow up to the folders of the named sweeps, or of all, each where its own tracker says.

    Runs of a sweep that nobody works on any more are ended.
    """
    from vmsbench.store.lock import living_owner
    from vmsbench.tracking.mlflow.tracker import MlflowTracker
    from vmsbench.tracking.tracker import Untracked

    shown = []
    for folder in sweep_folders(runs, names):
        tracker = build(read_about(folder).get("settings", {}).get("tracker")) or MlflowTracker()
        if isinstance(tracker, Untracked):
            tracker = MlflowTracker()
        tracker.sync(folder, alive=living_owner(folder) is not None)
        shown.append(tracker.link())
        if not quiet:
            print(f"{folder.name}: mirrored", flush=True)
    if not quiet:
        print("\n".join(dict.fromkeys(shown)))
