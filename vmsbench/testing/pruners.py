"""What every pruner promises: deterministic, and it keeps trials that are clearly better."""

from collections.abc import Callable

from vmsbench.search.pruners import Curve, Halving, Pruner

EPOCHS = 20


def pruner_contract(make: Callable[[], Pruner]) -> None:
    """`make()` gives a pruner."""
    pruner = make()
    halving = pruner.halving(EPOCHS)
    assert halving is None or isinstance(halving, Halving), f"halving is Halving or None, not {halving}"
    assert pruner.halving(1) is None or pruner.halving(1) == make().halving(1), "halving differs from call to call"
    incumbent = curve(1.0, EPOCHS)
    for epoch in range(1, EPOCHS + 1):
        same_of_the_same(pruner, make(), incumbent, epoch)
        better = pruner.stop_reason(curve(0.5, epoch), incumbent, EPOCHS, halved=False)
        assert better is None, f"a trial twice as good as the incumbent is stopped: {better}"
        first = pruner.stop_reason(curve(1.0, epoch), {}, EPOCHS, halved=False)
        assert first is None, f"a trial is stopped though there is no incumbent: {first}"


def curve(level: float, epochs: int) -> Curve:
    """Scores that fall towards `level`."""
    return {epoch: level * (1 + 2 / epoch) for epoch in range(1, epochs + 1)}


def same_of_the_same(pruner: Pruner, other: Pruner, incumbent: Curve, epoch: int) -> None:
    for level in (0.5, 1.0, 1.01, 3.0):
        for halved in (False, True):
            own = curve(level, epoch)
            kept = (dict(own), dict(incumbent))
            reason = pruner.stop_reason(own, incumbent, EPOCHS, halved)
            assert reason == other.stop_reason(own, incumbent, EPOCHS, halved), "the same curves give another result"
            assert reason is None or (reason and "\n" not in reason), f"the reason is a line, not {reason!r}"
            assert kept == (own, incumbent), "the pruner changed a curve"
