"""constraints.txt from the newest versions that pyproject.toml allows: make constraints, then make test."""

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LEFT_OUT = ("nvidia-", "cuda-", "triton", "vmsbench", "setuptools")
"""What torch itself pins, and what is no dependency from outside."""


def resolved() -> list[dict[str, Any]]:
    """What pip would install into an empty environment; nothing is installed."""
    options = ["--dry-run", "--ignore-installed", "--quiet", "--disable-pip-version-check", "--report", "-"]
    command = [sys.executable, "-m", "pip", "install", *options, f"{ROOT}[test]"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [entry["metadata"] for entry in json.loads(done.stdout)["install"]]


def lines(packages: list[dict[str, Any]]) -> list[str]:
    pins = {package["name"]: package["version"].partition("+")[0] for package in packages}
    kept = {name: version for name, version in pins.items() if not name.lower().startswith(LEFT_OUT)}
    version = ".".join(platform.python_version_tuple()[:2])
    head = (
        f"# The versions that were tested together (Python {version}, {platform.system()}); made by make constraints."
    )
    return [head, *(f"{name}=={kept[name]}" for name in sorted(kept, key=str.lower))]


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text("\n".join(lines(resolved())) + "\n")
    print(f"{file}: now `make test`, which installs them")
