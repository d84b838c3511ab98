"""`vmsbench demo`: the main job, small, on synthetic data whose best possible scores are known."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    Runs,
    writable,
)
from vmsbench.cli.submission import run_and_print
from vmsbench.config.families import Family, families
from vmsbench.errors import UNFINISHED


def demo(
    runs: Runs = Path("runs/demo"),
    out: Annotated[Path, typer.Option(help="Where the report is written.")] = Path("reports/demo"),
) -> None:
    """Tune each family on synthetic data, in minutes. With MLflow and the report."""
    if not run_demo(writable(runs), out):
        raise typer.Exit(UNFINISHED)


def run_demo(runs: Path, out: Path) -> bool:
    """Tune the families that take part in the demo, write the report, print the table; False where interrupted."""

    from functools import partial

    from vmsbench.api.reports import report
    from vmsbench.api.sweeps import run_search
    from vmsbench.config.compose import compose

    start = time.monotonic()
    print(f"Tunes {len(shown())} families on synthetic data, scores their winners, writes a report: about 4 minutes.")
    for exp, family in shown().items():
        chosen = ["data=standin", "preset=demo", *(family.demo or ())]
        command = f"vmsbench tune --exp {exp} --runs {runs} {shlex.join(chosen)}"
        print(f"\n$ {command}", flush=True)
        settings, folder = compose(exp, chosen), runs / exp
        run = partial(run_search, settings, folder, command, gpus=0)
        if not run_and_print(run, settings, folder, runs, quiet=False, as_json=False, advise=False):
            return False
    page = report(*shown(), runs=runs, out=out).page
    print("\n" + "\n".join(table(runs)))
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    print(f"\n{minutes} min {seconds} s. Next:")
    print(f"  open {page} in a browser")
    store = shlex.quote(f"sqlite:///{runs.resolve()}/mlflow.db")
    print(f"  vmsbench ui --runs {runs}   # or: mlflow ui --backend-store-uri {store}")
    print("  vmsbench tune --exp unet preset=quick data=vischema data.root=/path/to/vischema_plus")
    return True


def shown() -> dict[str, Family]:
    """The families that take part in the demo."""
    return {exp: family for exp, family in families().items() if family.demo is not None}


def table(runs: Path) -> list[str]:
    """The families' scores in both tracks, next to those of the blind predictors and of the best possible ones."""
    from vmsbench.report.analysis.tracks import ANSWER, DISTRIBUTION, entries
    from vmsbench.report.sections.scores.answers import LAWS, answered
    from vmsbench.store.reader import read_baselines, read_sweep

    models = {exp: read_sweep(runs / exp).scored for exp in shown()}
    baselines = read_baselines(runs / next(iter(shown())))["test"]
    blind = {
        ANSWER: {name: answered(scores) for name, scores in baselines.items() if name not in LAWS},
        DISTRIBUTION: {name: scores for name, scores in baselines.items() if "spread" in scores},
    }
    lines = []
    for track, name in ((ANSWER, "L1"), (DISTRIBUTION, "CRPS")):
        rows = {label: entry.mean(track.score)[0] for label, entry in entries(track, models).items()}
        rows |= {predictor: scores.get(track.score) for predictor, scores in blind[track].items()}
        lines += [f"test pairs, {track.words:<20} {name + ' [-1,1]':>13} {name + ' [0,1]':>12}"]
        ranked = sorted((level, label) for label, level in rows.items() if level is not None)
        lines += [f"  {label:<30} {level:>13.4f} {level / 2:>12.4f}" for level, label in ranked]
    return lines
