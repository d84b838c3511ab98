"""The documentation: it builds without a warning, its commands run, its code works, and it leaves nothing out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.documents import DOCS, blocks
from tests.support.processes.running import ROOT, surroundings, vmsbench


def with_command(folder: Path, package: Path = ROOT) -> dict[str, str]:
    """An environment in which `vmsbench` is a command, of the code at `package`."""
    folder.mkdir()
    program = folder / "vmsbench"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vmsbench "$@"\n')
    program.chmod(0o755)
    environment = surroundings()
    return environment | {"PATH": f"{folder}:{environment['PATH']}", "PYTHONPATH": str(package)}


@pytest.mark.parametrize("family", ["unet", "gan"])
def test_the_page_on_searching_says_what_races_of_recorded_curves_are_like(family: str) -> None:
    text = (DOCS / "how-to" / "search.md").read_text()
    table = (ROOT / "reports" / "search" / f"racing-{family}.txt").read_text()
    columns = re.findall(r"^(\S.*?) +[\d.]+ +\d+ +([\d.]+)% +[\d.]+% +([\d.]+)%$", table, re.M)
    rows = {way: (float(changed), worse) for way, changed, worse in columns}
    for way in ("one seed", "6 seeds each", "race of 6", "2 short seeds each", "short race of 8"):
        for share in (f"{rows[way][0]:.0f} %", f"{rows[way][1]} %"):
            assert re.search(rf"(?<![\d.]){re.escape(share)}", text), f"{way}: {share}"
    assert rows["short race of 8"][0] < rows["one seed"][0] / 2


@pytest.mark.slow
@pytest.mark.nightly
def test_the_tutorials_commands_lead_to_a_table_for_a_thesis(tmp_path: Path) -> None:
    script = "set -e\n" + "\n".join(blocks("tutorial.md", "sh"))
    environment = with_command(tmp_path / "bin")
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for shown in re.findall(r"\\input{(.*)}", (DOCS / "tutorial.md").read_text()):
        assert r"\toprule" in (tmp_path / shown).read_text()
    assert (tmp_path / "report" / "index.html").exists()
    images = {file.stem for file in (tmp_path / "pairs" / "images").iterdir()}
    assert {file.stem for file in (tmp_path / "maps" / "overlays").iterdir()} == images


def own_folder(folder: Path) -> Path:
    """The files that the page on extending shows, each where it says."""
    text = (DOCS / "how-to" / "extend.md").read_text()
    for name, code in re.findall(r"`mine/([\w/.]+)`\n\n```\w+\n(.*?)```", text, re.S):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(code)
    return folder


@pytest.mark.slow
def test_what_is_shown_on_the_page_on_extending_works(tmp_path: Path) -> None:
    own_folder(tmp_path / "mine")
    small = ["data=standin", "data.count=40", "data.size=32", "--epochs", "1", "preset=quick"]
    environment = with_command(tmp_path / "bin") | {"VMSBENCH_CONF": "mine"}
    for exp in ("unet", "diffusion", "gaussian"):
        arguments = ["vmsbench", "train", "--exp", exp, "network=plain", *small]
        done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    chosen = ["network=plain", "searcher=reversed", *small, "--no-calibrate", "--worlds", "1"]
    arguments = ["vmsbench", "plan", "--exp", "unet", *chosen]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_tests_on_the_page_on_extending_pass(tmp_path: Path) -> None:
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    folder = own_folder(tmp_path / "mine")
    done = subprocess.run(tests, cwd=folder, env=surroundings(VMSBENCH_CONF="."), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_pages_build_strictly_and_tell_every_command_setting_and_room(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path)]
    environment = surroundings(NO_MKDOCS_2_WARNING="1")
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {name: (tmp_path / "reference" / name / "index.html").read_text() for name in ("commands", "settings")}
    for command in re.findall(r"^  ([a-z]+) ", vmsbench("--help", cwd=tmp_path).stdout, re.M):
        assert f'id="vmsbench-{command}' in pages["commands"]
    for option in (ROOT / "conf").glob("*/*.yaml"):
        assert f"{option.parent.name}={option.stem}" in pages["settings"]
    assert "fonts.googleapis" not in (tmp_path / "index.html").read_text()


def test_commands_in_the_pages_are_commands_and_options_that_there_are() -> None:
    from typer.main import get_command

    from vmsbench.cli.app import app

    known = get_command(app)
    pages = ["\n".join(blocks(str(page.relative_to(DOCS)), "sh")) for page in DOCS.rglob("*.md")]
    readme = re.findall(r"^    (.*)", (ROOT / "README.md").read_text(), re.M)
    told = re.findall(r"^(?:\$ )?vmsbench ([^\n#]*)", "\n".join([*pages, *readme]), re.M)
    assert len(told) > 25
    for line in told:
        words = line.split()
        command = known
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        assert command is not known or words[0].startswith("--"), line
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in options, line


def test_the_shell_completes_commands(tmp_path: Path) -> None:
    environment = {"_VMSBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "vmsbench pre", "COMP_CWORD": "1"}
    done = vmsbench(cwd=tmp_path, **environment)
    assert done.stdout.split() == ["predict"]


def test_the_citation_is_of_this_version() -> None:
    from vmsbench import __version__

    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_floors_in_the_contributors_page_are_those_that_are_held() -> None:
    from tests.support.floors import FLOORS

    rows = re.findall(r"^\| (\d+) \| (.*?) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    assert {int(level): set(rooms.split(", ")) for level, rooms in rows} == dict(enumerate(FLOORS))
