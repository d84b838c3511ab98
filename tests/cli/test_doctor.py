"""The doctor: what works is ok, what does not is named with what to do, and nothing stops the rest."""

import json
import resource
import socket
from pathlib import Path

import pytest

from tests.support.processes.running import vmsbench
from tests.support.wide import widest
from vmsbench.api.toolkit import doctor as installation
from vmsbench.api.toolkit.doctor import Finding, clusters, dataset, disk, examine, limits, mlflow_answers
from vmsbench.cli.commands.toolkit.doctor import lines
from vmsbench.data.standin import write_standin
from vmsbench.errors import UserError


@pytest.mark.slow
def test_the_doctor_looks_at_everything_and_exits_by_what_it_found(tmp_path: Path) -> None:
    write_standin(tmp_path / "data", 20, 32, 0)
    done = vmsbench("doctor", "--data", "data", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    states = {finding["name"]: finding["state"] for finding in told["findings"]}
    for name in ("Python", "torch", "Ray", "MLflow", "disk", "open files", "data"):
        assert states[name] == "ok", told
    assert {"GPUs", "Slurm", "Inception weights"} <= set(states)
    assert (done.returncode, told["ok"]) == (0, True)
    assert not (tmp_path / "runs").exists()
    done = vmsbench("doctor", "--data", "nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert "1 to fix" in done.stdout
    assert widest(done.stdout.splitlines()) <= 80


def test_a_low_limit_names_the_command_that_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 1 << 20))
    files = next(limits())
    assert (files.state, files.fix) == ("bad", "ulimit -n 4096")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 2048))
    assert "limits.conf" in next(limits()).fix


def test_a_tracking_server_that_is_down_is_noted_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    (found,) = mlflow_answers(tmp_path)
    assert (found.state, "the server does not answer" in found.said) == ("note", True)
    assert "vmsbench sync" in found.fix


def test_data_with_a_missing_map_is_bad_and_says_which(tmp_path: Path) -> None:
    write_standin(tmp_path, 12, 32, 0)
    (good,) = dataset(tmp_path)
    assert (good.state, good.said) == ("ok", f"12 pairs in {tmp_path}")
    lost = next((tmp_path / "vms").iterdir())
    lost.unlink()
    (bad,) = dataset(tmp_path)
    assert bad.state == "bad"
    assert lost.stem in bad.said
    assert bad.fix == f"vmsbench data check {tmp_path}"


def test_slurm_that_does_not_answer_is_told_apart_from_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "none here" in next(clusters()).said
    for name in ("sbatch", "sinfo"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    assert "does not answer" in next(clusters()).said


def test_a_full_disk_is_bad_and_a_check_that_stumbles_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "LEAST_DISK", 1e9)
    assert next(disk(tmp_path)).state == "bad"

    def broken() -> None:
        raise RuntimeError("libcudart.so.12: cannot open\nmore")

    def lacking() -> None:
        raise UserError("no such data")

    for name in ("torch_works", "ray_starts"):
        monkeypatch.setattr(installation, name, broken)
    monkeypatch.setattr(installation, "dataset", lambda folder: lacking())
    found = {finding.name: finding for finding in examine(tmp_path, None)}
    assert found["torch"] == Finding("torch", "bad", "RuntimeError: libcudart.so.12: cannot open", found["torch"].fix)
    assert found["data"].said == "no such data"
    assert "Inception weights" in found


def test_long_findings_fit_a_terminal() -> None:
    shown = lines(Finding("disk", "bad", "word " * 60, "do " * 60))
    assert widest(shown) <= 80
    assert shown[0].startswith("bad   disk")
