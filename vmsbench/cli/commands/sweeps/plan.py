"""`vmsbench plan`: what a sweep will take, before it starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vmsbench.cli.options import (
    ConfigDir,
    Cpus,
    Epochs,
    Exp,
    Gpus,
    Hours,
    Json,
    Nodes,
    OnLogin,
    Overrides,
    PerGpu,
    Runs,
    SweepName,
    writable,
)
from vmsbench.cli.sweep_commands import settings_for
from vmsbench.cli.wrapping import broken
from vmsbench.config.format import describe, duration
from vmsbench.search.configured import FILLED_FROM, label_of
from vmsbench.search.pruners import NoPruner
from vmsbench.store.runs_folder import check_name

if TYPE_CHECKING:
    from vmsbench.launch.submit import RunOptions
    from vmsbench.ray_backend.slots import Slots
    from vmsbench.sweep.budget import Budget
    from vmsbench.sweep.planning.plan import Cost, Plan


def plan(
    exp: Exp,
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    per_gpu: PerGpu = None,
    name: SweepName = None,
    epochs: Epochs = None,
    runs: Runs = Path("runs"),
    calibrate: Annotated[bool, typer.Option(help="Measure what was never trained, for at most 20 seconds.")] = True,
    worlds: Annotated[
        int | None, typer.Option(min=0, help="Searches that are simulated.", show_default="3; 0 with --no-calibrate")
    ] = None,
    as_json: Json = False,
    nodes: Nodes = None,
    hours: Hours = None,
    allow_login_node: OnLogin = False,
) -> None:
    """Show what `tune` with the same arguments would take. Trials, epochs, hours, bytes: nothing is started.

    The search is simulated on synthetic curves, `--worlds` times, with the real searcher and pruner. With 0 no data are
    read and nothing is built: it says at once the most that the search can take, and checks what this command changes.
    """
    from vmsbench.api.plans import worlds_of
    from vmsbench.launch.submit import RunOptions

    settings = settings_for(exp, overrides, epochs, per_gpu, check_all=worlds_of(calibrate, worlds) > 0)
    options = RunOptions(nodes=nodes, gpus=gpus, cpus=cpus, time=hours, allow_login_node=allow_login_node)
    name = exp if name is None else name
    show_plan(settings, list(overrides or []), name, writable(runs), options, calibrate, as_json, worlds)


WIDTH, NAMES = 80, 14


def show_plan(
    settings: dict[str, Any],
    overrides: list[str],
    name: str,
    runs: Path,
    run_options: RunOptions,
    calibrate: bool,
    as_json: bool,
    worlds: int | None = None,
) -> None:
    """Print what the sweep will take, on this machine or in the job that it would submit."""
    from vmsbench.api.plans import plan_sweep

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    check_name(name)
    found = plan_sweep(
        settings,
        overrides,
        runs / name,
        run_options,
        calibrate=calibrate,
        worlds=worlds,
        on_progress=tell,
    )
    if as_json:
        print(json.dumps(found.as_json() | {"budget": settings["budget"]}))
        return
    print("\n".join(lines(found.plan, name, settings, found.slots, found.budget)))
    if job := found.job:
        each = f"{job.nodes} nodes of {job.gpus} GPUs and {job.cpus} cores, {job.time}"
        over = "" if found.jobs is None else f"; the sweep fills {found.jobs} of such length, one after the other"
        print("\n".join(entry("job", f"a job of {each}{over}")))


def lines(found: Plan, name: str, settings: dict[str, Any], slots: Slots, budget: Budget) -> list[str]:
    from vmsbench.metrics.tracks.served import served

    searcher, pruner = (label_of(settings[group], group) for group in ("searcher", "pruner"))
    rule = "" if pruner == NoPruner.label else pruner
    steps = len(found.parameters)
    many = f", {found.rounds} rounds" * (found.rounds > 1) + trainings_of_each(found)
    out = [
        *wrapped(f"{name}: {searcher} over {steps} parameter{'s' * (steps != 1)}{many}", "  "),
        *wrapped(served(settings["metric"], settings["evaluation"]["final_samples"]), ""),
    ]
    for number, step in enumerate(found.parameters, start=1):
        when = f"  (where {', '.join(f'{p} is {describe(v)}' for p, v in step.when.items())})" if step.when else ""
        options = ", ".join(map(shown, step.options))
        out += wrapped(f"{number:>3}  {step.param}: {options}{when}", " " * 7)
    finals = f", then {found.finals} final{'s' * (found.finals > 1)}" if found.finals else ""
    aside = "; extra trials for idle slots are not counted" if found.fills else ""
    most = f"at most {found.epochs_at_most + found.final_epochs:,}, finals included"
    if found.trials is None:
        out += entry("trials", f"at most {found.trials_at_most}{finals}{aside}")
        out += entry("slots", str(found.slots))
        out += entry("epochs", most + (f"; {rule} stops some" if rule else ""))
        return out + entry(
            "not read", "data and options; `vmsbench plan` with neither --worlds nor --no-calibrate shows the hours"
        )
    out += entry("trials", f"about {found.trials:.0f}, at most {found.trials_at_most}{finals}")
    out += entry("slots", f"{found.slots}, busy about {found.busy:.0%} of the search{raised(found, settings)}")
    expected = (found.epochs or 0) + found.final_epochs
    out += entry("epochs", f"about {expected:,.0f}, {most}" + (f"; {rule} stops the rest" if rule else ""))
    out += entry("timing", found.measured)
    out += entry("files", f"about {found.files:,}" + (f", {megabytes(found.cost.bytes)}" if found.cost else ""))
    if found.cost:
        out += hours(found.cost, slots, budget)
    else:
        out += entry("hours", "unknown until a trial has been trained, or `vmsbench plan` measures it")
    return out


def trainings_of_each(found: Plan) -> str:
    """How often each configuration is trained."""
    seeds = f"{found.repeats} seeds each" if found.repeats > 1 else ""
    if found.racing:
        return f", up to {seeds} while they may win"
    if found.folds:
        return f", {found.repeats} seeds on each of {found.folds} folds" if seeds else f", {found.folds} folds each"
    return f", {seeds}" if seeds else ""


BUSY = 0.9
"""The share of the slots' time from which on nothing is said about it."""


