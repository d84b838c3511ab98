"""What is seen of the work: in a terminal of 80 columns, in a job's log, by another program; and Ctrl-C twice."""

import json
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import termios
import time
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.support.processes.running import (
    SMALL,
    TWO_TRIALS,
    command,
    events,
    family_of,
    started,
    surroundings,
    vmsbench,
    wait_for,
)
from tests.support.wide import widest
from vmsbench.cli import live_table, progress
from vmsbench.cli.exit_codes import LOGS, keep_traceback, run
from vmsbench.cli.wrapping import broken
from vmsbench.errors import UserError
from vmsbench.files import append_line, save_json
from vmsbench.versions import SCHEMA

COLOUR = re.compile(r"\x1b\[[\d;]*m")
CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def in_terminal(arguments: list[str], cwd: Path, **environment: str) -> tuple[int, str]:
    """The exit code, and all that a terminal of 80 columns was sent."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    surrounding = surroundings(**{"TERM": "xterm-256color", **environment})
    process = subprocess.Popen(command(*arguments), cwd=cwd, env=surrounding, stdout=theirs, stderr=theirs)
    os.close(theirs)
    sent = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:
            break
        if not more:
            break
        sent += more
    return process.wait(), sent.decode(errors="replace")


def shown(sent: str) -> list[str]:
    """The lines that a terminal shows, but for the folder that the data are read from."""
    return [line for line in re.split(r"[\r\n]+", CONTROL.sub("", sent)) if "read from " not in line]


@pytest.mark.slow
def test_a_training_shows_a_bar_in_a_terminal_and_no_colour_where_none_is_wanted(tmp_path: Path) -> None:
    arguments = ["train", "--exp", "unet", *SMALL[:-1]]
    code, sent = in_terminal(arguments, tmp_path, NO_COLOR="1")
    assert code == 0, sent
    assert "3/3" in sent
    assert not [found for found in COLOUR.findall(sent) if re.search(r"3[0-7]|9[0-7]|38", found)]
    assert widest(shown(sent.rpartition("tuning validation pairs")[0])) <= 80
    plain = vmsbench(*arguments, cwd=tmp_path)
    assert re.search(r"^\d\d:\d\d:\d\d epoch 1/3 ", plain.stdout, re.M)
    told = json.loads(vmsbench(*arguments, "--json", cwd=tmp_path).stdout)
    assert f"L1 {told['results']['validation_scores']['l1']:.4f}" in plain.stdout
    assert vmsbench(*arguments, "--quiet", cwd=tmp_path).stdout.startswith("unet on")


def test_help_has_a_whole_line_for_every_command() -> None:
    from typer.testing import CliRunner

    from vmsbench.cli.app import app

    for group in ([], ["data"], ["bench"], ["site"], ["weights"]):
        shown = CliRunner().invoke(app, [*group, "--help"], terminal_width=80).stdout
        assert "..." not in shown.partition("Commands:")[2]
        assert "Commands:" in shown


@pytest.mark.slow
def test_a_sweep_in_a_terminal_keeps_to_80_columns_and_ends_in_json_for_programs(tmp_path: Path) -> None:
    """With a tracking server that is down all the while: one warning, and a later sync catches up."""
    arguments = ["tune", "--exp", "unet", "--cpus", "2", *SMALL[:-1], TWO_TRIALS]
    code, sent = in_terminal(arguments, tmp_path, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert code == 0, sent
    assert "parameters settled" in sent
    assert "best: tuning crps" in sent
    before, warning, after = re.split(r"(warning: [^\r\n]*)", sent.partition("the best configuration")[0])
    assert "the server does not answer" in warning
    assert widest(shown(before) + shown(after)) <= 80
    told = json.loads(vmsbench(*arguments, "--json", cwd=tmp_path).stdout)
    (winner,) = events(tmp_path / "runs" / "unet", "winner")
    assert (told["state"], told["winner"]["trial"]) == ("finished", winner["trial"])
    assert [final["trial"] for final in told["finals"]]
    assert vmsbench("sync", cwd=tmp_path).returncode == 0
    assert (tmp_path / "runs" / "mlflow.db").exists()


@pytest.mark.slow
def test_a_second_ctrl_c_does_not_wait_for_anything(tmp_path: Path) -> None:
    process = started(["tune", "--exp", "unet", "--cpus", "2", *SMALL, "trainer.epochs=400"], tmp_path)
    folder = tmp_path / "runs" / "unet"
    wait_for(lambda: list(folder.glob("trials/*/history.jsonl")), process, tmp_path)
    family = family_of(process)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: "Ctrl-C again stops at once" in (tmp_path / "log").read_text(), process, tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) in (75, 130), (tmp_path / "log").read_text()
    assert not (folder / "lock").exists()
    until = time.monotonic() + 30
    while (left := [pid for pid in family if alive(pid)]) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_terminal_that_cannot_redraw_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert not progress.terminal()
    monkeypatch.setenv("TERM", "xterm")
    assert progress.terminal()


def test_the_live_table_tells_the_walk_the_best_and_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    width, rate = "model.network.width", "optimizers.network.lr"
    space = [{"param": width, "values": [8, 16]}, {"param": rate, "values": [0.1, 0.01, 0.001]}]
    save_json(tmp_path / "sweep.json", {"schema": SCHEMA, "space": space, "config": {"metric": "crps"}})
    journal = tmp_path / "journal.jsonl"
    append_line(journal, {"event": "session", "time": 0.0, "schema": SCHEMA, "slots": 1, "cpus": 1, "gpus": 0})
    for trial, score in (("a" * 12, 0.2), ("b" * 12, 0.1)):
        params = {width: 8 if trial[0] == "a" else 16}
        append_line(journal, {"event": "started", "time": 1.0, "trial": trial, "params": params, "parameter": width})
        end: dict[str, Any] = {"state": "complete", "score": score, "epoch": 3, "seconds": 90.0, "cause": None}
        append_line(journal, {"event": "finished", "time": 2.0, "trial": trial, **end})
    tried = [{"value": v, "score": s, "trial": t * 12} for v, s, t in ((8, 0.2, "a"), (16, 0.1, "b"))]
    settled = {"event": "settled", "time": 3.0, "parameter": width, "value": 16, "score": 0.1, "options": tried}
    append_line(journal, settled)
    table = live_table.LiveTable(tmp_path)
    table.close()
    monkeypatch.setattr(table.live, "console", Console())
    table.update()
    assert table.caption == (
        "; 1 of 2 parameters settled; at most 3 min 00 s to go\nbest: tuning crps 0.1000  model.network.width=16"
    )


def test_tracebacks_are_kept_and_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    for order in range(LOGS + 5):
        old = tmp_path / f"vmsbench-error-{10_000_000 + order}.log"
        old.touch()
        os.utime(old, (order, order))

    def broken(**_: Any) -> None:
        raise RuntimeError("what is this")

    assert run(broken) == 1
    kept = sorted(file.name for file in tmp_path.iterdir())
    assert len(kept) == LOGS
    assert f"vmsbench-error-{os.getpid()}.log" in kept
    assert "what is this" in (tmp_path / f"vmsbench-error-{os.getpid()}.log").read_text()
    assert keep_traceback().parent == tmp_path


def test_what_the_user_can_mend_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def mistaken(**_: Any) -> None:
        raise UserError("no such thing; did you mean that?")

    assert run(mistaken) == 2
    assert capsys.readouterr().err == "error: no such thing; did you mean that?\n"


def test_the_hints_of_a_finished_sweep_can_be_pasted_and_name_its_own_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vmsbench.cli.summary import next_steps

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = {"tracker": {"_target_": "vmsbench.tracking.mlflow.tracker.MlflowTracker"}}
    _, report, link = next_steps(settings, Path("my runs") / "it's # 1", Path("my runs"))
    assert shlex.split(report) == ["vmsbench", "report", "it's # 1", "--runs", "my runs"]
    assert link.strip().startswith("vmsbench ui --runs 'my runs'")
    assert "my runs/mlflow.db" in link


def test_addresses_paths_and_names_are_never_cut() -> None:
    address = "https://example.org/a-b/releases/pt_inception-2015-12-05.pth"
    lines = broken(
        f"download {address} on a machine with internet and copy it to runs/my-sweep/of-today", 40, then="  "
    )
    assert len(lines) > 2
    assert any(line.strip() == address for line in lines)
    assert all(len(line) <= 40 for line in lines if address not in line)
