"""What searchers around another searcher share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vmsbench.search.searcher import ParameterResult, Params, Searcher


class Wrapper(Searcher):
    """Answers as `searcher` does, where a subclass has no answer of its own."""

    searcher: Searcher

    def try_first(self, choices: Sequence[Params]) -> None:
        self.searcher.try_first(choices)

    def add_option(self, param: str, value: Any) -> None:
        self.searcher.add_option(param, value)

    def ahead(self, known: Mapping[str, float | None]) -> Iterator[tuple[Params, str | None]]:
        return self.searcher.ahead(known)

    @property
    def settled(self) -> list[ParameterResult]:  # type: ignore[override]
        return list(self.searcher.settled)

    @property
    def finished(self) -> bool:
        return self.searcher.finished

    @property
    def incumbent(self) -> Params:
        return self.searcher.incumbent

    def runs(self, params: Params) -> list[Params]:
        return self.searcher.runs(params)
