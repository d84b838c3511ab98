"""The names that sweeps may have."""

from pathlib import Path

import pytest

from tests.support.command_line import called, refused
from vmsbench.errors import ConfigurationError
from vmsbench.store.runs_folder import check_name


@pytest.mark.parametrize("name", ["cache", "single", "mlflow.db", "mlflow-server.log", "mlruns", "mlartifacts"])
def test_no_sweep_is_called_as_what_else_lies_in_a_runs_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"^--name {name}: a sweep's name .* reserved are .*{name}"):
        check_name(name)
    for command in (("tune", "--dry-run"), ("plan",), ("ablate", "augment")):
        refused(called(*command, "--exp", "unet", "--name", name, "--runs", tmp_path), f"--name {name}: a sweep's name")
    assert not list(tmp_path.iterdir())
