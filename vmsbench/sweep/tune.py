"""From settings to a finished sweep: the data, the checks, the search, the finals."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from vmsbench.config.commands import command_on
from vmsbench.config.format import assignments, describe
from vmsbench.config.instantiate import build
from vmsbench.config.settings import Config, with_settings
from vmsbench.config.weight_files import check_same_files, pinned
from vmsbench.data.pairs import Dataset
from vmsbench.data.splits import fold_of, splits
from vmsbench.errors import ConfigurationError, StorageError, UserError
from vmsbench.experiment import config_hash
from vmsbench.files import plain
from vmsbench.metrics.baselines import score_baselines
from vmsbench.metrics.references import people
from vmsbench.search.configured import experiment_part, first_choices, searcher_for, space_of, unfolded
from vmsbench.search.pruners import NoPruner, Pruner
from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import Parameter, Space
from vmsbench.store.journal import Journal
from vmsbench.store.lock import owned
from vmsbench.store.sweep_folder import BASELINES, PEOPLE, PROVENANCE, SPLITS, SweepFolder
from vmsbench.store.usage import last_sign, slot_hours
from vmsbench.sweep.budget import Budget, read_budget
from vmsbench.sweep.finals import Finals, finalists, measure_later, rescore_finals
from vmsbench.sweep.origin.numeric_code import CODE
from vmsbench.sweep.sweep import Sweep
from vmsbench.sweep.trial import Callback, TrialSource
from vmsbench.sweep.trial_cache import TrialCache
from vmsbench.training.checks import check, check_fid
from vmsbench.versions import SCHEMA, code_by_file, commit

Driver = Callable[[TrialSource, Pruner], bool]
"""Runs trials to the end; False where interrupted."""

Own = Callable[[Path], AbstractContextManager[None]]
"""Owns a sweep's folder within a block (vmsbench.store.lock.owned)."""

MOST_FINALS = 1000  # configurations, and seeds of each
ONE_SLOT = {"slots": 1, "cpus": 1.0, "gpus": 0.0}


def prepared(config: Config, runs: Path) -> tuple[Config, Dataset]:
    """Read the data (into the cache of `runs`, if no other is set), and write their digest into the configuration, and
    the SHA-256 of files of an encoder's weights.

    Raises DataError where the data are missing or unusable, ConfigurationError for a file that is another one now.
    """
    config = pinned(config)
    if config["data"].get("cache") is None:
        config = with_settings(config, {"data.cache": str(runs.resolve() / "cache")})
    if config["data"]["root"] is not None:
        config = with_settings(config, {"data.root": str(Path(config["data"]["root"]).expanduser().resolve())})
    if config["fid"]["weights"] is not None:
        config = with_settings(config, {"fid.weights": str(Path(config["fid"]["weights"]).expanduser().resolve())})
    dataset: Dataset = build(unfolded(config)["data"], "data")
    return with_settings(config, {"data.digest": dataset.digest}), dataset


def fewest_to_train(config: Config, dataset: Dataset) -> int:
    """The training pairs of the smallest training, of folds or of a final.

    Raises ConfigurationError where there are more folds than pairs.
    """
    folds = config["data"].get("folds")
    if folds is None:
        return len(dataset.train)
    tuning = [*dataset.train.names, *dataset.validation.names]
    return min(len(dataset.train), len(fold_of(tuning, folds, 0, 0)[0]))


def check_space(space: Space, channels: int, size: int, train: int) -> None:
    """Check the configuration and every option of the space before anything is trained."""
    warn_of(check(space.base, channels, size, train))
    for parameter in space:
        for option in parameter.values:
            if space.excluded(parameter, option):
                continue
            for params in [space.example(parameter, option), *contexts(space, parameter, option)]:
                try:
                    warn_of(check(space.config(params), channels, size, train))
                except (UserError, TypeError, ValueError) as error:
                    near = (one.param for one in (*space.above[parameter.param], parameter))
                    setting = assignments({param: params[param] for param in near if param in params})
                    raise ConfigurationError(f"space: {setting} does not work: {error}") from error


def contexts(space: Space, parameter: Parameter, option: Any) -> Iterator[Params]:
    """An option within each object that it may be a part of."""
    for outer in space.above[parameter.param]:
        for around in outer.values:
            params = space.moved(space.start, outer, around)
            if key(option) in map(key, space.values(parameter, params)):
                yield space.moved(params, parameter, option)


@cache
def warn_once(caution: str) -> None:
    logging.getLogger("vmsbench").warning("warning: %s", caution)


def warn_of(config_warnings: Iterable[str]) -> None:
    """Log the warnings (to standard error by default), each once."""
    for caution in config_warnings:
        warn_once(caution)


