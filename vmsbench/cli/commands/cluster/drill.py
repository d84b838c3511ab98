"""`vmsbench drill`: whether sweeps recover from a cluster's faults."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.options import ConfigDir, Gpus, Hours, Json, Nodes, OnLogin, Overrides, Runs, writable

if TYPE_CHECKING:
    from vmsbench.launch.drill.fault_test import FaultResult

WORDS = {True: "PASS", False: "FAIL", None: "SKIP"}


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
    from vmsbench.api.cluster.job_control import drill as inject_faults

    found = inject_faults(
        *(overrides or []),
        nodes=nodes,
        gpus=gpus,
        time=hours,
        epochs=epochs,
        patience=patience,
        runs=writable(runs),
        allow_login_node=allow_login_node,
        on_check=(lambda check: None) if as_json else show,
        on_progress=tell,
    )
    if as_json:
        print(json.dumps({"passed": found.passed, "checks": [asdict(check) for check in found.checks]}))
    if not found.passed:
        print(f"its files and logs are in {found.folder}", file=sys.stderr)
        raise typer.Exit(1)


def show(check: FaultResult) -> None:
    print(f"{WORDS[check.passed]}  {check.name:<8} {check.message}", flush=True)


def tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
