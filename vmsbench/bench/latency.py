"""Seconds for --help, for a plan that trains nothing, and for a report."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from vmsbench.bench.journal_replay import fill
from vmsbench.bench.result import Measurement, interleaved, times_faster
from vmsbench.config.plugins import conf_folder
from vmsbench.store.sweep_folder import SweepFolder

CHOICES = ("exp=unet", "data=standin")
LIBRARIES = f"""
import typer
from hydra import compose, initialize_config_dir

def command(conf: str) -> None:
    with initialize_config_dir(conf, version_base="1.3"):
        compose("config", {list(CHOICES)})

typer.run(command)
"""
"""What no plan can do without: a command line, and the same settings composed."""


def waiting(folder: Path, trials: int = 100) -> list[Measurement]:
    """`vmsbench --help`, `vmsbench plan --no-calibrate`, and `vmsbench report` of a sweep of `trials` trials, each with
    its start."""
    fill(folder / "runs" / "sweep", trials)
    sweep = SweepFolder(folder / "runs" / "sweep")
    facts = {"exp": "unet", "command": "vmsbench tune", "dataset": {"title": "formula", "digest": "0"}}
    sweep.write_about(sweep.about() | facts)
    report = ("report", "sweep", "--runs", str(folder / "runs"), "--out", str(folder / "report"))
    place = ("--exp", "unet", CHOICES[1], "--runs", str(folder / "runs"))
    contestants = {
        "plan": lambda: run("-m", "vmsbench", "plan", *place, "--no-calibrate"),
        "libraries": lambda: run("-c", LIBRARIES, str(conf_folder())),
    }
    plan, libraries = interleaved(contestants, 5).values()
    return [
        Measurement("vmsbench --help", statistics.median(seconds("--help") for _ in range(5)), "s", most=0.5),
        Measurement("vmsbench plan --no-calibrate", statistics.median(plan), "s", most=0.5),
        Measurement("vmsbench plan / Typer and Hydra alone", times_faster(libraries, plan), "x", most=1.25),
        Measurement(f"vmsbench report, {trials} trials", seconds(*report), "s", most=10),
    ]


def seconds(*command: str) -> float:
    start = time.perf_counter()
    run("-m", "vmsbench", *command)
    return time.perf_counter() - start


def run(*command: str) -> int:
    """One fresh Python that does this."""
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return 1
