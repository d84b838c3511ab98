"""MLflow servers with a password and a certificate of their own: refused in one line, and caught up with later."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

import vmsbench
from tests.support.command_line import called
from tests.support.processes.tls import certificate, tls_front
from tests.support.sweeps.tracked import content, half_a_sweep, whole_sweep
from vmsbench.tracking.background import Background
from vmsbench.tracking.mlflow.server import LEAN, healthy
from vmsbench.tracking.mlflow.tracker import QUIET_AND_QUICK, MlflowTracker, reach, without_credentials
from vmsbench.tracking.tracker import TrackingError

SECRET = "p@ss:word/12345"
QUOTED = "p%40ss%3Aword%2F12345"
ACCOUNT = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
TRUST = "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_INSECURE_TLS"


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", *ACCOUNT, *TRUST):
        monkeypatch.setenv(name, "")  # so that what the tracker sets is undone
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """That of an MLflow server whose only user is admin."""
    pytest.importorskip("flask_wtf")
    folder = tmp_path_factory.mktemp("server")
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = EDIT\ndatabase_uri = sqlite:///{folder}/auth.db\nadmin_username = admin\n"
        f"admin_password = {SECRET}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    accounts = {"MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "any"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1", "--host",
             "127.0.0.1", "--port", str(number), "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
             "--artifacts-destination", str(folder / "artifacts")],
            env=os.environ | QUIET_AND_QUICK | LEAN | accounts, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        while not answers(number):
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.2)
        yield number
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except HTTPError:
        return True
    except OSError:
        return False


def written(folder: Path) -> str:
    return "".join(file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file())


REFUSED = "it refuses the user; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD say who it is"
UNTRUSTED = "its certificate is not trusted here; MLFLOW_TRACKING_SERVER_CERT_PATH=FILE names the one to trust"


@pytest.mark.slow
@pytest.mark.nightly
def test_a_password_and_a_certificate(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    sweep = half_a_sweep(runs)
    plain = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", plain)
    said = []
    with Background(MlflowTracker(), sweep, warn=said.append):
        pass  # the sweep is not disturbed
    assert said == [f"tracking: MLflow at {plain}: {REFUSED} (training continues; a later sync catches up)"]
    monkeypatch.setenv(ACCOUNT[0], "admin")
    monkeypatch.setenv(ACCOUNT[1], f"not {SECRET}")
    with pytest.raises(TrackingError) as caught:
        reach(runs)
    assert str(caught.value) == f"MLflow at {plain}: {REFUSED}"
    end = called("sync", "--runs", runs)
    assert (end.code, end.err) == (2, f"error: MLflow at {plain}: {REFUSED}\n")
    files = certificate(tmp_path)
    with tls_front(port, files) as secure:
        address = f"https://127.0.0.1:{secure}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv(ACCOUNT[1], SECRET)
        end = called("sync", "--runs", runs)
        assert (end.code, end.err) == (2, f"error: MLflow at {address}: {UNTRUSTED}\n")
        monkeypatch.setenv(TRUST[0], str(files[0]))
        end = called("sync", "--runs", runs)
        assert end.code == 0, end
        assert f"{address}/#/experiments/" in end.out
        monkeypatch.delenv(TRUST[0])
        monkeypatch.setenv(TRUST[1], "true")
        assert called("sync", "--runs", runs).code == 0
    for name in ACCOUNT:
        monkeypatch.delenv(name)
    whole_sweep(tmp_path / "others")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", plain.replace("//", f"//admin:{QUOTED}@"))
    end = called("sync", "--runs", tmp_path / "others")
    assert end.code == 0, end
    assert os.environ[ACCOUNT[1]] == SECRET
    shown = content(plain)
    assert "sweep.json" in shown["sweep"]["files"]
    for text in (end.text, written(runs), written(tmp_path / "others")):
        assert SECRET not in text
        assert QUOTED not in text


def test_a_password_in_a_setting_is_refused_and_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    for command in ("train", "tune"):
        end = called(command, "--exp", "unet", "tracker.uri=http://me:s3cret@host:5000", "--runs", tmp_path / "runs")
        assert end.code == 2
        assert end.err.startswith("error: tracker.uri=http://me:***@host:5000: a password would be written into")
    assert "s3cret" not in written(tmp_path)
    assert "vmsbench-error" in "".join(file.name for file in tmp_path.iterdir())


def test_credentials_leave_an_address() -> None:
    found = without_credentials("https://me%40lab:p%40ss@host:8443/mlflow")
    assert found == ("https://host:8443/mlflow", dict(zip(ACCOUNT, ("me@lab", "p@ss"), strict=True)))
    for address in ("http://host:5000", "sqlite:////a@b/mlflow.db", "postgresql://me:secret@host/db"):
        assert without_credentials(address) == (address, {})


# A runs folder that was copied or moved


@pytest.mark.parametrize("how", ["copied", "copied and the first removed", "moved", "another name of the same"])
def test_a_store_that_lies_elsewhere_sends_no_file_to_where_it_was(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base, home = tmp_path / "base", tmp_path / "home"
    whole_sweep(base)
    assert called("sync", "--runs", base).code == 0
    first = content(f"sqlite:///{base}/mlflow.db")
    before = {file: file.stat().st_mtime_ns for file in base.rglob("*")}
    if how == "another name of the same":
        home.symlink_to(base)
    elif how == "moved":
        base.rename(home)
    else:
        shutil.copytree(base, home)
        if how != "copied":
            shutil.rmtree(base)
    end = called("sync", "--runs", home)
    assert end.code == 0, end
    moved = how != "another name of the same"
    assert (f"was made in {base}: it is kept as mlflow.db.moved" in caplog.text) == moved
    assert (home / "mlflow.db.moved").exists() == (home / "mlartifacts.moved").exists() == moved
    assert content(f"sqlite:///{home}/mlflow.db") == first
    if how == "copied":
        assert {file: file.stat().st_mtime_ns for file in base.rglob("*")} == before
    elif moved:
        assert not base.exists()
    caplog.clear()
    assert called("sync", "--runs", home).code == 0
    assert not caplog.text
    noted = json.loads((home / "unet" / "mlflow.json").read_text())["runs"]
    assert noted.keys() == first.keys()


@pytest.mark.slow
def test_python_starts_the_pages_and_ends_them(tmp_path: Path) -> None:
    whole_sweep(tmp_path)
    with vmsbench.ui(port=5740, runs=tmp_path) as server:
        assert server.socket is not None
        assert server.port is not None
        assert healthy(server.port, server.socket)
        assert server.links["all runs"].startswith(f"http://127.0.0.1:{server.port}/#/experiments/")
    assert not server.socket.exists()
    server.close()
