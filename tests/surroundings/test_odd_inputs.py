"""Every odd input with every command that reads it: the right thing is done, or one line says why not."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import Called, called
from tests.support.data.data_folders import write_pairs
from tests.support.data.odd_folders import PAIRS, REFUSED, USABLE, overrides
from tests.support.tiny import configuration
from vmsbench.experiment import run


def commands(root: Path, runs: Path, usable: bool) -> dict[str, Called]:
    """How each command that reads data ends; whole sweeps on usable data are those of test_odd_sweeps."""
    places = ("--exp", "unet", "preset=quick", "data=folder", f"data.root={root}", "data.size=32", "tracker=none")
    small = ("trainer.epochs=1", "trainer.batch_size=4", "model.network.width=4", "device=cpu", "--runs", runs)
    given = overrides(root)
    named = ("--fixations", "seen") if (root / "seen").exists() else ()
    named += ("--repeats", "half_a", "--repeats", "half_b") if (root / "half_a").exists() else ()
    return {
        "data check": called("data", "check", root, *named, "--picture", runs / "pairs.png"),
        "data check --json": called("data", "check", root, *named, "--json"),
        "train": called("train", *places, *small, *given),
        "tune": called("tune", *places, *small, *given, *(["--dry-run"] if usable else [])),
        "evaluate": called("evaluate", "baselines", "data.size=32", *given[-1:], "--data", root, "--runs", runs),
    }


def listed(checked: str) -> str:
    return "; ".join(f"{one['name']}: {one['reason']}" for one in json.loads(checked)["problems"])


def one_line(end: Called, said: str) -> None:
    (line,) = end.err.splitlines()
    assert line.startswith("error: "), end
    assert said in line, end


@pytest.mark.parametrize("name", USABLE)
def test_what_is_odd_and_can_be_read_is_read_and_said(name: str, tmp_path: Path) -> None:
    make, said = USABLE[name]
    root, runs = tmp_path / "data", tmp_path / "runs"
    write_pairs(root, PAIRS)
    runs.mkdir()
    make(root)
    for command, end in commands(root, runs, usable=True).items():
        assert end.code == 0, (command, end)
        assert "Traceback" not in end.text
        if command not in ("tune", "data check --json"):
            assert said in end.text, (command, end)
    (log,) = runs.glob("single/*/log.txt")
    assert said in " ".join(log.read_text().split())
    checked = json.loads(called("data", "check", root, "--json").out)
    assert checked["good"]
    assert checked["counts"]["pairs"] == PAIRS


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_one_line(name: str, tmp_path: Path) -> None:
    make, said = REFUSED[name]
    root, runs = tmp_path / "data", tmp_path / "runs"
    write_pairs(root, PAIRS)
    runs.mkdir()
    make(root)
    for command, end in commands(root, runs, usable=False).items():
        assert end.code in (1, 2), (command, end)
        text = listed(end.out) if command == "data check --json" and end.code == 1 else end.text
        assert said in text, (command, end)
        if end.code == 2:
            one_line(end, said)
        else:
            assert command.startswith("data check")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "unet"
    run(configuration(test=True), folder)
    return folder


@pytest.mark.parametrize("name", [*USABLE, *REFUSED])
def test_predict_does_what_it_can(name: str, model: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_pairs(root, PAIRS)
    (USABLE | REFUSED)[name][0](root)
    end = called("predict", root / "images", "--model", model, "--out", tmp_path / "out", "--device", "cpu")
    bad = {"no picture": "pic03.png: unreadable", "a name that is not UTF-8": "its name is not UTF-8"}
    bad |= {"both files of a pair": "pic03.png: empty file"}
    assert end.code == (1 if name in bad else 0), end
    assert bad.get(name, "") in end.err
    assert "Traceback" not in end.text
    assert f"read from {root / 'images'}: images/" in end.out
    assert len([*(tmp_path / "out" / "maps").rglob("*.png")]) == PAIRS - (name in bad)
    if name == "links":
        assert "links followed: more" in end.out
