"""The house: imports point one way, each heavy library lives in one room, and the core runs on torch alone."""

import ast
import graphlib
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.floors import FLOORS
from tests.support.tiny import configuration
from vmsbench.files import read_json, save_json

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vmsbench"
ROOM_OF = {
    "ray": "ray_backend",
    "optuna": "search",
    "mlflow": "tracking",
    "hydra": "config",
    "omegaconf": "config",
    "typer": "cli",
    "rich": "cli",
    "submitit": "launch",
    "matplotlib": "report",
    "pytorch_fid": "metrics",
    "onnxruntime": "inference",
    "timm": "networks",
}
FILES = sorted(PACKAGE.rglob("*.py"))
OF_A_TEST = re.compile(r"tests\.(\w+\.)*test_")


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def floor(name: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if name in rooms)


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", FILES, ids=named)
def test_imports_point_down_the_house(file: Path) -> None:
    if room(file) in ("__init__", "__main__"):
        return
    for name in imports(file):
        parts = name.split(".")
        if parts[0] == "vmsbench" and parts[1] != room(file):
            assert floor(parts[1]) <= floor(room(file)), f"{file} imports {name} from above"
            if floor(parts[1]) == floor(room(file)) > 0:
                pytest.fail(f"{file} imports {name}, a room on its own floor")


@pytest.mark.parametrize("file", FILES, ids=named)
def test_each_heavy_library_lives_in_one_room(file: Path) -> None:
    for name in imports(file):
        library = name.partition(".")[0]
        assert ROOM_OF.get(library, room(file)) == room(file), f"{file} imports {library}"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_every_file_opens_by_saying_what_it_is_and_holds_one_idea(file: Path) -> None:
    text = file.read_text()
    assert ast.get_docstring(ast.parse(text)), f"{file} says nothing of itself"
    assert len(text.splitlines()) <= 400
    assert file.stem not in ("utils", "common", "helpers", "misc")


