"""A sweep's trials and the other processes of the machine: how nice they are, and how their threads wait."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vmsbench.config.compose import compose
from vmsbench.errors import ConfigurationError
from vmsbench.ray_backend.resources import slots_for

ROOT = Path(__file__).parents[2]


def says(*words: str, **environment: str) -> str:
    """What a Python of its own prints."""
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    kept |= {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.nightly
def test_trials_are_as_nice_as_the_sweep_or_nicer_by_the_setting_and_their_threads_sleep_while_they_wait(
    tmp_path: Path,
) -> None:
    assert json.loads(says("-m", "tests.support.processes.niceness")) == [[0, "PASSIVE"], [2, "PASSIVE"]]
    assert json.loads(says("-m", "tests.support.processes.niceness", str(tmp_path))) == [[2, "PASSIVE"]]


def test_the_setting_reaches_the_slots() -> None:
    assert slots_for(compose("unet", ["device=cpu"]), 1, 0).niceness == 0
    assert slots_for(compose("unet", ["device=cpu", "slots.niceness=10"]), 1, 0).niceness == 10
    with pytest.raises(ConfigurationError, match="from 0 to 19"):
        compose("unet", ["slots.niceness=20"])


def test_how_threads_wait_stays_as_the_user_has_set_it() -> None:
    program = "import vmsbench, os; print(os.environ.get('OMP_WAIT_POLICY'))"
    assert says("-c", program) == "PASSIVE"
    assert says("-c", program, OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"
    assert says("-c", program, GOMP_SPINCOUNT="1000") == "None"
