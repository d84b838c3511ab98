"""Random search (Bergstra and Bengio 2012)."""

import random

from vmsbench.errors import ConfigurationError
from vmsbench.search.grid import ListedSearch
from vmsbench.search.space import Space


class RandomSearch(ListedSearch):
    """`trials` different combinations drawn uniformly at random (Bergstra and Bengio 2012)."""

    def __init__(self, space: Space, trials: int = 20, seed: int = 0) -> None:
        if not 1 <= trials <= space.count():
            raise ConfigurationError(
                f"searcher.trials={trials} must lie between 1 and the space's {space.count()} points"
            )
        chosen = random.Random(seed).sample(range(space.count()), trials)
        super().__init__(map(space.point, chosen), trials, space.start)
