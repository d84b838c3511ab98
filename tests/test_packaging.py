"""The wheel holds all that the command needs, conf/ included."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_an_installed_wheel_composes_the_same_settings_as_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import json, vmsbench\n"
        "from vmsbench.config.compose import compose; from vmsbench.config.plugins import conf_folder\n"
        "print(json.dumps([str(conf_folder()), compose('gan', ['preset=quick'])]))"
    )
    found = []
    for place in (site, ROOT):
        command = [sys.executable, "-c", program, str(place)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    assert found[0][0] == str(site / "vmsbench" / "conf")
    assert found[0][1] == found[1][1]
