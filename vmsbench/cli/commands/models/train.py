"""`vmsbench train`: one training, with a progress bar in a terminal and lines elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vmsbench.cli.options import (
    ConfigDir,
    Epochs,
    Exp,
    Json,
    OnLogin,
    Overrides,
    Quiet,
    Runs,
    writable,
)
from vmsbench.cli.progress import terminal
from vmsbench.cli.sweep_commands import command_line
from vmsbench.cli.wrapping import say
from vmsbench.errors import UNFINISHED
from vmsbench.files import plain

if TYPE_CHECKING:
    from vmsbench.api.training import TrainingResult
    from vmsbench.data.sources.provenance import Provenance
    from vmsbench.experiment import Report


def train(
    exp: Exp,
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    seed: Annotated[int | None, typer.Option(help="Random seed; the same as seed=N.")] = None,
    epochs: Epochs = None,
    last: Annotated[
        bool, typer.Option("--final", help="Score it once on the test pairs; make no choices after that.")
    ] = False,
    runs: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Train one configuration, and score it on the validation pairs. The same command continues it."""
    from vmsbench.api.training import training_settings
    from vmsbench.launch.allocation import refuse_login_node

    settings = training_settings(exp, overrides or [], epochs, seed, last)
    refuse_login_node(allow_login_node)
    if not train_one(settings, writable(runs), quiet=quiet, as_json=as_json):
        raise typer.Exit(UNFINISHED)


def train_one(settings: dict[str, Any], runs: Path, *, quiet: bool, as_json: bool) -> bool:
    """Train, evaluate and print; False where it was stopped early."""
    from vmsbench.api.training import run_training, warn_of_data

    with showing(settings["trainer"]["epochs"], quiet or as_json) as on_epoch:
        on_data = warn_of_data if quiet or as_json else print_data
        result = run_training(settings, runs, on_epoch, on_data=on_data)
    if not result.finished:
        print(f"stopped before the end; to continue:\n  {command_line()}", file=sys.stderr)
        return False
    print_json(result) if as_json else print_text(result)
    return True


def print_data(provenance: Provenance) -> None:
    say(*provenance.lines())


def print_json(result: TrainingResult) -> None:
    from vmsbench.metrics.baselines import score_baselines

    blind = score_baselines(result.dataset, "validation")["pixel_median"]
    print(json.dumps({"folder": str(result.folder), "results": dict(result.results), "pixel_median": plain(blind)}))


def print_text(result: TrainingResult) -> None:
    from vmsbench.metrics.baselines import score_baselines

    results, dataset = result.results, result.dataset
    say(f"{results['exp']} on {len(dataset.validation)} tuning validation pairs of {dataset.title}:")
    print_scores(results["validation_scores"], score_baselines(dataset, "validation"))
    if "test_scores" in results:
        say(f"on {len(dataset.test)} test pairs, read {results['test_reads']} times by this training:")
        print_scores(results["test_scores"], score_baselines(dataset, "test"))
    for name, value in results["info"].items():
        say(f"  {name.replace('_', ' ')}: {value}{' px' if isinstance(value, int) else ''}")
    for diagnostic in results["diagnostics"]:
        say(f"  {diagnostic}")
    print(f"  {result.folder}")


def print_scores(scores: Mapping[str, Any], blind: Mapping[str, Mapping[str, Any]]) -> None:
    """As one answer next to the pixel median; samples as a distribution next to climatology."""
    sampled, median, law = "l1_median" in scores, blind["pixel_median"], blind["climatology"]
    answer = "l1_median" if sampled else "l1"
    of = " of the median of its samples" if sampled else ""
    if sampled:
        say(f"  as a distribution: CRPS {scores['crps']:.4f} in [-1,1], {scores['crps_unit']:.4f} in [0,1]")
        unit = f"{law['crps_unit']:.4f} in [0,1]"
        say(f"  climatology, which ignores the image: CRPS {law['crps']:.4f} in [-1,1], {unit}")
    say(f"  L1{of} {scores[answer]:.4f} in [-1,1], {scores[f'{answer}_unit']:.4f} in [0,1]")
    say(f"  pixel median, which ignores the image: L1 {median['l1']:.4f} in [-1,1], {median['l1_unit']:.4f} in [0,1]")


@contextmanager
def showing(epochs: int, quiet: bool) -> Iterator[Report]:
    """The callback after each epoch: none, a progress bar in a terminal, or lines elsewhere."""
    from vmsbench.api.training import epoch_lines
    from vmsbench.experiment import ignore

    if quiet:
        yield ignore
    elif terminal():
        yield from bar(epochs)
    else:
        yield epoch_lines(epochs)


def bar(epochs: int) -> Iterator[Report]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    now = TextColumn("{task.fields[now]}")
    columns = (TextColumn("epoch"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), now)
    with Progress(*columns) as progress:
        task = progress.add_task("", total=epochs, now="")

        def show(record: dict[str, Any]) -> None:
            scores = record.get("scores") or {}
            shown = f"L1 {scores['l1']:.4f}" if "l1" in scores else progress.tasks[0].fields["now"]
            progress.update(task, completed=record["epoch"], now=shown)

        yield show
