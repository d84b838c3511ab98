"""A sample of wrong settings through the real command line, each in a process of its own: one line, exit code 2."""

import random
import subprocess
from pathlib import Path

import pytest

from tests.support.processes.running import command, surroundings
from tests.support.settings import leaves
from vmsbench.config.compose import compose
from vmsbench.config.plugins import options
from vmsbench.errors import ConfigurationError

WRONG = ["null", "", "wörd", "[]", "{}", "nan", "inf", "100000000000000000000", "[1,2]", "1,2", "'", "${x}", "-1"]
SAMPLE = 8


def wrong_settings() -> list[tuple[str, str, str]]:
    """(experiment, override, what is said) of settings drawn by a seed, of those that composing refuses."""
    drawn, found = random.Random(18), []
    bases = {exp: leaves(compose(exp, [])) for exp in sorted(options("exp"))}
    while len(found) < SAMPLE:
        exp = drawn.choice(sorted(bases))
        path, value = drawn.choice(bases[exp]), drawn.choice(WRONG)
        try:
            compose(exp, [f"{path}={value}"])
        except ConfigurationError as error:
            found.append((exp, f"{path}={value}", str(error)))
    return found


@pytest.mark.slow
def test_what_composing_refuses_is_what_the_command_says(tmp_path: Path) -> None:
    for exp, override, said in wrong_settings():
        done = subprocess.run(
            command("train", "--exp", exp, override), cwd=tmp_path, env=surroundings(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, ""), (override, done.stderr)
        assert done.stderr == f"error: {said}\n"
        assert not list(tmp_path.iterdir())
