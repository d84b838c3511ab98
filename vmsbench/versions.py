"""What other versions of vmsbench rely on: the schema of the files, the version of the numeric code, public names.

From the first release on, SCHEMA counts up where a file that is read again changes its form, and the names in PUBLIC
stay importable: they stand in pickled jobs, in command lines and in models that MLflow keeps.
"""

import ast
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError

SCHEMA = 1
"""Of config.json, results.json, sweep.json and journal.jsonl."""

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
    "elastic worker": "vmsbench.launch.worker.work",
    "Ray node": "vmsbench.ray_backend.cluster",
    "fault test": "vmsbench.launch.fault_test",
    "one experiment": "vmsbench.experiment",
    "MLflow model": "vmsbench.tracking.mlflow.model",
}


def check_schema(document: Mapping[str, Any], file: Path) -> None:
    """Raises UserError for a file that this version cannot read, in one line that says which version can."""
    found = document.get("schema")
    if found == SCHEMA:
        return
    if not isinstance(found, int) or isinstance(found, bool):
        raise UserError(
            f"{file} has no schema: a version of vmsbench before 0.2 wrote it, and that version alone reads it; "
            "choose another --runs, or remove the folder"
        )
    newer = "a newer vmsbench" if found > SCHEMA else "an older vmsbench"
    raise UserError(f"{file} has schema {found}, this vmsbench reads {SCHEMA}: {newer} wrote it, and reads it")


@cache
def code_version() -> str:
    """Twelve hexadecimal digits of all code that a result depends on, and of torch's version.

    Comments, docstrings, layout, and where a file lies are left out: moving or documenting code changes nothing.
    """
    import torch

    package = Path(__file__).parent
    files = {file for name in NUMERIC_CORE for file in (*(package / name).rglob("*.py"), package / name)}
    contents = sorted(content_hash(file.read_text(encoding="utf-8")) for file in files if file.is_file())
    return hashlib.sha256(" ".join([torch.__version__, *contents]).encode()).hexdigest()[:12]


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
