"""Learning curves of real trials, for simulated searches."""

import json
import math
import random
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError
from vmsbench.files import read_json, save_json
from vmsbench.search.searcher import Params, key, without_run
from vmsbench.search.simulation import CurveOf
from vmsbench.search.space import Parameter, Space
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.sweep import curve

DIGITS = 5
RECORDS = "searcher=grid searcher.repeats=4 pruner=none evaluation.every=1"


def worse_by(found: float, best: float) -> float:
    """By how much a score is worse than the best, as a share of it; lower is better, and scores may be negative."""
    if found == best:
        return 0.0
    return (found - best) / abs(best) if best else math.inf


@dataclass(frozen=True)
class Recorded:
    """Learning curves of real trials: each configuration of a space from several seeds.

    parameters   as conf/space writes them
    base          the configuration that choices are applied to
    curves        by `key(params)`, a curve for each seed; negated where a higher score is better
    command       that recorded them
    """

    title: str
    metric: str
    parameters: list[dict[str, Any]]
    base: dict[str, Any]
    curves: dict[str, list[list[float]]]
    command: str = ""

    @cached_property
    def space(self) -> Space:
        return Space([Parameter.read(entry) for entry in self.parameters], self.base)

    def check(self, name: str, seeds: int = 1) -> "Recorded":
        """Itself, where every configuration of its space has curves of so many seeds; raises UserError elsewhere."""
        whole = [key(self.space.point(rank)) for rank in self.space.ranks()]
        there = sum(len(self.curves.get(one, ())) >= seeds for one in whole)
        if there < len(whole):
            of = "curves" if seeds == 1 else f"curves of {seeds} seeds"
            raise UserError(f"{name} has {of} of {there} of {len(whole)} configurations; {RECORDS} records all of them")
        return self

    def draw(self, chance: random.Random) -> CurveOf:
        """A world in which each configuration has the curve of one of its seeds."""
        drawn = {name: chance.choice(curves) for name, curves in self.curves.items()}
        return lambda params: drawn[key(params)]

    def expected(self, params: Params) -> float:
        """The mean score of a configuration at the end of its training, over its seeds."""
        curves = self.curves[key(params)]
        return sum(scores[-1] for scores in curves) / len(curves)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        rounded = {name: [[round(s, DIGITS) for s in one] for one in curves] for name, curves in self.curves.items()}
        save_json(
            path,
            {
                **{one.name: getattr(self, one.name) for one in fields(self)},
                "curves": [[name, *curves] for name, curves in rounded.items()],
            },
        )

    @classmethod
    def load(cls, path: Path) -> "Recorded":
        read = read_json(path)
        found = cls(**read | {"curves": {name: curves for name, *curves in read["curves"]}})
        curves = {key(found.space.normal(json.loads(name))): curves for name, curves in found.curves.items()}
        return replace(found, curves=curves)


def recorded(folder: Path) -> Recorded:
    """The curves of a sweep in which every configuration was trained in full, from several seeds.

    `searcher=grid searcher.repeats=4 pruner=none` makes such a sweep. Kept are the seeds that all configurations have,
    in their order: curves are compared by seed. Raises UserError where it is another.
    """
    about = SweepFolder(folder).about()
    metric = about["config"]["metric"]
    runs: dict[str, dict[tuple[int, int], list[float]]] = {}
    for event in SweepFolder(folder).journal.events():
        if event["event"] == "started":
            scores = curve(folder / "trials" / event["trial"], metric)
            run = event["params"].get("seed", about["config"]["seed"]), event["params"].get("fold", 0)
            if len(scores) == about["config"]["trainer"]["epochs"]:
                of_choice = runs.setdefault(key(without_run(event["params"])), {})
                of_choice[run] = [scores[epoch] for epoch in sorted(scores)]
    common = sorted(set.intersection(*map(set, runs.values()))) if runs else []
    curves = {name: [of_choice[run] for run in common] for name, of_choice in runs.items()}
    found = Recorded(about["dataset"]["title"], metric, about["space"], slim(about["config"]), curves, about["command"])
    several = any(len(seeds) > 1 for seeds in curves.values())
    return found.check(folder.name, seeds=1 if several else 2)


def slim(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without paths and resources."""
    return {name: value for name, value in config.items() if name not in ("data", "device", "fid")}
