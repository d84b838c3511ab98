"""The demonstration from Python: every family tuned on synthetic data, in minutes, and compared."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vmsbench.api.reports import ReportResult, report
from vmsbench.api.sweep_results import SweepResult
from vmsbench.api.sweeps import run_search
from vmsbench.config.compose import compose
from vmsbench.config.families import Family, families
from vmsbench.config.settings import Config
from vmsbench.errors import UserError
from vmsbench.files import with_home
from vmsbench.ray_backend.resources import one_ray
from vmsbench.report.analysis.tracks import ANSWER, DISTRIBUTION, Entry, Track, entries
from vmsbench.report.sections.scores.answers import LAWS, answered
from vmsbench.report.write import check_out
from vmsbench.store.reader import read_baselines, read_sweep
from vmsbench.sweep.progress_lines import Lines, Quiet


@dataclass(frozen=True)
class DemoSearch:
    """A search of the demonstration: its settings, its folder, and the command that runs it alone."""

    exp: str
    settings: Config
    folder: Path
    command: str


def demo(
    *,
    runs: Path | str = "runs/demo",
    out: Path | str = "reports/demo",
    quiet: bool = False,
    search: Callable[[DemoSearch], SweepResult] | None = None,
) -> ReportResult | None:
    """Tune each family on synthetic data on the CPU, and write the report, its figures as PNG alone; None where it was
    interrupted.

    runs    the folder of its sweeps; the same call continues those that are there
    out     where the report is written
    quiet   print no line for each trial
    search  runs one of the searches instead, for a progress of one's own

    Raises UserError, before anything is trained, where no report can be written into `out`.
    """
    check_out(with_home(out))
    runs, one_search = with_home(runs), search or (lambda one: run(one, quiet))
    searches = demo_searches(runs)
    with one_ray():
        if not all(one_search(one).finished for one in searches):
            return None
    return report(*(one.exp for one in searches), runs=runs, out=out, formats=())


def run(one: DemoSearch, quiet: bool) -> SweepResult:
    callback = Quiet() if quiet else Lines(one.exp)
    return run_search(one.settings, one.folder, one.command, callback, gpus=0)


def demo_families() -> dict[str, Family]:
    """The families that take part in the demonstration, by their experiment."""
    return {exp: family for exp, family in families().items() if family.demo is not None}


def demo_searches(runs: Path) -> list[DemoSearch]:
    """The searches of the demonstration, in the order in which they run."""
    found = []
    for exp, family in demo_families().items():
        chosen = ["data=standin", "preset=demo", *(family.demo or ())]
        command = shlex.join(["vmsbench", "tune", "--exp", exp, "--runs", str(runs), *chosen])
        found.append(DemoSearch(exp, compose(exp, chosen), runs / exp, command))
    return found


def named(label: str, entry: Entry) -> str:
    """The entry, with what is scored of a model that samples: unet; diffusion, median of 16; diffusion, 16 samples."""
    if entry.samples == 1 or entry.kind == "dressed":
        return label
    return f"{label}, {entry.samples} samples" if entry.kind == "samples" else f"{label}, median of {entry.samples}"


def demo_scores(runs: Path | str = "runs/demo") -> dict[Track, dict[str, float]]:
    """The families' test scores in both tracks, best first, next to those of the blind predictors and of the best
    possible ones: {track: {name: score in [-1, 1]}}.

    Raises UserError where the demonstration has not come to its test scores.
    """
    runs, exps = with_home(runs), list(demo_families())
    models = {exp: read_sweep(runs / exp).scored for exp in exps}
    baselines = read_baselines(runs / exps[0]).get("test")
    if baselines is None:
        raise UserError(f"{runs / exps[0]} has no test scores yet; `vmsbench demo` makes them")
    blind = {
        ANSWER: {name: answered(scores) for name, scores in baselines.items() if name not in LAWS},
        DISTRIBUTION: {name: scores for name, scores in baselines.items() if "spread" in scores},
    }
    found = {}
    for track in (ANSWER, DISTRIBUTION):
        levels = {named(label, entry): entry.mean(track.score)[0] for label, entry in entries(track, models).items()}
        levels |= {predictor: scores.get(track.score) for predictor, scores in blind[track].items()}
        known = {name: level for name, level in levels.items() if level is not None}
        found[track] = dict(sorted(known.items(), key=lambda one: (one[1], one[0])))
    return found
