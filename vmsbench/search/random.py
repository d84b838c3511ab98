"""Random search (Bergstra and Bengio 2012)."""

import random
from collections.abc import Iterator
from typing import ClassVar

from vmsbench.errors import ConfigurationError
from vmsbench.search.grid import ListedSearch
from vmsbench.search.searcher import Params
from vmsbench.search.space import Space


class RandomSearch(ListedSearch):
    """`trials` different combinations drawn uniformly at random (Bergstra and Bengio 2012)."""

    label: ClassVar[str] = "random search"

    def __init__(self, space: Space, trials: int = 20, seed: int = 0) -> None:
        if not 1 <= trials <= space.count():
            raise ConfigurationError(
                f"searcher.trials={trials} must lie between 1 and the space's {space.count()} points"
            )
        super().__init__(draws(space, trials, random.Random(seed)), trials, space.start)


def draws(space: Space, trials: int, chance: random.Random) -> Iterator[Params]:
    """Points of a space: all equally likely where it is of lists, else each parameter after those before it."""
    if space.listed:
        return map(space.point, chance.sample(space.ranks(), trials))
    return iter(lambda: drawn(space, chance), None)


def drawn(space: Space, chance: random.Random) -> Params:
    said: Params = {}
    for parameter in space:
        options = space.values(parameter, said)
        if options:
            share = chance.random()
            within = parameter.range
            said[parameter.param] = options[int(share * len(options))] if within is None else within.at(share)
    return space.normal(said)
