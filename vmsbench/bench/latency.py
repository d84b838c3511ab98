"""Seconds for --help and for a report."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from vmsbench.bench.journal_replay import fill
from vmsbench.bench.result import Measurement
from vmsbench.store.sweep_folder import SweepFolder


def waiting(folder: Path, trials: int = 100) -> list[Measurement]:
    """`vmsbench --help`, and `vmsbench report` of a sweep of `trials` trials, each with its start."""
    fill(folder / "runs" / "sweep", trials)
    sweep = SweepFolder(folder / "runs" / "sweep")
    facts = {"exp": "unet", "command": "vmsbench tune", "dataset": {"title": "formula", "digest": "0"}}
    sweep.write_about(sweep.about() | facts)
    report = ("report", "sweep", "--runs", str(folder / "runs"), "--out", str(folder / "report"))
    return [
        Measurement("vmsbench --help", statistics.median(seconds("--help") for _ in range(5)), "s", most=0.5),
        Measurement(f"vmsbench report, {trials} trials", seconds(*report), "s", most=10),
    ]


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "vmsbench", *command], check=True, capture_output=True)
    return time.perf_counter() - start