def bare(config: dict[str, Any], folder: Path) -> "subprocess.CompletedProcess[str]":
    """An experiment in a process of its own where the other libraries are blocked, as on a bare GPU machine."""
    save_json(folder / "config.json", config)
    blocked = sorted({*ROOM_OF, "scipy", "yaml"})
    program = f"""
import sys
from importlib.machinery import PathFinder
there = PathFinder.find_spec
PathFinder.find_spec = staticmethod(
    lambda name, path=None, target=None: None if name.partition(".")[0] in {blocked!r} else there(name, path, target)
)
sys.argv = ["experiment", {str(folder / "config.json")!r}, {str(folder / "out")!r}]
import runpy
runpy.run_module("vmsbench.experiment", run_name="__main__")
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)


def test_the_core_runs_where_only_torch_is_installed(tmp_path: Path) -> None:
    done = bare(configuration(test=True), tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "out" / "results.json")["test_scores"]["n"] == 8


def test_a_wrong_setting_is_one_line_where_only_torch_is_installed(tmp_path: Path) -> None:
    wrong = configuration()
    wrong["model"]["discriminator"] = 1
    done = bare(wrong, tmp_path)
    assert done.returncode == 2, done.stderr
    assert re.fullmatch("error: model.discriminator is not a setting of .*\n", done.stderr)


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; import vmsbench.cli.app as c\n"
        "try: c.app(['--help'], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print('LOADED', sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    loaded = done.stdout.rpartition("LOADED")[2]
    assert "typer" in loaded
    for library in ("torch", "ray", "mlflow", "hydra", "submitit", "matplotlib", "numpy"):
        assert f"'{library}'" not in loaded


def test_no_class_is_called_as_another() -> None:
    seen: dict[str, Path] = {}
    for file in FILES:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef):
                assert node.name not in seen, f"{node.name} in {file} and {seen[node.name]}"
                seen[node.name] = file


def test_no_folder_holds_more_than_fourteen_files() -> None:
    homes = (PACKAGE, ROOT / "conf", ROOT / "docs", ROOT / "slurm")
    files = (file for home in homes for file in home.rglob("*") if file.is_file() and file.suffix != ".pyc")
    crowded = {named(folder): count for folder, count in Counter(file.parent for file in files).items() if count > 14}
    assert not crowded


def test_no_test_imports_another_and_all_are_in_small_folders() -> None:
    """What several tests need is in tests/support, so that a test can be moved or deleted without looking at others."""
    tests = ROOT / "tests"
    found = {named(file): imports(file) for file in tests.rglob("*.py") if "plugin_sample" not in file.parts}
    shared = {f"{file} imports {name}" for file, names in found.items() for name in names if OF_A_TEST.match(name)}
    assert not shared
    files = (file for file in tests.rglob("*") if file.is_file() and file.suffix != ".pyc")
    crowded = Counter(file.parent for file in files if file.name != "__init__.py")
    assert {named(folder): count for folder, count in crowded.items() if count > 14} == {}


FOLDER_FILES = {
    *("sweep.json", "journal.jsonl", "jobs.jsonl", "splits.json", "baselines.json", "provenance.json", "people.json"),
    *("tradeoff.json", "config.json", "history.jsonl", "results.json", "checkpoint.pt", "test_reads.jsonl"),
    *("starts.jsonl", "mlflow.json", "requests", ".ray-head.json", "interrupted.json", "failure.json"),
}


def texts(file: Path) -> set[str]:
    """The strings of a file that are not docstrings."""
    tree = ast.parse(file.read_text())
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said)
    return {node.value for node in constants if isinstance(node.value, str)}


def test_the_files_of_sweeps_and_experiments_are_named_in_store_alone() -> None:
    """Whoever reads or writes one asks store/ for it, so it has one reader, one writer and one schema."""
    named_in = {name for file in (PACKAGE / "store").glob("*.py") for name in texts(file)}
    assert named_in >= FOLDER_FILES
    others = [file for file in FILES if room(file) != "store"]
    found = {f"{named(file)}: {text}" for file in others for text in texts(file) if Path(text).name in FOLDER_FILES}
    assert not found


SLURM = re.compile(r"slurm|sbatch|srun|squeue|sacct|scontrol|sinfo|submitit", re.IGNORECASE)
NAMES_SLURM = {
    "launch/environment.py": ["docs/how-to/slurm.md"],
    "store/runs_folder.py": ['"slurm"'],
    "versions.py": [
        '"Slurm launcher": "vmsbench.launch.slurm.launcher.SlurmLauncher"',
        '"Slurm job": "vmsbench.launch.slurm.submitted"',
    ],
}
"""The page that explains variables, a folder in runs/ that is not a sweep, and the launcher's public names."""


@pytest.mark.parametrize("file", [file for file in FILES if "slurm" not in file.parts], ids=named)
def test_slurm_is_named_by_its_launcher_alone(file: Path) -> None:
    """What any other module knows of a cluster it knows through the interface of launchers."""
    text = file.read_text()
    for words in NAMES_SLURM.get(str(file.relative_to(PACKAGE)), []):
        assert words in text
        text = text.replace(words, "")
    assert SLURM.findall(text) == []


MIRRORS = ("bench", "cli/commands", "launch/slurm", "report", "testing", "tracking/mlflow")
"""Rooms whose files are named by what they are about: a command, a contract, a section, Slurm's status."""


def test_no_file_name_means_two_things() -> None:
    seen: dict[str, Path] = {}
    for file in FILES:
        place = str(file.relative_to(PACKAGE))
        if file.stem not in ("__init__", "__main__") and not place.startswith(MIRRORS):
            assert file.stem not in seen, f"{file} and {seen[file.stem]}"
            seen[file.stem] = file
    schedules = {folder.name for folder in (ROOT / "conf").iterdir() if "schedule" in folder.name}
    assert schedules == {"lr_schedule", "noise_schedule"}
    assert not (ROOT / "conf" / "scheduler").exists(), "what stops trials early is a pruner"


def test_half_of_all_functions_are_of_at_most_eight_lines() -> None:
    functions = [
        node.end_lineno - node.lineno + 1
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    ]
    assert statistics.median(functions) <= 8


def imported_first(tree: ast.Module) -> Iterator[str]:
    """The names that a module imports when it is imported."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_module_imports_itself_by_way_of_others() -> None:
    module = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES}
    needs = {
        name: {
            found
            for one in imported_first(ast.parse(file.read_text()))
            for found in (one, one.rpartition(".")[0])
            if found in module and found != name
        }
        for name, file in module.items()
    }
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError with the cycle
