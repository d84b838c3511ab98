"""Memory that is freed on a CPU: kept for what comes next, unless the user has set how."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.page_faults import BLOCK, BLOCKS, TURNS
from tests.support.tiny import configuration
from vmsbench.processes import SETTINGS

ROOT = Path(__file__).parents[2]
ALL = TURNS * BLOCKS * BLOCK // os.sysconf("SC_PAGE_SIZE")
"""The pages of all that is allocated: as many faults where each is new."""


def faults(*words: str, **environment: str) -> int:
    kept = {name: value for name, value in os.environ.items() if name not in ("GLIBC_TUNABLES", *SETTINGS)}
    command = [sys.executable, "-m", "tests.support.processes.page_faults", *words]
    done = subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc alone can be told so")
def test_trainings_and_predictions_keep_what_they_free_and_what_the_user_sets_stays(tmp_path: Path) -> None:
    assert faults(MALLOC_TOP_PAD_="131072") > ALL / 2
    assert faults(GLIBC_TUNABLES="glibc.malloc.check=0") > ALL / 2
    assert faults(MALLOC_ARENA_MAX="4", GLIBC_TUNABLES="glibc.rtld.optional_static_tls=512") < ALL / 100
    (tmp_path / "config.json").write_text(json.dumps(configuration()))
    assert faults(str(tmp_path / "config.json"), str(tmp_path / "unet")) < ALL / 100
    assert faults(str(tmp_path / "unet")) < ALL / 100
