"""`vmsbench status`: the status of sweeps."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.options import (
    Json,
    Runs,
)
from vmsbench.cli.wrapping import broken
from vmsbench.config.commands import place
from vmsbench.config.format import assignment, assignments, describe, duration, number

if TYPE_CHECKING:
    from vmsbench.api.states import SweepState
    from vmsbench.launch.launcher import JobStatus
    from vmsbench.sweep.status import Status


def status(
    name: Annotated[str | None, typer.Argument(help="A sweep (default: all).")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until the sweep is over.")] = False,
    as_json: Json = False,
    runs: Runs = Path("runs"),
) -> None:
    """Show the status of sweeps, from their folders alone."""
    show_status(runs, name, watch, as_json)


WIDTH = 80


PERIOD = 2.0


SHOWN_FAILURES = 5


def show_status(runs: Path, name: str | None, watch: bool, as_json: bool) -> None:
    """Print the status of a sweep, or of all; with `watch` repeatedly until it is over or Ctrl-C."""

    from vmsbench.api.states import jobs_in, states, sweeps_to_show
    from vmsbench.launch.launcher import POLL

    folders, asked = sweeps_to_show(name, runs), float("-inf")
    while True:
        if time.monotonic() - asked >= POLL:
            asked, jobs = time.monotonic(), jobs_in(folders)
        found = states(folders, jobs)
        if as_json:
            values = [one.as_json() for one in found]
            print(json.dumps(values[0] if name else values), flush=True)
        else:
            if watch and sys.stdout.isatty():
                print("\x1b[2J\x1b[H", end="")
            print("\n\n".join("\n".join(shown(one, runs)) for one in found), flush=True)
        if not watch or not any(one.alive for one in found):
            return
        time.sleep(PERIOD)


def shown(one: SweepState, runs: Path) -> list[str]:
    return [*(lines(one.status, runs) if one.status else [f"{one.name}: {one.state}"]), *wrapped_jobs(one.jobs)]


def lines(one: Status, runs: Path = Path("runs")) -> list[str]:
    """A sweep's status, in at most 80 columns; its commands are for the sweeps in `runs`."""
    owner = f" (process {one.owner['pid']} on {one.owner['host']})" if one.owner else ""
    counts = ", ".join(f"{count} {kind}" for kind, count in one.trials.items() if count) or "no trials yet"
    finals = f", {one.finals} final{'s' * (one.finals > 1)}" if one.finals else ""
    out = filled(f"{one.name}: {one.state}{owner}; {counts}{finals}")
    if one.state == "interrupted" and one.why:
        out += wrapped(one.why)
    if one.steered:
        out += wrapped(f"by the user: {', '.join(one.steered)}")
    if one.incumbent:
        out += filled(one.serves)
        out += filled(f"best so far: tuning {one.metric} {one.incumbent['score']:.4f}  {one.incumbent['trial']}")
        out += wrapped(assignments(one.incumbent["parameters"]))
    out += ["", f"  {'parameter':<30} {'value':<24} {'score':>9} {'next best':>10}"]
    for step in one.parameters:
        value = describe(step.value) if step.settled else f"({step.options} options)"
        out.append(
            f"  {cut(step.parameter, 30):<30} {cut(value, 24):<24} {number(step.score):>9} {number(step.runner_up):>10}"
        )
    if one.running:
        word = "running" if one.state == "running" else "unfinished"
        out += ["", f"  {word:<12} {'tries':<34} {'epoch':>9} {'s/epoch':>8} {'score':>9}"]
        for run in one.running:
            tries = assignment(run.parameter, run.params.get(run.parameter)) if run.parameter else "-"
            speed = f"{run.seconds_per_epoch:.1f}" if run.seconds_per_epoch else "-"
            out.append(
                f"  {run.trial:<12} {cut(tries, 34):<34} {f'{run.epoch}/{run.epochs}':>9} {speed:>8} "
                f"{number(run.score):>9}"
            )
    if one.causes:
        kinds = ", ".join(f"{count} x {kind}" for kind, count in one.failures.items())
        out += ["", *filled(f"failed: {kinds}")]
        out += [cut(f"  {trial}  {cause}") for trial, _, cause in one.causes[:SHOWN_FAILURES]]
        out.append(f"  `vmsbench why TRIAL{place(runs)}` shows the cause")
    hours = {name: value for name, value in dataclasses.asdict(one.hours).items() if value >= 0.005}
    spent = ", ".join(f"{name} {value:.2f}" for name, value in hours.items()) or "less than 0.01"
    out += ["", *filled(f"slot hours: {spent}")]
    if one.hours.share is not None and one.hours.billed >= 0.005:
        idle = "" if one.hours.share >= 0.9 else "; `vmsbench plan` with its settings says what would raise it"
        out += filled(f"billed: {one.hours.billed:.2f} slot hours, busy {one.hours.share:.0%} of them{idle}")
    if one.eta and one.state == "running":
        out.append(f"the search is over in at most {duration(one.eta)}")
    return out


def wrapped_jobs(jobs: Sequence[JobStatus]) -> list[str]:
    return [line for job in jobs for line in wrapped(str(job))]


def cut(text: str, width: int = WIDTH) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def filled(text: str) -> list[str]:
    """The whole text; lines after the first are indented."""

    return broken(text, WIDTH, then="  ")


def wrapped(text: str) -> list[str]:

    return broken(text, WIDTH, first="  ", then="  ")