def raised(found: Plan, settings: dict[str, Any]) -> str:
    """How many extra trials fill the slots, and what would make them busier."""
    busy = found.busy or 0.0
    extra = f", with about {found.extra:.0f} extra trials for those that are idle" if found.extra else ""
    if busy >= BUSY:
        return extra
    if found.slots >= FILLED_FROM and not settings["searcher"].get("fill"):
        return "; searcher.fill=true gives extra trials to those that are idle"
    fewer = max(1, round(found.slots * busy))
    return extra + (f"; with {fewer} slots it takes about as long" if fewer < found.slots else "")


def hours(cost: Cost, slots: Slots, budget: Budget) -> list[str]:
    per = "GPU" if slots.gpus_per_trial else "CPU"
    each = slots.gpus_per_trial or slots.cpus_per_trial
    out = entry("an epoch", f"about {duration(cost.seconds_per_epoch)}, validation and evaluation included")
    out += entry("wall time", f"about {duration(3600 * cost.clock)} with {slots.count} trials at once on {slots}")
    out += entry(f"{per}-hours", f"about {cost.hours * each:.3g}, at most {cost.hours_at_most * each:.3g}")
    out += entry("billed", f"about {cost.billed * each:.3g} {per}-hours, idle slots included")
    if budget.hours is not None:
        expected = cost.hours if budget.billed is None else cost.billed
        needed, most = expected * budget.per_hour, cost.hours_at_most * budget.per_hour
        suffices = budget.billed is None and max(needed, most) <= budget.hours
        enough = "suffices" if suffices else "is enough" if needed <= budget.hours else "is too little"
        out += entry("budget", f"{budget.text} {enough}")
    return out


def shown(option: Any) -> str:
    return str(option["name"]) if isinstance(option, dict) and "name" in option else describe(option)


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB" if count < 1e10 else f"{count / 1e9:,.0f} GB"


def entry(name: str, text: str) -> list[str]:
    return wrapped(f"{name:<{NAMES}}{text}", " " * NAMES)


def wrapped(text: str, under: str) -> list[str]:
    return broken(text, WIDTH, then=under)
