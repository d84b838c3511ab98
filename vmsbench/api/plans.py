"""What a sweep will take, from Python, before anything starts."""

from collections.abc import Callable
from pathlib import Path

from vmsbench.config.compose import compose
from vmsbench.sweep.plan import Plan
from vmsbench.sweep.plan import plan as simulate


def plan(
    exp: str,
    *overrides: str,
    epochs: int | None = None,
    runs: Path | str = "runs",
    cpus: int | None = None,
    gpus: int | None = None,
    calibrate: bool = False,
    worlds: int = 3,
    on_progress: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Trials, epochs, hours and bytes that `vmsbench.tune` with the same arguments would take on this machine.

    calibrate    train what was never trained for a few seconds, to measure the seconds per epoch
    worlds       searches that are simulated
    on_progress  is called with a line for what is being measured

    Raises UserError as `vmsbench.tune` would.
    """
    from vmsbench.ray_backend.resources import slots_for

    settings = compose(exp, [*overrides, *([f"trainer.epochs={epochs}"] if epochs is not None else [])])
    at_once = slots_for(settings, cpus, gpus).count
    return simulate(settings, Path(runs).resolve(), at_once, calibrate, on_progress, worlds)
