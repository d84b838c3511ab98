"""Settings from site.yaml: checked by name and kind, and read as people mean them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from vmsbench.config.compose import compose
from vmsbench.errors import ConfigurationError
from vmsbench.launch.slurm.launcher import SlurmLauncher
from vmsbench.launch.submit import RunOptions, launcher_of


def script(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The batch script under a site's settings."""
    (folder / "vmsbench").mkdir()
    (folder / "vmsbench" / "site.yaml").write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    monkeypatch.setattr("shutil.which", lambda command, **more: f"/bin/{command}")
    settings: Any = compose("unet", ["launcher=slurm", f"launcher.folder={folder}/jobs"])["launcher"]
    overrides = ["launcher=slurm", "launcher.folder=x"]
    return launcher_of(settings=settings, overrides=overrides, folder=folder, options=RunOptions()).script()


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("setup: module load cuda", "\nmodule load cuda\n"),
        ("setup: [module load cuda, export A=1]", "\nexport A=1\n"),
        ("account: 12345", "--account=12345\n"),
        ("account: 0123", "--account=0123\n"),
        ("time: 8:00:00", "--time=8:00:00\n"),
        ("time: 90", "--time=90\n"),
        ("partition: low,high", "--partition=low,high\n"),
        ("exclude: n1", "--exclude=n1\n"),
        ("exclude: [1, 2]", "--exclude=1,2\n"),
        ("forbidden: [1]", "--time=08:00:00\n"),
        ("setup: [1]", "\n1\n"),
        ("memory: 2", "--mem=2048M\n"),
        ("extra: {qos: long, nice: 5}", "--nice=5\n"),
    ],
)
def test_settings_are_read_as_they_are_meant(
    line: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert written in script(line, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('cpus: "four"', "launcher.cpus=four does not fit: it is a whole number"),
        ("cpus: true", "launcher.cpus=true does not fit"),
        ("cpus:", "launcher.cpus=null does not fit"),
        ("notice: 30s", "launcher.notice=30s does not fit: it is a whole number"),
        ("extra: qos=long", "launcher.extra=qos=long does not fit: it is a mapping"),
        ("extra: {qos: [a]}", r"launcher.extra.qos is \['a'\]; it must be a text"),
        ("partition: [low, high]", r"launcher.partition=\[low, high\] does not fit: it is text"),
        ("account: yes", "launcher.account=true does not fit: it is text"),
        ("requeue: maybe", "launcher.requeue=maybe does not fit: it is true or false"),
        ("memory: 64G", "launcher.memory=64G does not fit: it is a number"),
        ("setup: {a: 1}", "launcher.setup={a: 1} does not fit: it is a list"),
        ("extra: {1: 2}", "launcher.extra has 1; the long name of a flag"),
        ("extra: {true: 2}", "launcher.extra has True; the long name of a flag"),
        ("exclude: [[n1]]", "launcher.exclude=.* does not fit: it is a list"),
        ("binds: 1", "launcher.binds=1 does not fit: it is a list"),
        ("partition", "has no settings"),
        ("partitoin: gpu", "did you mean partition"),
    ],
)
def test_a_value_of_another_kind_is_refused_naming_its_setting(
    line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        script(line, tmp_path, monkeypatch)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "code"), [("true", 0), ("false", 1), ("cd /no/such/folder", 1), ("no-such-command", 127)]
)
def test_a_set_up_line_that_fails_ends_the_job(
    line: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda command, **more: f"/bin/{command}")
    text = SlurmLauncher(setup=["export A=1", line], folder=tmp_path).script(["echo", "ran"])
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True)
    assert done.returncode == code
    assert ("ran" in done.stdout) == (code == 0)
    assert (f"error: launcher.setup: `{line}` failed with exit code {code}" in done.stderr) == (code != 0)


def test_a_bind_that_yaml_reads_as_a_number_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "image.sif").touch()
    text = script(f"container: {tmp_path}/image.sif\nruntime: apptainer\nbinds: [1]", tmp_path, monkeypatch)
    assert "BINDS=1" in text
