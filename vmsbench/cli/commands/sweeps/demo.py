"""`vmsbench demo`: the main job, small, on synthetic data whose best possible scores are known."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
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
    """The families' scores, next to those of the blind predictors and of the best possible one."""
    from vmsbench.store.reader import read_baselines, read_sweep

    rows: list[tuple[str, Mapping[str, float]]] = []
    for exp in shown():
        finals = [final.scores for final in read_sweep(runs / exp).finals if final.scores]
        if finals:
            mean = {name: sum(one[name] for one in finals) / len(finals) for name in ("l1", "l1_unit", "crps")}
            rows.append((exp, mean))
    rows += list(read_baselines(runs / next(iter(shown())))["test"].items())
    lines = ["scores on the test pairs      L1 [-1,1]   L1 [0,1]   CRPS [-1,1]"]
    for name, scores in sorted(rows, key=lambda row: row[1]["crps"]):
        lines.append(f"  {name:<24}  {scores['l1']:>10.4f} {scores['l1_unit']:>10.4f} {scores['crps']:>13.4f}")
    return lines
