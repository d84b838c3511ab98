"""How long a sweep takes to be rebuilt from its journal and its trials' folders."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from vmsbench.experiment import config_hash
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.space import Parameter, Space
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.status import status
from vmsbench.sweep.sweep import Sweep
from vmsbench.sweep.trial import Callback, TrialResult
from vmsbench.versions import SCHEMA

OPTIONS, EPOCHS = 101, 20


@dataclass(frozen=True)
class Times:
    """Seconds until the next trial is known, until the pruner has every old curve, and until the status is read."""

    trials: int
    rebuild: float
    curves: float
    status: float


def space(trials: int) -> Space:
    names = [f"p{n}" for n in range(max(1, round(trials / (OPTIONS - 1))))]
    parameters = [Parameter(name, list(range(OPTIONS))) for name in names]
    return Space(
        parameters, {"exp": "unet", "seed": 0, "metric": "l1", "trainer": {"epochs": EPOCHS}} | dict.fromkeys(names, 0)
    )


def fill(folder: Path, trials: int) -> int:
    """Write the folder of a sweep of so many trials, without the last of them; returns how many it wrote."""
    searched, sweep = space(trials), SweepFolder(folder)
    searcher = CoordinateSearch(searched)
    lines, count = [json.dumps({"event": "session", "time": 0.0, "schema": SCHEMA, "slots": 4})], 0
    history = "".join(
        json.dumps({"epoch": e, "seconds": e, "scores": {"l1": 1 / e}}) + "\n" for e in range(1, EPOCHS + 1)
    )
    while count < trials and (params := searcher.ask()) is not None:
        trial, count = config_hash(searched.config(params)), count + 1
        there = sweep.trial(trial)
        there.path.mkdir(parents=True)
        there.history_file.write_text(history)
        score = sum(abs(value - 50) for value in params.values())
        start = {"event": "started", "time": float(count), "trial": trial, "params": params}
        lines.append(json.dumps(start | {"parameter": searcher.parameter(params)}))
        over = {"event": "finished", "time": float(count), "trial": trial}
        lines.append(json.dumps(over | asdict(TrialResult("complete", float(score), EPOCHS, 20.0, None))))
        searcher.tell(params, float(score))
    sweep.journal.path.write_text("\n".join(lines) + "\n")
    entries = [{"param": one.param, "values": list(one.values)} for one in searched]
    sweep.write_about({"config": searched.base, "space": entries})
    return count


def measure(folder: Path, trials: int) -> Times:
    """Rebuild a sweep of so many trials in `folder`, which must be empty."""
    count = fill(folder, trials)
    searched = space(trials)
    start = time.perf_counter()
    sweep = Sweep(folder, searched, CoordinateSearch(searched), Callback())
    rebuilt = time.perf_counter()
    sweep.past()
    seen = time.perf_counter()
    status(folder)
    return Times(count, rebuilt - start, seen - rebuilt, time.perf_counter() - seen)