def resolve(settings: Config, runs: Path, slots: int = 1) -> tuple[Config, Dataset, Space, Searcher, Pruner]:
    """Resolve settings: the experiment's configuration, its data, the space, the searcher and the pruner.

    slots   trials at once

    Raises UserError where they cannot work.
    """
    check_fid(settings)
    if settings["finals"]["top"] < 0 or settings["finals"]["seeds"] < 1:
        raise ConfigurationError("finals.top is at least 0 (no finals), finals.seeds at least 1")
    config, dataset = prepared(experiment_part(settings), runs)
    train = fewest_to_train(config, dataset)
    space = space_of(settings["space"]["parameters"], config)
    first = first_choices(settings["searcher"].get("first", ()), space, runs)
    searcher, stopping = searcher_for(settings, space, first, slots), build(settings["pruner"], "pruner")
    stopping.halving(config["trainer"]["epochs"])
    check_space(space, dataset.channels, dataset.size, train)
    return config, dataset, space, searcher, stopping


def tune(
    settings: Config,
    folder: Path,
    runs: Path,
    watcher: Callback,
    driver: Driver,
    command: str,
    retry: bool,
    slots: Mapping[str, float] = ONE_SLOT,
    own: Own = owned,
) -> None:
    """Search, then train the best again from fresh seeds and score them on the test pairs; or continue that.

    settings  everything Hydra composed
    folder    runs/NAME
    driver    who runs the trials
    retry     run trials again that failed before
    slots     how many trials run at once, and the CPUs and GPUs of each
    own       how the folder is owned while this runs
    Raises UserError where the settings cannot work, or the sweep of that name is another one or in use;
    KeyboardInterrupt where it was stopped.
    """
    budget = read_budget(settings["budget"], slots["cpus"], slots["gpus"], int(slots["slots"]))
    config, dataset, space, searcher, stopping = resolve(settings, runs, int(slots["slots"]))
    watcher.on_data_read(dataset.provenance)
    folder.mkdir(parents=True, exist_ok=True)
    with own(folder), journalled(folder):
        write_down(settings, config, dataset, folder, command)
        journal = Journal(folder)
        budget.used_before = spent(folder, journal, budget.billed is not None) * budget.per_hour
        sweep = Sweep(folder, space, searcher, watcher, retry, TrialCache(runs, folder).take, budget)
        if not sweep.finished and not sweep.halted:
            begin_session(journal, slots, budget)
        done = driver(sweep, stopping)
        if sweep.halted and not sweep.finished:
            raise halted(sweep)
        if not done:
            raise KeyboardInterrupt
        if sweep.winner is None:
            causes = sorted({outcome.cause or "" for outcome in sweep.known.values() if outcome.state == "failed"})
            logs = folder / "trials" / "*" / "log.txt"
            raise UserError(
                f"no trial of {folder.name} was completed: {'; '.join(causes)[:300]}  (see {logs}; once that is "
                "fixed, the same command with --retry runs them again)"
            )
        top, seeds = settings["finals"]["top"], settings["finals"]["seeds"]
        write_baselines(folder, dataset)
        if top:
            finals(folder, space, top, seeds, watcher, driver, slots, budget)
            measure_later(folder, config, dataset)


def begin_session(journal: Journal, slots: Mapping[str, float], budget: Budget) -> None:
    journal.write("session", host=socket.gethostname(), pid=os.getpid(), budget=budget.text or None, **slots)


def spent(folder: Path, journal: Journal, billed: bool = False) -> float:
    """Hours that trials have been in slots so far; with `billed`, hours of all slots."""
    hours = slot_hours(list(journal.events()), partial(last_sign, folder))
    return hours.billed if billed else hours.busy


def halted(sweep: Sweep) -> UserError:
    """The message where a sweep ends before its search: why, and the best so far."""
    with suppress(StorageError):
        sweep.journal.write("interrupted", why=sweep.halted)
    best = "" if sweep.winner is None else f"; the best so far is {sweep.winner.folder}"
    return UserError(f"{sweep.folder.name}: {sweep.halted}{best}")


def final(
    folder: Path,
    runs: Path,
    places: dict[str, Any],
    top: int,
    seeds: int,
    watcher: Callback,
    driver: Driver,
    slots: Mapping[str, float] = ONE_SLOT,
    own: Own = owned,
) -> None:
    """Train the `top` best configurations of a finished search again from `seeds` fresh seeds, and score each once.

    places  settings that say where things are on this machine, by dotted path: data.root, device, fid
    Raises UserError where the sweep has no winner yet, or its data have changed; KeyboardInterrupt as `tune`.
    """
    if not 1 <= min(top, seeds) <= max(top, seeds) <= MOST_FINALS:
        raise ConfigurationError(f"--top {top} --seeds {seeds}: from 1 to {MOST_FINALS} of each")
    there = SweepFolder(folder)
    about = there.about()
    if not any(event["event"] == "winner" for event in there.journal.events()):
        raise UserError(f"{folder.name} has no winner yet; first finish its search: `{about['command']}`")
    config, dataset = prepared(with_settings(about["config"], places), runs)
    check_fid(config)
    watcher.on_data_read(dataset.provenance)
    with own(folder), journalled(folder):
        write_baselines(folder, dataset)
        finals(folder, space_of(about["space"], config), top, seeds, watcher, driver, slots)
        measure_later(folder, config, dataset)


