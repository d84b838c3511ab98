"""The cluster of these tests leaves nothing behind, however its owner ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.slurm.conftest import ROOT
from tests.slurm.lab import obstacle, sweep

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(obstacle()), reason=str(obstacle()))]

OWNER = """
import sys
from pathlib import Path
from tests.slurm.conftest import User
from tests.slurm.lab import Lab
folder = Path(sys.argv[1])
with Lab(folder, nodes=1).running() as lab:
    User(lab, folder / "user").says(f"touch {folder}/up; sleep 1000 & sleep 1000")
"""


def of(folder: Path) -> list[str]:
    """The processes here that this folder's lab knows of, and the bridge."""
    listed = subprocess.run(["ps", "-ww", "-eo", "stat,args", "--no-headers"], capture_output=True, text=True).stdout
    links = subprocess.run(["ip", "link"], capture_output=True, text=True).stdout
    return [line for line in (listed + links).splitlines() if str(folder) in line and line[0] != "Z"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_lab_ends_with_its_owner(how: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    (folder / "nodes").mkdir(parents=True)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], cwd=ROOT, stderr=subprocess.PIPE)
    try:
        while not (folder / "up").exists():
            assert owner.poll() is None, owner.communicate()
            time.sleep(0.05)
        assert len(of(folder)) > 3
    finally:
        owner.send_signal(how)
        owner.communicate()
    sweep()
    until = time.monotonic() + 10
    while of(folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert of(folder) == []
