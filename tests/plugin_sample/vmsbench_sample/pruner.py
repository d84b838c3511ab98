"""A pruner of one's own: patience with what is behind."""

from vmsbench.search.pruners import Curve, Halving, Pruner


class PatiencePruner(Pruner):
    """Stops a trial that was worse than the incumbent at each of its last `looks` looks."""

    def __init__(self, looks: int = 3) -> None:
        self.looks = looks

    def halving(self, epochs: int) -> Halving | None:
        return None

    def stop_reason(self, curve: Curve, incumbent: Curve, epochs: int, halved: bool) -> str | None:
        last = sorted(curve)[-self.looks :]
        behind = [epoch for epoch in last if epoch in incumbent and curve[epoch] > incumbent[epoch]]
        return f"behind the incumbent for {self.looks} looks" if len(behind) == self.looks else None
