"""The command line: every command, in the order of `vmsbench --help`. Their heavy imports happen inside them."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from vmsbench.cli.commands.cluster import cancel, drill, job, logs, site
from vmsbench.cli.commands.models import export, predict, tradeoff, train
from vmsbench.cli.commands.results import ensemble, evaluate, report, status, sync, ui, why
from vmsbench.cli.commands.sweeps import ablate, demo, final, plan, resume, steer, tune
from vmsbench.cli.commands.toolkit import bench, data, doctor, weights

app = typer.Typer(
    help="Which model predicts what people remember of a picture: tune, compare, report.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
FIRST: tuple[Callable[..., Any], ...] = (
    *(tune.tune, plan.plan, resume.resume, status.status, why.why, ablate.ablate, final.final),
    *(train.train, evaluate.evaluate, report.report, predict.predict),
)
LAST: tuple[Callable[..., Any], ...] = (
    *(ensemble.ensemble, tradeoff.tradeoff, sync.sync, ui.ui, doctor.doctor, demo.demo),
    *(steer.stop, steer.pause, steer.extend, steer.add, drill.drill, logs.logs, cancel.cancel),
)
for command in FIRST:
    app.command()(command)
app.command("export")(export.export_command)
for command in LAST:
    app.command()(command)
app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})(job.job)
app.command(hidden=True)(job.work)
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")
app.add_typer(weights.app, name="weights")
app.add_typer(site.app, name="site")


def main() -> None:
    """Run a command, and exit as `vmsbench.cli.exit_codes` says."""
    from vmsbench.cli.exit_codes import run

    sys.exit(run(app))
