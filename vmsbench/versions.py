"""Versions and public names: the schema of the files, the version of the numeric code, names that stay importable.

From the first release on, SCHEMA is raised where a file that is read again changes its format, and the names in PUBLIC
stay importable: they stand in pickled jobs, in command lines and in models that MLflow keeps.
"""

import ast
import hashlib
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError
from vmsbench.files import read_json

SCHEMA = 1
"""Of config.json, results.json, sweep.json and journal.jsonl, without which no other file of a sweep is read."""

COMMIT = "commit.txt"
"""In the package as a job has it unpacked: the commit that it was submitted from."""

NUMERIC_CORE = (
    "config/instantiate.py",
    "config/schema.py",
    "config/settings.py",
    "experiment.py",
    "data",
    "networks",
    "models",
    "metrics",
    "training",
)
"""The files and folders of the package that a result depends on."""

PUBLIC = {
    "supervised job": "vmsbench.launch.supervisor.finish",
    "Slurm launcher": "vmsbench.launch.slurm.launcher.SlurmLauncher",
    "Slurm job": "vmsbench.launch.slurm.submitted",
    "pickled call": "vmsbench.launch.pickled",
    "elastic worker": "vmsbench.launch.worker.work",
    "Ray node": "vmsbench.ray_backend.cluster",
    "injected fault": "vmsbench.launch.drill.faults",
    "one experiment": "vmsbench.experiment",
    "MLflow model": "vmsbench.tracking.mlflow.model",
}
"""Functions in queued jobs, modules in command lines, and MLflow's loader module, by purpose."""


def check_schema(document: Mapping[str, Any], file: Path) -> None:
    """Raises UserError for a file that this version cannot read, in one line that says which version can."""
    found = document.get("schema")
    if not isinstance(found, int) or isinstance(found, bool):
        raise UserError(
            f"{file} has no schema: it was written by a version of vmsbench before 0.2, and only that reads it; "
            "choose another --runs, or remove the folder"
        )
    if found == SCHEMA:
        return
    newer = "a newer vmsbench" if found > SCHEMA else "an older vmsbench"
    raise UserError(
        f"{file} has schema {found}, this vmsbench reads {SCHEMA}: it was written by {newer}, which reads it"
    )


def read_checked(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises UserError for one that this version cannot read, as `check_schema`."""
    document: dict[str, Any] = read_json(file)
    check_schema(document, file)
    return document


def commit() -> str | None:
    """The commit of the code that runs, `-dirty` where it was changed since; None outside a git repository."""
    package = Path(__file__).parent
    if (noted := package / COMMIT).exists():
        return noted.read_text(encoding="utf-8").strip() or None
    try:
        return described(package)
    except (OSError, subprocess.SubprocessError):
        return None


@cache
def described(folder: Path) -> str:
    """The commit of a folder by git. A failure is not kept: git is asked again."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


@cache
def code_version() -> str:
    """Twelve hexadecimal digits of all code that a result depends on, and of torch's version.

    Comments, docstrings, layout, and where a file lies are left out: moving or documenting code changes nothing.
    """
    import torch

    contents = sorted(content_hash(file.read_text(encoding="utf-8")) for file in numeric_files())
    return hashlib.sha256(" ".join([torch.__version__, *contents]).encode()).hexdigest()[:12]


def numeric_files() -> list[Path]:
    """The files of the numeric core."""
    package = Path(__file__).parent
    files = {file for name in NUMERIC_CORE for file in (*(package / name).rglob("*.py"), package / name)}
    return sorted(file for file in files if file.is_file())


@cache
def code_by_file() -> dict[str, str]:
    """What `code_version` is made of: by its path within the package, a digest of each file; and torch's version."""
    import torch

    package = Path(__file__).parent
    found = {str(file.relative_to(package)): content_hash(file.read_text(encoding="utf-8")) for file in numeric_files()}
    return {name: digest[:12] for name, digest in found.items()} | {"torch": torch.__version__}


def content_hash(source: str) -> str:
    """A digest of what Python source does, wherever it lies."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vmsbench"):
            node.module = "vmsbench"
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
