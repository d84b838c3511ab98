"""`vmsbench drill`: whether sweeps recover from a cluster's faults."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.options import ConfigDir, Gpus, Hours, Json, Nodes, OnLogin, Overrides, Runs, writable
from vmsbench.errors import ConfigurationError

if TYPE_CHECKING:
    from vmsbench.launch.drill.fault_test import FaultResult
    from vmsbench.launch.drill.faults import FaultTarget
    from vmsbench.launch.submit import RunOptions


def drill(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    gpus: Gpus = None,
    nodes: Nodes = None,
    hours: Hours = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each training.")] = 120,
    patience: Annotated[int, typer.Option(help="Seconds to wait for a recovery, queueing included.")] = 180,
    runs: Runs = Path("runs"),
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Inject faults into a toy sweep and check that it recovers.

    The faults are those of clusters: a signal, a requeue, kill -9 of a trial and of the driver.
    """
    from vmsbench.launch.submit import RunOptions

    run_options = RunOptions(nodes=nodes, gpus=gpus, time=hours, allow_login_node=allow_login_node)
    if not inject_faults(list(overrides or []), writable(runs), run_options, epochs, patience, as_json):
        raise typer.Exit(1)


MINUTES = "30"


WORDS = {True: "PASS", False: "FAIL", None: "SKIP"}


def inject_faults(
    overrides: list[str], runs: Path, options: RunOptions, epochs: int, patience: int, as_json: bool
) -> bool:
    """Inject faults into a toy sweep and print a line for each recovery.

    Returns False where one failed; its folder is kept then. Raises ConfigurationError for settings of the sweep itself,
    which is always the same.
    """

    from vmsbench.config.compose import compose
    from vmsbench.launch.allocation import refuse_login_node
    from vmsbench.launch.drill.fault_test import FaultTest
    from vmsbench.launch.drill.faults import JobTarget, ProcessTarget
    from vmsbench.launch.submit import launcher_of

    for override in overrides:
        if override.partition("=")[0].partition(".")[0] != "launcher":
            raise ConfigurationError(f"{override}: a drill takes only launcher=NAME and launcher.*; its sweep is fixed")
    settings = compose("unet", overrides)["launcher"]
    if "time" in settings:
        options = dataclasses.replace(options, time=options.time or MINUTES)
    launcher = launcher_of(settings=settings, overrides=overrides, folder=runs / "drill", options=options)
    folder = runs / "drill" / time.strftime("%Y%m%d-%H%M%S")
    if launcher.in_process:
        refuse_login_node(options.allow_login_node)
    begin: Callable[..., FaultTarget] = ProcessTarget if launcher.in_process else partial(JobTarget, launcher=launcher)
    verdicts: list[FaultResult] = []
    for verdict in FaultTest(folder, begin, epochs, patience, tell).run():
        verdicts.append(verdict)
        if not as_json:
            print(f"{WORDS[verdict.passed]}  {verdict.name:<8} {verdict.message}", flush=True)
    passed = all(verdict.passed is not False for verdict in verdicts)
    if as_json:
        print(json.dumps({"passed": passed, "checks": [dataclasses.asdict(verdict) for verdict in verdicts]}))
    if passed:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"its files and logs are in {folder}", file=sys.stderr)
    return passed


def tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
