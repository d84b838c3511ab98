"""Every command that a report prints finds the sweeps that the report is about."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.sweep_maker import FAULTS, make_sweep
from vmsbench.cli.commands.sweeps.demo import next_steps
from vmsbench.config.commands import command_on, place
from vmsbench.report.document import compose
from vmsbench.report.render.markdown import to_report
from vmsbench.store.reader import collect

COMMANDS = re.compile(r"`(vmsbench [^`]*)`")
WITHOUT_RUNS = ("vmsbench weights",)


def printed(runs: Path) -> list[str]:
    found = COMMANDS.findall(to_report(compose(collect(runs, []))))
    return [command for command in found if not command.startswith(WITHOUT_RUNS)]


@pytest.mark.parametrize("seeds", [1, 2])
def test_each_command_of_a_report_names_the_folder_of_runs_where_it_is_not_the_default(tmp_path, monkeypatch, seeds):
    """Of sweeps made with one seed, and with two, on which other sentences rest."""
    monkeypatch.chdir(tmp_path)
    for exp in FAULTS:
        make_sweep(Path("runs/my demo"), exp, seeds=seeds)
        make_sweep(Path("runs"), exp, seeds=seeds)
    found = printed(Path("runs/my demo"))
    kinds = {shlex.split(command)[1] for command in found}
    assert {"tune", "final", "tradeoff", "ablate", "evaluate"} <= kinds
    for command in found:
        words = shlex.split(command)
        assert words[words.index("--runs") + 1] == "runs/my demo", command
    assert not [command for command in printed(Path("runs")) if "--runs" in command]


def test_the_last_lines_of_the_demo_name_its_folder_of_runs():
    found = next_steps(Path("reports/demo/index.html"), Path("runs/demo"))
    assert "vmsbench status --runs runs/demo" in found
    assert any(line.startswith("vmsbench ui --runs runs/demo ") for line in found)


def test_a_command_on_a_sweep_quotes_what_a_shell_would_split():
    assert place(Path("runs")) == ""
    assert command_on("resume", Path("runs/unet")) == "vmsbench resume unet"
    assert command_on("final", Path("a b/my net"), "--seeds 5") == "vmsbench final 'my net' --seeds 5 --runs 'a b'"
