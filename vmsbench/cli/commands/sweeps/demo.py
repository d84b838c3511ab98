"""`vmsbench demo`: the main job, small, on synthetic data whose best possible scores are known."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.options import (
    Runs,
    expanded,
    writable,
)
from vmsbench.cli.sweep_commands import print_result, watched
from vmsbench.config.commands import place
from vmsbench.config.format import duration
from vmsbench.errors import UNFINISHED

if TYPE_CHECKING:
    from vmsbench.api.demonstration import DemoSearch
    from vmsbench.api.sweep_results import SweepResult
    from vmsbench.report.analysis.tracks import Track


WORDS = [
    "  dressed: one answer made a distribution, by its errors on tuning pairs",
    "  climatology: all training maps as the prediction for every image",
    "  oracle: knows how the data were made; its law is all that could be true",
    "  random training maps: 16 for each image, as one answer by their median",
]


def demo(
    runs: Runs = Path("runs/demo"),
    out: Annotated[Path, typer.Option(help="Where the report is written.", callback=expanded)] = Path("reports/demo"),
) -> None:
    """Tune each family on synthetic data, in minutes. With MLflow and the report."""
    if not run_demo(writable(runs), out):
        raise typer.Exit(UNFINISHED)


def run_demo(runs: Path, out: Path) -> bool:
    """Tune the families that take part in the demo, write the report, print the table; False where interrupted."""
    from vmsbench.api import demonstration

    start = time.monotonic()
    count = len(demonstration.demo_families())
    print(f"Tunes {count} families on synthetic data, scores their winners, writes a report: about 3 minutes.")
    written = demonstration.demo(runs=runs, out=out, search=search)
    if written is None:
        return False
    print("\n" + "\n".join(table(demonstration.demo_scores(runs))))
    print(f"\n{duration(time.monotonic() - start)}. Next:")
    print("\n".join(f"  {line}" for line in next_steps(written.page, runs)))
    return True


def next_steps(page: Path, runs: Path) -> list[str]:
    """What to do after the demonstration, most of it as commands."""
    store = shlex.quote(f"sqlite:///{runs.resolve()}/mlflow.db")
    return [
        f"open {page} in a browser",
        f"vmsbench status{place(runs)}",
        f"vmsbench report{place(runs)}   # the figures as PDF too",
        f"vmsbench ui{place(runs)}   # or: mlflow ui --backend-store-uri {store}",
        "vmsbench tune --exp unet preset=quick data=vischema data.root=/path/to/vischema_plus",
    ]


def search(one: DemoSearch) -> SweepResult:
    """Run a search as `vmsbench tune` does, and print what it found."""
    from vmsbench.api.sweeps import run_search

    print(f"\n$ {one.command}", flush=True)
    run = partial(run_search, one.settings, one.folder, one.command, gpus=0)
    found = watched(run, one.folder, quiet=False)
    print_result(found, one.settings, one.folder.parent, advise=False)
    return found


def table(found: Mapping[Track, Mapping[str, float]]) -> list[str]:
    """The scores of each track, in [-1,1] and in [0,1], and what the words in them mean."""
    from vmsbench.report.labels import PREDICTORS

    lines = []
    for track, name in zip(found, ("L1", "CRPS"), strict=True):
        lines += [f"test pairs, {track.words:<20} {name + ' [-1,1]':>13} {name + ' [0,1]':>12}"]
        rows = {PREDICTORS.get(label, label).lower(): level for label, level in found[track].items()}
        lines += [f"  {label:<30} {level:>13.4f} {level / 2:>12.4f}" for label, level in rows.items()]
    return lines + WORDS
