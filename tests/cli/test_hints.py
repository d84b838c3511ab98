"""Hints: the commands that messages name can be pasted, and are of what is meant."""

import ast
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.support.command_line import called, refused
from tests.support.sweep_maker import make_sweep
from tests.support.wide import widest
from vmsbench.cli.app import app
from vmsbench.cli.commands.results.status import lines as lines_of_status
from vmsbench.cli.wrapping import fitted, say
from vmsbench.store.usage import SlotHours
from vmsbench.sweep.status import status as status_of

PACKAGE = Path(__file__).parents[2] / "vmsbench"
SAFE = {
    "trials", "store", "place", "data", "what", "exp", "sweep.exp", "data_words_of(group)", "evaluation(one)",
    "place(runs)", "place(self._runs)", "group.place", "self.exp", "container",
}  # fmt: skip
"""Numbers, options of a group, and texts that are quoted where they are made."""


def commands() -> str:
    return "|".join(sorted(info.name or info.callback.__name__.replace("_", "-") for info in app.registered_commands))  # type: ignore[union-attr]


def hints(file: Path) -> Iterator[tuple[int, str]]:
    """Each value within a command of a message, and its line."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = [
                part.value if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"  # type: ignore[attr-defined]
                for part in node.values
            ]
            for command in re.findall(rf"vmsbench (?:{commands()}|data check)\b[^`]*", "".join(map(str, parts))):
                yield from ((node.lineno, value) for value in re.findall(r"\{(.*?)\}", command))


def test_names_and_paths_in_the_commands_of_messages_are_quoted() -> None:
    bare = {
        f"{file.relative_to(PACKAGE)}:{line} {value}"
        for file in PACKAGE.rglob("*.py")
        for line, value in hints(file)
        if value not in SAFE and not value.startswith(("shlex.quote(", "shlex.join("))
    }
    assert bare == set()


@pytest.mark.parametrize("command", ["status", "why", "report", "tune", "final", "evaluate", "sync", "predict"])
def test_a_file_as_the_folder_of_all_sweeps_is_refused_by_every_command(command: str, tmp_path: Path) -> None:
    file = tmp_path / "runs.txt"
    file.write_text("x")
    given = {
        "why": ("abc",), "final": ("unet",), "evaluate": ("baselines",),
        "predict": (tmp_path, "--model", "unet", "--out", tmp_path / "out"),
    }.get(command, ())  # fmt: skip
    refused(called(command, *given, "--runs", file), f"--runs {file} is a file: give the folder of all sweeps")


def test_where_there_are_no_sweeps_the_hint_starts_one_there(tmp_path: Path) -> None:
    runs = tmp_path / "my runs"
    runs.mkdir()
    for command in ("status", "report", "sync"):
        refused(called(command, "--runs", runs), f"`vmsbench tune --exp unet --runs '{runs}'` starts one")


def test_a_folder_that_is_no_model_is_refused_with_what_is(tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs", "unet")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    end = called(
        "predict",
        tmp_path / "a.png",
        "--model",
        tmp_path / "pictures",
        "--out",
        tmp_path / "out",
        "--runs",
        tmp_path / "runs",
    )
    refused(end, "pictures is not a trained model: give a sweep's name, the folder of a trial or a final")


def test_letters_that_no_font_has_are_named_once_and_the_report_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from vmsbench.report.render import style

    monkeypatch.setattr(style, "fonts", lambda: ["DejaVu Sans"])
    monkeypatch.setattr(style, "boxed", set())
    make_sweep(tmp_path / "runs", "unet", name="日本")
    make_sweep(tmp_path / "runs", "gan")
    with warnings.catch_warnings(record=True) as caught:
        end = called("report", "--runs", tmp_path / "runs", "--out", tmp_path / "report", "--formats", "")
    assert end.code == 0, end
    assert "日本" in (tmp_path / "report" / "index.html").read_text()
    assert not [one for one in caught if "Glyph" in str(one.message)]
    assert caplog.text.count("no font here has 日 本: boxes stand for them in figures") == 1


def test_lines_for_people_stay_within_a_terminal_and_are_whole_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["  " + "word " * 30, "short", "read from /a folder/" + "with spaces " * 10]
    say(*lines)
    assert capsys.readouterr().out == "\n".join(lines) + "\n"
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    *first, short, path = fitted(lines)
    assert max(map(len, first)) <= 60
    assert (" ".join(first).split(), short, path) == (lines[0].split(), *lines[1:])
    assert all(line.startswith("    ") for line in first[1:])
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    say(lines[0], to=sys.stderr)
    printed = capsys.readouterr()
    assert (printed.out, printed.err.splitlines()) == ("", fitted(lines[:1]))


def test_of_a_status_the_hint_is_cut_nowhere(tmp_path: Path) -> None:
    make_sweep(tmp_path, "unet")
    known = status_of(tmp_path / "unet")
    hours = SlotHours(useful=123.456, pruned=12.3, repeated=4.5, lost=2.25, finals=66.7, overhead=1.5, idle=1234.5)
    text = lines_of_status(replace(known, hours=hours, failures={"out of memory": 12, "disk full, or not writable": 7}))
    assert widest(text) <= 80
    assert "`vmsbench plan` with its settings says what would raise it" in " ".join(" ".join(text).split())
    assert known.serves in " ".join(" ".join(text).split())
