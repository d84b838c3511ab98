"""Every command is a function of vmsbench, with the same names; doors of one kind take their arguments alike."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import vmsbench
from vmsbench.cli.app import app
from vmsbench.config.families import families
from vmsbench.errors import ConfigurationError, DataError, UserError

COMMANDS = Path(vmsbench.__file__).parent / "cli" / "commands"
CALLED = {
    "data check": "check_data",
    "data standin": "write_standin",
    "weights check": "check_weights",
    "site init": "write_site",
    "site show": "site_settings",
    **{f"bench {name}": "simulate" for name in ("search", "slots", "racing", "stopping")},
    **{
        f"bench {name}": "bench"
        for name in (
            *("train", "sample", "data", "packing", "neighbours"),
            *("precision", "faces", "journal", "overhead"),
        )
    },
}
"""The functions of commands that have another name."""
WITHOUT = {
    "job": "what a batch script runs",
    "work": "what a worker's batch script runs",
}
ONLY_IN_PYTHON = {
    "load": "`predict` and `export` load a model themselves",
    "rescore": "`final --rescore`",
    "survey_site": "`site init --print`",
}
PARTS = {"api", "cli", "errors", "files", "signals", "versions"} | {
    f"config.{name}" for name in ("commands", "compose", "families", "format")
}
PARTS |= {"store.runs_folder", "launch.submit", "launch.allocation", "data.sources.names"}
"""What a command may use besides the functions: terminal, words, names, and where it runs."""
SHOWN = {
    "launch.supervisor": "the command `job`",
    "launch.worker": "the command `work`",
    "launch.launcher": "how often a cluster is asked by --watch",
    "processes": "the line of `ui` names the user",
    "data.inspection": "the table of `data check`",
    "inference.export": "the tolerance, for its line",
    "metrics.distances.inception": "the steps that copy the weights to a cluster",
    "metrics.catalog": "the table of evaluate",
    "search.pruners": "lines of plan: the name of the rule",
    "report.labels": "the table of the demo: what a predictor is called",
    "metrics.baselines": "lines of train: the blind predictors",
    "metrics.tracks.served": "lines of plan: what a metric serves",
    "search.configured": "lines of plan",
    "experiment": "train: no line for an epoch",
    "sweep.trial": "a sweep's progress",
    "config.schema": "site: a value as the command line takes it",
    "sweep.ablation": "the settings of ablate",
    "sweep.sweep_settings": "the settings of final and resume",
}
"""What else a command uses, and for what; it computes nothing."""


def leaves(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


LEAVES = dict(leaves(typer.main.get_command(app)))


def function_of(command: str) -> Any:
    return getattr(vmsbench, CALLED.get(command, command))


def test_every_command_has_its_function_or_a_reason() -> None:
    missing = {name for name in LEAVES if CALLED.get(name, name) not in vmsbench.__all__}
    assert missing == WITHOUT.keys()
    reached = {CALLED.get(name, name) for name in LEAVES}
    assert set(vmsbench.__all__) - reached == ONLY_IN_PYTHON.keys()


TERMINAL = {
    **dict.fromkeys(("json", "quiet", "watch", "picture"), "how a terminal shows it"),
    "config_dir": "$VMSBENCH_CONF; set before Python composes anything",
    "per_gpu": "slots.gpus=0.5 among the overrides",
}
"""Options of commands that no function has."""
OTHERWISE = {
    ("final", "rescore"): "vmsbench.rescore",
    ("tune", "print"): "submit=False: .job.script",
    ("tune", "check"): "submit=False: .job.check()",
    ("tune", "dry_run"): "vmsbench.plan",
    ("add", "option"): "param and value",
    ("site init", "overrides"): "vmsbench.survey_site",
    ("site init", "print"): "vmsbench.survey_site",
}


def test_every_option_of_a_command_is_a_keyword_or_has_a_reason() -> None:
    missing = set()
    for command in LEAVES.keys() - WITHOUT.keys():
        parameters = inspect.signature(function_of(command)).parameters
        if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
            missing |= {(command, name) for name in map(python_name, LEAVES[command].params) if name not in parameters}
    assert {(command, name) for command, name in missing if name not in TERMINAL} == OTHERWISE.keys()
    assert {name for _, name in missing} - {name for _, name in OTHERWISE} == TERMINAL.keys()


def python_name(parameter: Any) -> str:
    option = parameter.param_type_name == "option"
    return str(parameter.opts[0].lstrip("-").replace("-", "_") if option else parameter.name)


@pytest.mark.parametrize("command", sorted(LEAVES.keys() - WITHOUT.keys()))
def test_an_argument_is_positional_in_python_and_an_option_is_not(command: str) -> None:
    """`exp` alone is --exp on the command line and the first argument in Python."""
    parameters = inspect.signature(function_of(command)).parameters
    for parameter in LEAVES[command].params:
        option = parameter.param_type_name == "option"
        name = python_name(parameter)
        known = parameters.get(name)
        if known is not None and name != "exp":
            assert (known.kind is inspect.Parameter.KEYWORD_ONLY) == option, name
            assert known.default is inspect.Parameter.empty or same(known.default, parameter.default), name


def same(one: Any, other: Any) -> bool:
    written = ",".join(map(str, one)) if isinstance(one, tuple) else str(one)
    return other is None or written == str(other)


@pytest.mark.parametrize("name", vmsbench.__all__)
def test_a_function_says_what_it_does_and_takes_the_runs_folder_by_name(name: str) -> None:
    function = getattr(vmsbench, name)
    assert inspect.getdoc(function)
    assert "return" in inspect.get_annotations(function)
    runs = inspect.signature(function).parameters.get("runs")
    assert runs is None or runs.kind is inspect.Parameter.KEYWORD_ONLY


def test_commands_are_thin() -> None:
    """They ask the functions, and what else they use is written here."""
    found = set()
    for file in COMMANDS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vmsbench."):
                found.add(node.module.removeprefix("vmsbench."))
    typed = {name for name in found if only_for_types(name)}
    own = {name for name in found - typed if not name.startswith("cli") and name.partition(".")[0] not in PARTS}
    assert {name for name in own if name not in PARTS} <= SHOWN.keys()


def only_for_types(module: str) -> bool:
    """Whether commands import it under TYPE_CHECKING alone."""
    for file in COMMANDS.rglob("*.py"):
        tree = ast.parse(file.read_text())
        guarded = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == f"vmsbench.{module}" and id(node) not in guarded:
                return False
    return True


def test_a_dataset_is_written_and_checked(tmp_path: Path) -> None:
    folder = vmsbench.write_standin(tmp_path / "data", count=40, size=32)
    checked = vmsbench.check_data(folder)
    assert (checked.good, checked.counts["pairs"]) == (True, 40)
    assert checked.picture().width > 0
    (folder / "images" / "broken.jpg").write_bytes(b"no picture")
    assert not vmsbench.check_data(folder).good
    with pytest.raises(DataError):
        vmsbench.check_data(tmp_path)


def test_a_measurement_yields_rows_and_a_wrong_name_or_option_is_refused() -> None:
    rows = [row.what for row in vmsbench.bench("journal", trials=50)]
    assert rows == ["continuing a sweep of 50 trials", "  its curves, for early stopping", "  its status"]
    with pytest.raises(ConfigurationError, match="jurnal is not a measurement; did you mean journal"):
        vmsbench.bench("jurnal")
    with pytest.raises(ConfigurationError, match="unexpected keyword argument 'trails'; it is journal"):
        vmsbench.bench("journal", trails=50)


def test_a_simulation_has_rows_a_table_and_files(tmp_path: Path) -> None:
    found = vmsbench.simulate("slots", most=2, worlds=1, out=tmp_path)
    assert {row["space"] for row in found.rows} == set(families())
    assert found.table[-1] == f"    vmsbench bench slots --most 2 --worlds 1 --out {tmp_path}"
    assert [file.name for file in found.files] == ["slots.png", "slots.txt"]
    with pytest.raises(UserError, match=r"none\.json does not exist"):
        vmsbench.simulate("racing", str(tmp_path / "none.json"))


def test_a_drill_takes_only_settings_of_its_launcher(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="only launcher=NAME"):
        vmsbench.drill("trainer.epochs=3", runs=tmp_path)
    assert not list(tmp_path.iterdir())