def rescore(folder: Path, runs: Path, places: dict[str, Any], tell: Callable[[str], None], own: Own = owned) -> None:
    """Score the finals of a sweep, and the baselines next to them, again from the weights that were kept.

    tell    called with a line before each
    Raises UserError where there are none, or their data have changed.
    """
    there = SweepFolder(folder)
    about, found = there.about(), there.finished_finals()
    if not found:
        raise UserError(f"{folder.name} has no finished final to score; `{command_on('final', folder)}` makes some")
    for one in found:
        one.results(), one.config()
    config, dataset = prepared(with_settings(about["config"], places), runs)
    check_fid(config)
    with own(folder):
        write_baselines(folder, dataset, again=True)
        for number, final in enumerate(rescore_finals(folder, config), start=1):
            tell(f"{folder.name}: scoring final {final.name} again, {number} of {len(found)}; it reads the test pairs")


def write_baselines(folder: Path, dataset: Dataset, again: bool = False) -> None:
    """baselines.json: scores of maps that ignore the image, on the tuning validation pairs and the test pairs."""
    there = SweepFolder(folder)
    if again or not there.document(BASELINES):
        blind = {split: score_baselines(dataset, split) for split in ("validation", "test")}
        there.write_document(BASELINES, blind)


def finals(
    folder: Path,
    space: Space,
    top: int,
    seeds: int,
    watcher: Callback,
    driver: Driver,
    slots: Mapping[str, float],
    budget: Budget = Budget(),
) -> None:
    """Score the best configurations from fresh seeds on the test pairs."""
    best = finalists(folder, space, top)
    if len(best) < top:
        warn_once(f"{top} configurations are asked for, the search has {len(best)} that are complete: all are trained")
    work = Finals(folder, best, seeds, watcher, budget)
    if not work.finished and not work.halted:
        begin_session(work.journal, slots, budget)
    done = driver(work, NoPruner())
    if work.halted and not work.finished:
        with suppress(StorageError):
            work.journal.write("interrupted", why=work.halted)
        raise UserError(f"{folder.name}: {work.halted}; the search is finished, its finals are not")
    if work.causes:
        raise UserError(f"not all finals could be trained: {'; '.join(work.causes)}  (see {folder / 'final'})")
    if not done:
        raise KeyboardInterrupt


@contextmanager
def journalled(folder: Path) -> Iterator[None]:
    """Record in the journal when the sweep is interrupted and when it continues."""
    journal = Journal(folder)
    if [event["event"] for event in journal.events()][-1:] == ["interrupted"]:
        journal.write("continued")
    try:
        yield
    except KeyboardInterrupt:
        journal.write("interrupted")
        raise


def write_down(settings: Config, config: Config, dataset: Dataset, folder: Path, command: str) -> None:
    """Write sweep.json and splits.json; refuse to continue a sweep with other settings."""
    described = {
        "config": with_settings(config, {"data.cache": settings["data"].get("cache")}),
        "space": settings["space"]["parameters"],
        "searcher": settings["searcher"],
        "pruner": settings["pruner"],
    }
    there = SweepFolder(folder)
    if there.begun:
        refuse_other(there.about(), described, folder)
    if dataset.repeats is not None:
        there.write_document(PEOPLE, {"schema": SCHEMA} | people(dataset.title, dataset.repeats))
    if there.begun:
        return
    there.write_document(SPLITS, splits(dataset) | {"seed": config["data"].get("split_seed")})
    facts = {
        "title": dataset.title,
        "digest": dataset.digest,
        "size": dataset.size,
        "coding": dataset.coding,
        "train": len(dataset.train),
        "validation": len(dataset.validation),
        "test": len(dataset.test),
    }
    head = {
        "name": folder.name,
        "exp": config["exp"],
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": command,
    }
    there.write_document(PROVENANCE, {"schema": SCHEMA} | account(dataset))
    origin = {"commit": commit(), CODE: code_by_file()}
    there.write_about(head | described | {"dataset": facts, "settings": settings} | origin)


def account(dataset: Dataset) -> dict[str, Any]:
    """What was read from where, as words and as facts, for the report."""
    provenance = dataset.provenance
    return {"table": provenance.table()} | provenance.as_json()


def refuse_other(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    """Raises ConfigurationError that names the settings in which a sweep differs from the one in its folder."""
    old, new = (dict(leaves(plain(one))) for one in (before, now))
    same_config = config_hash(before["config"]) == config_hash(plain(now["config"]))
    check_same_files(before["config"], now["config"])
    differing = [
        f"{path} was {describe(old.get(path))}, is {describe(new.get(path))}"
        for path in sorted(set(old) | set(new))
        if path.split(".")[0] in now
        and key(old.get(path)) != key(new.get(path))
        and not (same_config and path.startswith("config."))
    ]
    if differing:
        raise ConfigurationError(
            f"the sweep {folder.name} was started with other settings: "
            f"{'; '.join(differing[:3]).replace('config.', '')}; give the new one another --name, or remove {folder}"
        )


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        return [(path, value)]
    return [leaf for name, item in value.items() for leaf in leaves(item, f"{path}.{name}" if path else name)]
