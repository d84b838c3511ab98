"""The commands. Heavy imports happen inside them, so that `vmsbench --help` is quick."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vmsbench.cli.bench import app as bench_app
from vmsbench.cli.clusters import app as clusters_app
from vmsbench.cli.datasets import app as data_app
from vmsbench.cli.inception import app as weights_app
from vmsbench.cli.options import (
    Cpus,
    Epochs,
    Exp,
    Gpus,
    Hours,
    Json,
    Nodes,
    OnLogin,
    Overrides,
    PerGpu,
    Quiet,
    Runs,
    SweepName,
    writable,
)
from vmsbench.errors import UserError
from vmsbench.signals import UNFINISHED

app = typer.Typer(
    help="Which model predicts what people remember of a picture: tune, compare, report.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")
app.add_typer(clusters_app)
app.add_typer(weights_app, name="weights")


@app.command()
def tune(
    exp: Exp,
    overrides: Overrides = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    per_gpu: PerGpu = None,
    name: SweepName = None,
    epochs: Epochs = None,
    runs: Runs = Path("runs"),
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    nodes: Nodes = None,
    hours: Hours = None,
    wait: Annotated[bool, typer.Option("--wait", help="launcher=slurm: show the job's log until it is over.")] = False,
    show: Annotated[bool, typer.Option("--print", help="launcher=slurm: only print the batch script.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="launcher=slurm: only ask sbatch whether it would do.")
    ] = False,
    allow_login_node: OnLogin = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take, as vmsbench plan.")] = False,
) -> None:
    """Search for the best configuration, and test it anew.

    The same command continues a sweep that was interrupted.
    """
    from vmsbench.launch.submit import RunOptions

    settings = settings_for(exp, overrides, epochs, per_gpu)
    options = RunOptions(nodes, gpus, cpus, hours, wait, show, check, allow_login_node)
    if dry:
        from vmsbench.cli.planning import show_plan

        show_plan(settings, list(overrides or []), name or exp, writable(runs), options, True, as_json)
        return
    submit_sweep(settings, list(overrides or []), name or exp, runs, options, retry, quiet, as_json)


def settings_for(exp: str, overrides: list[str] | None, epochs: int | None, per_gpu: int | None) -> dict[str, Any]:
    """All settings of a sweep. Raises UserError where FID is required and cannot be."""
    from vmsbench.config.compose import compose

    settings = compose(exp, with_epochs(overrides, epochs))
    if settings["fid"]["required"]:
        from vmsbench.training.checks import check_fid

        check_fid(settings)
    if per_gpu is not None:
        settings["slots"]["gpus"] = share_of_gpu(per_gpu)
    return settings


@app.command()
def plan(
    exp: Exp,
    overrides: Overrides = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    per_gpu: PerGpu = None,
    name: SweepName = None,
    epochs: Epochs = None,
    runs: Runs = Path("runs"),
    calibrate: Annotated[bool, typer.Option(help="Measure what was never trained, for 20 seconds at most.")] = True,
    as_json: Json = False,
    nodes: Nodes = None,
    hours: Hours = None,
    allow_login_node: OnLogin = False,
) -> None:
    """What `tune` with the same words would take. Trials, epochs, hours, bytes: nothing is begun.

    The search is played twenty times on made-up curves with the real rules.
    """
    from vmsbench.cli.planning import show_plan
    from vmsbench.launch.submit import RunOptions

    settings = settings_for(exp, overrides, epochs, per_gpu)
    options = RunOptions(nodes=nodes, gpus=gpus, cpus=cpus, time=hours, allow_login_node=allow_login_node)
    show_plan(settings, list(overrides or []), name or exp, writable(runs), options, calibrate, as_json)


@app.command()
def resume(
    name: Annotated[str, typer.Argument(help="A sweep that was begun.")],
    overrides: Overrides = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    runs: Runs = Path("runs"),
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Continue a sweep with the settings that it was begun with.

    budget=, slots, device and places can be told anew.
    """
    from vmsbench.cli.sweeping import settings_to_resume
    from vmsbench.launch.submit import RunOptions

    settings = settings_to_resume(name, writable(runs), list(overrides or []))
    options = RunOptions(gpus=gpus, cpus=cpus, allow_login_node=allow_login_node)
    submit_sweep(settings, list(overrides or []), name, runs, options, retry, quiet, as_json)


