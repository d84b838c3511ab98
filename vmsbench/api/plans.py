"""What a sweep will take, from Python, before anything starts."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vmsbench.config.compose import compose, with_epochs
from vmsbench.config.settings import Config
from vmsbench.files import plain, with_home
from vmsbench.launch.allocation import login_node
from vmsbench.launch.launcher import JobResources
from vmsbench.launch.submit import RunOptions, launcher_of
from vmsbench.ray_backend.resources import slots_for
from vmsbench.ray_backend.slots import Slots
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.budget import Budget, read_budget
from vmsbench.sweep.planning.outline import Plan, outline

WORLDS = 3
"""Searches that are simulated where there is time to calibrate too."""


def plan(
    exp: str,
    *overrides: str,
    epochs: int | None = None,
    runs: Path | str = "runs",
    cpus: int | None = None,
    gpus: int | None = None,
    calibrate: bool = True,
    worlds: int | None = None,
    on_progress: Callable[[str], None] = lambda text: None,
    name: str | None = None,
    nodes: int | None = None,
    time: str | None = None,
    allow_login_node: bool = False,
) -> Plan:
    """Trials, epochs, hours and bytes that `vmsbench.tune` with the same arguments would take, on this machine or in
    the job that it would submit.

    calibrate         train what was never trained, for at most 20 seconds, to measure the seconds per epoch; never for
                      a job, and not on a login node without `allow_login_node`
    worlds            searches that are simulated, 3 by default; with 0, the default without `calibrate`, the settings
                      alone are looked at: no data are read, no option is built, and checked is what `overrides` and
                      folders of your own have
    on_progress       is called with a line for what is being measured
    name              of the sweep (default: `exp`)
    nodes, time       of the job

    Raises UserError as `vmsbench.tune` would, with `worlds`.
    """
    settings = compose(exp, with_epochs(overrides, epochs), check_all=worlds_of(calibrate, worlds) > 0)
    options = RunOptions(nodes=nodes, gpus=gpus, cpus=cpus, time=time, allow_login_node=allow_login_node)
    own: dict[str, Any] = {"calibrate": calibrate, "worlds": worlds, "on_progress": on_progress}
    return plan_sweep(settings, overrides, with_home(runs) / (exp if name is None else name), options, **own).plan


def worlds_of(calibrate: bool, worlds: int | None) -> int:
    """How many searches are simulated: as many as asked for, else WORLDS where trials may be trained too."""
    return WORLDS * calibrate if worlds is None else worlds


def planned(
    settings: Config, runs: Path, slots: int, calibrate: bool, tell: Callable[[str], None], worlds: int
) -> Plan:
    """Torch and the data are loaded only where searches are simulated."""
    if worlds == 0:
        return outline(settings, runs, slots)
    from vmsbench.sweep.planning.plan import plan as simulate

    return simulate(settings, runs, slots, calibrate, tell, worlds)


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep will take where it is to run: on this machine, or in a job.

    slots   the trials at once, and what each of them gets
    job     the resources of its job; None on this machine
    """

    name: str
    plan: Plan
    slots: Slots
    budget: Budget
    job: JobResources | None

    @property
    def jobs(self) -> int | None:
        """How many jobs of that length the sweep fills, one after the other; None where that is unknown."""
        return math.ceil(self.plan.cost.clock / self.job.hours) if self.job and self.plan.cost else None

    def as_json(self) -> dict[str, Any]:
        """The same as one dictionary, as `vmsbench plan --json` prints it."""
        job = self.job
        asked = None if job is None else {"nodes": job.nodes, "gpus": job.gpus, "cpus": job.cpus, "time": job.time}
        share = {"cpus": self.slots.cpus_per_trial, "gpus": self.slots.gpus_per_trial}
        known: dict[str, Any] = plain(asdict(self.plan) | {"trial": share, "job": asked, "jobs": self.jobs})
        return {"name": self.name} | known


def plan_sweep(
    settings: Config,
    overrides: Sequence[str],
    folder: Path,
    options: RunOptions,
    *,
    calibrate: bool = False,
    worlds: int | None = None,
    on_progress: Callable[[str], None] = lambda text: None,
) -> SweepPlan:
    """`plan`, with all settings composed, for the sweep in `folder` where its launcher and `options` would run it.

    Raises UserError as `plan`, and where the folder holds a sweep of another schema.
    """
    SweepFolder(folder).check_schema()
    launcher = launcher_of(settings=settings["launcher"], overrides=overrides, folder=folder, options=options)
    job, share = launcher.resources, settings["slots"]
    if job:
        slots = Slots(job.cpus, job.gpus, share["cpus"], share["gpus"] * bool(job.gpus), job.nodes)
    else:
        slots = slots_for(settings, options.cpus, options.gpus)
    may_train = calibrate and job is None and (options.allow_login_node or not login_node())
    worlds = worlds_of(calibrate, worlds)
    budget = read_budget(settings["budget"], slots.cpus_per_trial, slots.gpus_per_trial, slots.count)
    with threads_of_a_trial(slots) if may_train else nullcontext():
        found = planned(settings, folder.parent.resolve(), slots.count, may_train, on_progress, worlds)
    return SweepPlan(folder.name, found, slots, budget, job)


@contextmanager
def threads_of_a_trial(slots: Slots) -> Iterator[None]:
    """Within the block torch uses as many threads as in a trial."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, int(slots.cpus_per_trial)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
