"""Learning curves of real trials, for simulated searches."""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError
from vmsbench.files import read_json, save_json
from vmsbench.search.searcher import Params, key
from vmsbench.search.simulation import CurveOf
from vmsbench.search.space import Parameter, Space
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.sweep import curve

DIGITS = 5


@dataclass(frozen=True)
class Recorded:
    """Learning curves of real trials: each configuration of a space from several seeds.

    parameters   as conf/space writes them
    base          the configuration that choices are applied to
    curves        by `key(choice)`, a curve for each seed
    command       that recorded them
    """

    title: str
    metric: str
    parameters: list[dict[str, Any]]
    base: dict[str, Any]
    curves: dict[str, list[list[float]]]
    command: str = ""

    @property
    def space(self) -> Space:
        return Space([Parameter.read(entry) for entry in self.parameters], self.base)

    def draw(self, chance: random.Random) -> CurveOf:
        """A world in which each configuration has the curve of one of its seeds."""
        drawn = {name: chance.choice(curves) for name, curves in self.curves.items()}
        return lambda choice: drawn[key(choice)]

    def expected(self, choice: Params) -> float:
        """The mean score of a configuration at the end of its training, over its seeds."""
        curves = self.curves[key(choice)]
        return sum(scores[-1] for scores in curves) / len(curves)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        rounded = {name: [[round(s, DIGITS) for s in one] for one in curves] for name, curves in self.curves.items()}
        save_json(path, {**vars(self), "curves": [[name, *curves] for name, curves in rounded.items()]})

    @classmethod
    def load(cls, path: Path) -> "Recorded":
        read = read_json(path)
        found = cls(**read | {"curves": {name: curves for name, *curves in read["curves"]}})
        curves = {key(found.space.normal(json.loads(name))): curves for name, curves in found.curves.items()}
        return replace(found, curves=curves)


def recorded(folder: Path) -> Recorded:
    """The curves of a sweep in which every configuration was trained in full, from several seeds.

    `searcher=grid searcher.repeats=4 pruner=none` makes such a sweep. Raises UserError where it is another.
    """
    about = SweepFolder(folder).about()
    metric = about["config"]["metric"]
    curves: dict[str, list[list[float]]] = {}
    for event in SweepFolder(folder).journal.events():
        if event["event"] == "started":
            scores = curve(folder / "trials" / event["trial"], metric)
            base = {param: value for param, value in event["choice"].items() if param != "seed"}
            if len(scores) == about["config"]["trainer"]["epochs"]:
                curves.setdefault(key(base), []).append([scores[epoch] for epoch in sorted(scores)])
    found = Recorded(about["dataset"]["title"], metric, about["space"], slim(about["config"]), curves, about["command"])
    whole = {key(found.space.point(rank)) for rank in found.space.ranks()}
    if not whole <= set(curves) or {len(seeds) for seeds in curves.values()} == {1}:
        raise UserError(
            f"{folder.name} has curves of {len(whole & set(curves))} of {len(whole)} configurations; searcher=grid "
            "searcher.repeats=4 pruner=none evaluation.every=1 records all of them"
        )
    return found


def slim(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without paths and resources."""
    return {name: value for name, value in config.items() if name not in ("data", "device", "fid")}
