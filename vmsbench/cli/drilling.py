"""`vmsbench drill`: whether sweeps survive here what clusters do to them."""

import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vmsbench.config.compose import compose
from vmsbench.errors import ConfigurationError
from vmsbench.launch.fault_test import FaultResult, FaultTarget, FaultTest, InSlurm, Process
from vmsbench.launch.slurm.allocation import refuse_login_node
from vmsbench.launch.slurm.launcher import Slurm
from vmsbench.launch.submit import RunOptions, launcher_of

MINUTES = "30"
WORDS = {True: "PASS", False: "FAIL", None: "SKIP"}


def drill(overrides: list[str], runs: Path, options: RunOptions, epochs: int, patience: int, as_json: bool) -> bool:
    """Strike a toy sweep and print a line for each recovery; False where one failed, whose folder then stays.

    Raises ConfigurationError for settings of the sweep itself, which is always the same.
    """
    for override in overrides:
        if override.partition("=")[0].partition(".")[0] != "launcher":
            raise ConfigurationError(f"{override}: a drill takes launcher=slurm and launcher.*; its sweep is its own")
    options = dataclasses.replace(options, time=options.time or (MINUTES if "launcher=slurm" in overrides else None))
    launcher = launcher_of(compose("unet", overrides)["launcher"], overrides, runs / "drill", options)
    folder = runs / "drill" / time.strftime("%Y%m%d-%H%M%S")
    if not isinstance(launcher, Slurm):
        refuse_login_node(options.allow_login_node)
    begin: Callable[..., FaultTarget] = partial(InSlurm, launcher=launcher) if isinstance(launcher, Slurm) else Process
    verdicts: list[FaultResult] = []
    for verdict in FaultTest(folder, begin, epochs, patience, tell).run():
        verdicts.append(verdict)
        if not as_json:
            print(f"{WORDS[verdict.passed]}  {verdict.name:<8} {verdict.told}", flush=True)
    passed = all(verdict.passed is not False for verdict in verdicts)
    if as_json:
        print(json.dumps({"passed": passed, "checks": [dataclasses.asdict(verdict) for verdict in verdicts]}))
    if passed:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"what is left of it, logs too, is in {folder}", file=sys.stderr)
    return passed


def tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