def submit_sweep(
    settings: dict[str, Any],
    overrides: list[str],
    name: str,
    runs: Path,
    options: Any,
    retry: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Give a sweep to its launcher; where that is this process, exit 75 if it was interrupted."""
    from vmsbench.cli.sweeping import sweep
    from vmsbench.launch.submit import dispatch

    command = f"vmsbench {shlex.join(sys.argv[1:])}"
    arguments = (settings, name, str(writable(runs)), options.cpus, options.gpus, command, retry, quiet, True, as_json)
    raise typer.Exit(dispatch(settings, overrides, runs / name, options, sweep, *arguments))


def share_of_gpu(trials: int) -> float:
    if trials < 1:
        raise UserError(f"--per-gpu {trials}: at least 1")
    return 1 / trials


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="A sweep; all, unless told.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again until it is over.")] = False,
    as_json: Json = False,
    runs: Runs = Path("runs"),
) -> None:
    """How a sweep stands, at any time, from its folder alone."""
    from vmsbench.cli.looking import show_status

    show_status(runs, name, watch, as_json)


@app.command()
def why(
    trial: Annotated[str, typer.Argument(help="A trial's name, or the beginning of it.")],
    runs: Runs = Path("runs"),
) -> None:
    """Why a trial ended. The cause, the end of its log, and the command that runs it alone."""
    from vmsbench.cli.looking import show_why

    show_why(runs, trial)


@app.command()
def ablate(
    group: Annotated[str, typer.Argument(help="What is varied: augment, target, network, noise, ...")],
    exp: Exp,
    overrides: Overrides = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each option, from other seeds.")] = 3,
    gpus: Gpus = None,
    cpus: Cpus = None,
    name: Annotated[str | None, typer.Option(help="The sweep's name; EXP-ablate-GROUP, unless told.")] = None,
    epochs: Epochs = None,
    runs: Runs = Path("runs"),
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """What each option of one choice is worth, over several seeds. The report draws it."""
    from vmsbench.launch.submit import RunOptions
    from vmsbench.sweep.ablation import ablation

    settings = ablation(exp, group, seeds, with_epochs(overrides, epochs))
    named = name or f"{exp}-ablate-{group.partition('@')[0]}"
    options = RunOptions(gpus=gpus, cpus=cpus, allow_login_node=allow_login_node)
    submit_sweep(settings, list(overrides or []), named, runs, options, retry, quiet, as_json)


@app.command()
def final(
    name: Annotated[str, typer.Argument(help="A sweep whose search is finished.")],
    overrides: Overrides = None,
    top: Annotated[int, typer.Option(help="How many of its best configurations.")] = 3,
    seeds: Annotated[int, typer.Option(help="From how many fresh seeds each.")] = 5,
    gpus: Gpus = None,
    cpus: Cpus = None,
    runs: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Test a sweep's best configurations, trained from fresh seeds.

    They learn from the training pairs; where patience or keep=best is set, the tuning validation pairs say when a
    training ends and which epoch is kept, as in the search. The same command continues what was interrupted; more
    seeds add to those there are.
    """
    from vmsbench.cli.sweeping import final as train_again
    from vmsbench.cli.sweeping import settings_of
    from vmsbench.launch.submit import RunOptions, dispatch

    settings, places = settings_of(name, writable(runs), list(overrides or []))
    command = f"vmsbench {shlex.join(sys.argv[1:])}"
    arguments = (settings, places, name, str(runs), cpus, gpus, top, seeds, command, quiet, as_json)
    options = RunOptions(gpus=gpus, cpus=cpus, allow_login_node=allow_login_node)
    raise typer.Exit(dispatch(settings, list(overrides or []), runs / name, options, train_again, *arguments))


@app.command()
def train(
    exp: Exp,
    overrides: Overrides = None,
    seed: Annotated[int | None, typer.Option(help="The same as seed=N.")] = None,
    epochs: Epochs = None,
    last: Annotated[bool, typer.Option("--final", help="No more choices: score it once on the test pairs.")] = False,
    runs: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Train one configuration, and score it on the validation pairs. The same command continues it."""
    from vmsbench.config.compose import compose

    chosen = with_epochs(overrides, epochs) + ([f"seed={seed}"] if seed is not None else [])
    settings = compose(exp, chosen) | {"test": last}
    from vmsbench.cli.training import train_one
    from vmsbench.launch.slurm.allocation import refuse_login_node

    refuse_login_node(allow_login_node)
    if not train_one(settings, writable(runs), quiet, as_json, f"vmsbench {shlex.join(sys.argv[1:])}"):
        raise typer.Exit(UNFINISHED)


@app.command()
def evaluate(
    predictions: Annotated[str, typer.Argument(help="A folder of predicted maps, a .npz, or the word: baselines.")],
    overrides: Overrides = None,
    data: Annotated[Path | None, typer.Option(help="The folder of images and true maps.")] = None,
    split: Annotated[str, typer.Option(help="Which pairs: test or validation.")] = "test",
    name: Annotated[str | None, typer.Option(help="Keep their test scores for the report, by this name.")] = None,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Score anybody's maps, beside the blind baselines."""
    from vmsbench.cli.evaluating import evaluate as score

    score(predictions, list(overrides or []), data, split, writable(runs), as_json, name)


@app.command()
def report(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Sweeps; all, unless told.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where it is written; reports/NAME, unless told.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Tables, plots and a page that compare sweeps and baselines."""
    from vmsbench.cli.reporting import write_report

    target = out or Path("reports") / ("-".join(names) if names else "all")
    typer.echo(f"report: {write_report(runs, list(names or []), target)}")


@app.command()
def predict(
    pictures: Annotated[Path, typer.Argument(metavar="IMAGE_OR_FOLDER", help="A picture, or a folder of them.")],
    model: Annotated[str, typer.Option(help="A sweep's name, a trial's or final's folder, or an MLflow run's id.")],
    out: Annotated[Path, typer.Option(help="Where maps/, overlays/ and uncertainty/ are written.")],
    samples: Annotated[int | None, typer.Option(help="Maps drawn of each picture; as in the model's finals.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    npz: Annotated[bool, typer.Option("--npz", help="Write predictions.npz too.")] = False,
    runs: Runs = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Predict the maps of pictures of any size.

    They are as large as their pictures; unreadable files are listed at the end (exit code 1).

    A sweep's name means its best final: of the configuration that stands for it, the seed with the best tuning score.
    """
    from vmsbench.cli.predicting import predict as write_maps

    if not write_maps(pictures, model, out, samples, device, npz, runs, quiet):
        raise typer.Exit(1)


@app.command("export")
def export_command(
    model: Annotated[str, typer.Argument(help="A sweep's name, a trial's or final's folder, or an MLflow run's id.")],
    format: Annotated[str, typer.Option("--format", help="onnx or torchscript.")] = "onnx",
    out: Annotated[Path | None, typer.Option(help="The file; NAME.onnx or NAME.pt, unless told.")] = None,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Write a sweep's best final as one file for other programs. It is checked to give the same maps."""
    from vmsbench.cli.exporting import export_model

    export_model(model, format, out, runs, as_json)


@app.command()
def tradeoff(
    name: Annotated[str, typer.Argument(help="A sweep of the diffusion experiment.")],
    steps: Annotated[str, typer.Option(help="Numbers of sampling steps.")] = "10,25,50,250",
    samples: Annotated[str, typer.Option(help="Numbers K of samples per image.")] = "1,4,16",
    images: Annotated[int, typer.Option(min=2, help="Tuning validation pairs, at most.")] = 64,
    runs: Runs = Path("runs"),
) -> None:
    """What more samples and more steps are worth. In scores and in seconds; the report draws it."""
    from vmsbench.cli.tradeoff import measure

    measure(name, writable(runs), steps, samples, images)


@app.command()
def sync(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Sweeps; all, unless told.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Bring MLflow up to the folders, or build it anew from them."""
    from vmsbench.cli.sweeping import mirror

    mirror(runs, list(names or []))


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="The first port to try.")] = 5000,
    sync: Annotated[bool, typer.Option(help="Bring MLflow up to the folders first.")] = True,
    runs: Runs = Path("runs"),
) -> None:
    """Open MLflow's pages. Starts its server, prints the link to the comparison and how to see it over ssh."""
    from vmsbench.cli.ui import show_ui

    show_ui(runs, port, sync)


@app.command()
def doctor(
    data: Annotated[Path | None, typer.Option(help="A folder of images and maps; $VMSBENCH_DATA, unless told.")] = None,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Whether all that a study needs is there and works.

    Each is ok, or what to do; exit code 1 where something is bad.
    """
    from vmsbench.cli.doctor import doctor as examine

    if not examine(runs, data, as_json):
        raise typer.Exit(1)


@app.command()
def demo(
    runs: Runs = Path("runs/demo"),
    out: Annotated[Path, typer.Option(help="Where the report is written.")] = Path("reports/demo"),
) -> None:
    """The main job on the stand-in data, in minutes. Three kinds tuned, MLflow, the report."""
    from vmsbench.cli.demo import run_demo

    if not run_demo(writable(runs), out):
        raise typer.Exit(UNFINISHED)


def with_epochs(overrides: list[str] | None, epochs: int | None) -> list[str]:
    return list(overrides or []) + ([f"trainer.epochs={epochs}"] if epochs is not None else [])


def main() -> None:
    """Run a command, and exit as `vmsbench.cli.exit_codes` says."""
    from vmsbench.cli.exit_codes import run

    sys.exit(run(app))
