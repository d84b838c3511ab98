"""Paths from the user's home: a shell leaves the ~ of `--runs=~/runs` as it is, and so does Python."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer

import vmsbench
from tests.support.command_line import called
from tests.support.data.data_folders import write_pairs
from tests.support.sweep_maker import make_sweep
from vmsbench.cli.app import app
from vmsbench.errors import UserError


def paths(commands: typer.Typer) -> Iterator[tuple[str, Any]]:
    """Every option and argument that takes one path, of all commands and groups of commands."""
    for group in commands.registered_groups:
        assert group.typer_instance is not None
        yield from paths(group.typer_instance)
    for command in (one for one in commands.registered_commands if not one.hidden):
        assert command.callback is not None
        for name, hint in get_type_hints(command.callback, include_extras=True).items():
            if get_origin(hint) is Annotated and get_args(hint)[0] in (Path, Path | None):
                yield f"{command.callback.__name__} {name}", get_args(hint)[1]


ALL = dict(paths(app))


@pytest.mark.parametrize("given", ALL.values(), ids=ALL)
def test_every_path_of_the_command_line_may_begin_at_home(
    given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert given.callback(Path("~/there")) == tmp_path / "there"
    assert given.callback(Path("there")) == Path("there")


def test_what_lies_at_home_is_read_and_written_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    sweep = make_sweep(home / "runs", "gan", seeds=1)
    write_pairs(home / "set", 4)
    assert called("status", "--runs=~/runs").out == called("status", "--runs", home / "runs").out != ""
    monkeypatch.setenv("VMSBENCH_RUNS", "~/runs")
    assert called("status").out == called("status", "--runs", home / "runs").out
    assert called("data", "check", "~/set", "--picture=~/pairs.png").code == 0
    assert (home / "pairs.png").is_file()
    assert vmsbench.status("gan", runs="~/runs").name == "gan"
    assert vmsbench.check_data("~/set").good
    assert vmsbench.report("gan", runs="~/runs", out="~/report", formats="").folder == home / "report"
    with pytest.raises(UserError, match=f"{sweep}/trials/"):
        vmsbench.load("gan", runs="~/runs")
    with pytest.raises(UserError, match=rf"no predictions at {home}/maps"):
        vmsbench.evaluate("~/maps", data="~/set", runs="~/runs")
    assert not list(here.iterdir())
