"""`vmsbench demo`: the main job, small, on stand-in data whose best possible scores are known."""

import shlex
import time
from collections.abc import Mapping
from pathlib import Path

from vmsbench.cli.reporting import write_report
from vmsbench.cli.sweeping import sweep
from vmsbench.config.compose import compose
from vmsbench.store.reader import read_baselines, read_sweep

EXPERIMENTS: dict[str, list[str]] = {"unet": [], "gan": [], "diffusion": ["network=unet"]}


def run_demo(runs: Path, out: Path) -> bool:
    """Tune all three kinds, write the report, print the table; False where it was interrupted."""
    start = time.monotonic()
    print("The whole way on stand-in data: three kinds tuned, their winners scored, a report. About 4 minutes.")
    for exp, overrides in EXPERIMENTS.items():
        chosen = ["data=standin", "preset=demo", *overrides]
        command = f"vmsbench tune --exp {exp} --runs {runs} {shlex.join(chosen)}"
        print(f"\n$ {command}", flush=True)
        if not sweep(compose(exp, chosen), exp, str(runs), None, 0, command, False, False, advise=False):
            return False
    page = write_report(runs, list(EXPERIMENTS), out)
    print("\n" + "\n".join(table(runs)))
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    print(f"\n{minutes} min {seconds} s. Next:")
    print(f"  open {page} in a browser")
    store = shlex.quote(f"sqlite:///{runs.resolve()}/mlflow.db")
    print(f"  vmsbench ui --runs {runs}   # or: mlflow ui --backend-store-uri {store}")
    print("  vmsbench tune --exp unet preset=quick data=vischema data.root=/path/to/vischema_plus")
    return True


def table(runs: Path) -> list[str]:
    """The families beside the predictors that ignore the image and the one that knows the answer."""
    rows: list[tuple[str, Mapping[str, float]]] = []
    for exp in EXPERIMENTS:
        finals = [final.scores for final in read_sweep(runs / exp).finals if final.scores]
        if finals:
            mean = {name: sum(one[name] for one in finals) / len(finals) for name in ("l1", "l1_unit", "crps")}
            rows.append((exp, mean))
    rows += list(read_baselines(runs / "unet")["test"].items())
    lines = ["scores on the test pairs      L1 [-1,1]   L1 [0,1]   CRPS [-1,1]"]
    for name, scores in sorted(rows, key=lambda row: row[1]["crps"]):
        lines.append(f"  {name:<24}  {scores['l1']:>10.4f} {scores['l1_unit']:>10.4f} {scores['crps']:>13.4f}")
    return lines
