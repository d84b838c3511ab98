"""What a change costs: each is made by the files of its row in docs/how-to/extend.md alone, and used."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.plugin import PACKAGE, plain_folder, write_pictures
from tests.support.processes.running import ROOT, command, surroundings
from tests.support.sweep_maker import make_sweep
from vmsbench.config.compose import compose
from vmsbench.config.instantiate import build
from vmsbench.config.plugins import VARIABLE
from vmsbench.config.settings import with_settings
from vmsbench.metrics.catalog import per_image, sign
from vmsbench.testing import (
    dataset_contract,
    metric_contract,
    model_contract,
    network_contract,
    pruner_contract,
    searcher_contract,
    tracker_contract,
)

PAGE = ROOT / "docs" / "how-to" / "extend.md"
FILES = {
    "network": ("network.py", "conf/network/sample.yaml"),
    "searcher": ("searcher.py", "conf/searcher/sample.yaml"),
    "pruner": ("pruner.py", "conf/pruner/sample.yaml"),
    "metric": ("metrics.py",),
    "family": ("gaussian.py", "conf/model/gaussian.yaml", "conf/exp/gaussian.yaml"),
    "launcher": ("pbs.py", "conf/launcher/pbs.yaml"),
    "tracker": ("tracker.py", "conf/tracker/sample.yaml"),
    "dataset": ("dataset.py", "conf/data/sample.yaml"),
}
"""By change, the files of the sample plugin that make it."""

Change = dict[str, str | dict[str, str]]
"""New files by their text; for others, what is added in front of which words."""

COMMAND: Change = {
    "vmsbench/cli/commands/results/longest.py": '''"""`vmsbench longest`: the trial that took the longest."""

from pathlib import Path

import typer

from vmsbench.cli.options import Runs


def longest(name: str, runs: Runs = Path("runs")) -> None:
    """The trial of a sweep that took the longest."""
    from vmsbench.store.reader import read_sweep

    trial = max(read_sweep(runs / name).trials, key=lambda trial: trial.seconds)
    typer.echo(f"{trial.id}: {trial.seconds:.0f} s")
''',
    "vmsbench/cli/app.py": {
        "from vmsbench.cli.commands.sweeps import": "from vmsbench.cli.commands.results import longest\n",
        'app.command("export")': "app.command()(longest.longest)\n",
    },
}
SECTION: Change = {
    "vmsbench/report/sections/longest.py": '''"""The trial of each sweep that took the longest."""

from vmsbench.report.blocks import Block, Items
from vmsbench.report.topic import Topic


def longest_blocks(topic: Topic) -> list[Block]:
    found = [(sweep.name, max(trial.seconds for trial in sweep.trials)) for sweep in topic.group.sweeps]
    return [Items(tuple(f"`{name}`: {seconds:.0f} s" for name, seconds in found))]
''',
    "vmsbench/report/document.py": {
        "from vmsbench.report.sections.reproduce": "from vmsbench.report.sections.longest import longest_blocks\n",
        '    Section("Data", data_blocks),': '    Section("The longest trial", longest_blocks),\n',
    },
}
CHANGES = {"command": COMMAND, "report section": SECTION}


def lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


def cost_of(change: str) -> tuple[int, int]:
    """Files that are made or edited, and lines that are not blank."""
    if change in FILES:
        return len(FILES[change]), sum(lines((PACKAGE / file).read_text()) for file in FILES[change])
    edits = CHANGES[change].values()
    return len(edits), sum(lines(edit if isinstance(edit, str) else "".join(edit.values())) for edit in edits)


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes a change in a folder of one's own that holds the files of that change and no other."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(change: str) -> None:
        folder, whole = tmp_path / change, plain_folder(tmp_path / "whole")
        for file in FILES[change]:
            place = file.removeprefix("conf/") if "/" in file or file == "metrics.py" else f"{PACKAGE.name}/{file}"
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(whole / place, folder / place)
        monkeypatch.setenv(VARIABLE, str(folder))
        importlib.invalidate_caches()

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE.name]:
        del sys.modules[name]


def test_a_network(only: Callable[[str], None]) -> None:
    only("network")
    network_contract(build(compose("gan", ["network=sample", "preset=quick"])["model"]["network"]))


def test_a_searcher(only: Callable[[str], None]) -> None:
    only("searcher")
    spec = compose("unet", ["searcher=sample"])["searcher"]
    searcher_contract(lambda space: build({name: spec[name] for name in spec if name != "repeats"}, space=space))


def test_a_pruner(only: Callable[[str], None]) -> None:
    only("pruner")
    pruner_contract(partial(build, compose("unet", ["pruner=sample"])["pruner"]))


def test_a_metric(only: Callable[[str], None]) -> None:
    only("metric")
    metric_contract("hits_true")
    assert sign(compose("unet", ["metric=hits_true"])["metric"]) == -1, "a search raises it"
    assert "hits_true" in per_image(), "it has an interval"


def test_a_family(only: Callable[[str], None]) -> None:
    only("family")
    config = with_settings(compose("gaussian", ["preset=quick"])["model"], {"network.width": 8})
    model_contract(lambda channels, size: build(config, channels=channels, size=size))


def test_a_launcher(only: Callable[[str], None], tmp_path: Path) -> None:
    """That it runs jobs is shown by tests/slurm/test_pbs.py, on a cluster."""
    only("launcher")
    launcher = build(compose("unet", ["launcher=pbs", f"launcher.folder={tmp_path}"])["launcher"])
    assert "#PBS -l walltime=08:00:00" in launcher.script(["vmsbench", "tune"])


def test_a_tracker(only: Callable[[str], None], tmp_path: Path) -> None:
    only("tracker")
    tracker_contract(partial(build, compose("unet", ["tracker=sample"])["tracker"]), tmp_path / "runs")


def test_a_dataset(only: Callable[[str], None], tmp_path: Path) -> None:
    only("dataset")
    root = write_pictures(tmp_path / "pictures")
    data = compose("unet", ["data=sample", f"data.root={root}", "data.size=32"])["data"]
    dataset_contract(build({name: data[name] for name in data if name != "cache"} | {"_partial_": True}), tmp_path)


def changed_copy(folder: Path, change: Change) -> Path:
    """vmsbench with the change, and nothing else."""
    for part in ("vmsbench", "conf"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, edit in change.items():
        place = folder / name
        if isinstance(edit, str):
            assert not place.exists()
            place.write_text(edit)
            continue
        for words, added in edit.items():
            before = place.read_text()
            assert before.count(words) == 1, f"{name}: {words}"
            place.write_text(before.replace(words, added + words))
    return folder


def answer(home: Path, folder: Path, *arguments: str) -> str:
    environment = surroundings(PYTHONPATH=f"{home}{os.pathsep}{ROOT}")
    done = subprocess.run(command(*arguments), cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_command(tmp_path: Path) -> None:
    home = changed_copy(tmp_path / "copy", CHANGES["command"])
    make_sweep(tmp_path / "runs", "unet")
    assert re.fullmatch(r"\w{12}: \d+ s\n", answer(home, tmp_path, "longest", "unet"))
    assert "longest" in answer(home, tmp_path, "--help")


def test_a_report_section(tmp_path: Path) -> None:
    home = changed_copy(tmp_path / "copy", CHANGES["report section"])
    make_sweep(tmp_path / "runs", "unet")
    answer(home, tmp_path, "report", "unet")
    assert re.search(
        r"## The longest trial\n\n- `unet`: \d+ s", (tmp_path / "reports" / "unet" / "report.md").read_text()
    )


def test_the_pages_figures_are_those_of_the_files_and_within_the_goal() -> None:
    rows = re.findall(r"^\| a ([\w ]+?) \| (\d+) \| (\d+) \|", PAGE.read_text(), re.M)
    told = {change: (int(files), int(length)) for change, files, length in rows}
    assert told == {change: cost_of(change) for change in [*FILES, *CHANGES]}
    for change, (files, _) in told.items():
        assert files <= (4 if change == "family" else 2), change
