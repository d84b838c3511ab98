"""The sample plugin as a user has it: an installed package, or a plain folder."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE = Path(__file__).parents[1] / "plugin_sample"
PACKAGE = SAMPLE / "vmsbench_sample"


def install(site: Path) -> Path:
    """What pip makes of the package in a folder of sys.path: its files, and its metadata with the entry points."""
    project = tomllib.loads((SAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(PACKAGE, site / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    about = site / f"{PACKAGE.name}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [line for group, points in groups for line in (f"[{group}]", *(f"{n} = {v}" for n, v in points.items()))]
    (about / "entry_points.txt").write_text("\n".join(lines))
    return site


def plain_folder(folder: Path) -> Path:
    """The same as a folder that has the form of conf/, its Python files next to the YAML."""
    shutil.copytree(PACKAGE / "conf", folder)
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("conf", "__pycache__"))
    shutil.move(folder / PACKAGE.name / "metrics.py", folder / "metrics.py")
    return folder


def write_pictures(root: Path, count: int = 30, side: int = 32) -> Path:
    """Pictures of image and map side by side."""
    root.mkdir(parents=True)
    chance = np.random.default_rng(0)
    for number in range(count):
        pixels = chance.integers(0, 256, (side, 2 * side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number:02d}.png")
    return root
