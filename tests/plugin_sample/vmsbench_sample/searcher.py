"""A searcher of one's own: the grid from its end."""

from vmsbench.search.grid import ListedSearch
from vmsbench.search.space import Space


class ReversedGrid(ListedSearch):
    """The last `trials` points of the grid, the last first."""

    def __init__(self, space: Space, trials: int = 20) -> None:
        ranks = space.ranks()[::-1][:trials]
        super().__init__(map(space.point, ranks), len(ranks), space.start)
