"""A single training from the command line, with a bar in a terminal and lines elsewhere."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vmsbench.cli.progress import terminal
from vmsbench.experiment import config_hash, run
from vmsbench.files import plain
from vmsbench.metrics.baselines import score_baselines
from vmsbench.signals import noted
from vmsbench.sweep.tune import experiment_part, prepared, warn_of
from vmsbench.training.checks import check
from vmsbench.training.trainer import ShouldStop, TrainingInterrupted


def train_one(settings: dict[str, Any], runs: Path, quiet: bool, as_json: bool, command: str) -> bool:
    """Train, judge and print; False where somebody stopped it before its end."""
    config, dataset = prepared(experiment_part(settings), runs)
    warn_of(check(config, dataset.channels, dataset.size, len(dataset.train)))
    folder = runs / "single" / f"{config['exp']}-{config_hash(config)}"
    epochs = config["trainer"]["epochs"]
    with noted() as should_stop:
        try:
            if quiet or as_json:
                results = run(config, folder, should_stop=should_stop)
            elif terminal():
                results = with_bar(config, folder, epochs, should_stop)
            else:
                results = run(config, folder, lambda record: print(line(record, epochs), flush=True), should_stop)
        except TrainingInterrupted:
            print(f"stopped before the end; to continue:\n  {command}", file=sys.stderr)
            return False
    scores, blind = results["validation_scores"], score_baselines(dataset, "validation")["pixel_median"]
    if as_json:
        print(json.dumps({"folder": str(folder), "results": results, "pixel_median": plain(blind)}))
        return True
    print(f"{config['exp']} on {len(dataset.validation)} tuning validation pairs of {dataset.title}:")
    tell(scores, blind)
    if config["test"]:
        print(f"on {len(dataset.test)} test pairs, read {results['test_reads']} times by this training:")
        tell(results["test_scores"], score_baselines(dataset, "test")["pixel_median"])
    for fact, value in results["info"].items():
        print(f"  {fact.replace('_', ' ')}: {value} px")
    for trouble in results["diagnostics"]:
        print(f"  {trouble}")
    print(f"  {folder}")
    return True


def tell(scores: Mapping[str, Any], blind: Mapping[str, Any]) -> None:
    print(f"  L1 {scores['l1']:.4f} in [-1,1], {scores['l1_unit']:.4f} in [0,1]; CRPS {scores['crps']:.4f}")
    print(f"  pixel median, which ignores the image: L1 {blind['l1']:.4f} in [-1,1], {blind['l1_unit']:.4f} in [0,1]")


def line(record: dict[str, Any], epochs: int) -> str:
    scores = record.get("scores") or {}
    validation = f"  validation L1 {scores['l1']:.4f} ([0,1]: {scores['l1_unit']:.4f})" if "l1" in scores else ""
    losses = f"loss {record['train_loss']['loss']:.4f}, validation {record['validation_loss']['loss']:.4f}"
    return f"{time.strftime('%H:%M:%S')} epoch {record['epoch']}/{epochs}  {losses}{validation}"


def with_bar(config: dict[str, Any], folder: Path, epochs: int, should_stop: ShouldStop) -> dict[str, Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    now = TextColumn("{task.fields[now]}")
    columns = (TextColumn("epoch"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), now)
    with Progress(*columns) as bar:
        task = bar.add_task("", total=epochs, now="")

        def show(record: dict[str, Any]) -> None:
            scores = record.get("scores") or {}
            shown = f"L1 {scores['l1']:.4f}" if "l1" in scores else bar.tasks[0].fields["now"]
            bar.update(task, completed=record["epoch"], now=shown)

        return run(config, folder, show, should_stop)
