"""Disks that are full, slow, read-only, limited or broken: one line that names them, and nothing half-written."""

import errno
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.command_line import called, ordinary_user, refused
from tests.support.data.data_folders import write_pairs
from tests.support.sweeps.in_process import sweep, told
from tests.support.tiny import configuration
from vmsbench import files
from vmsbench.errors import StorageError, UserError
from vmsbench.experiment import run
from vmsbench.files import append_line, log, read_json, read_lines, replace, save_json
from vmsbench.inference.predictor import load
from vmsbench.sweep.failures import STORAGE, Failure

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 kB, and a folder on it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Take all but so many bytes of a disk; the file that does."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - leave))
    return ballast


def test_what_does_not_fit_on_a_disk_leaves_what_was_there(small_disk: Path) -> None:
    file, lines = small_disk / "checkpoint.pt", small_disk / "journal.jsonl"
    save_json(file, {"epoch": 1})
    append_line(lines, {"event": "session"})
    ballast = fill(small_disk, leave=0)
    full = f"disk full: {small_disk} (No space left on device); make room, and give the same command again"
    for write in (
        lambda: replace(file, lambda opened: torch.save({"weights": torch.zeros(100_000)}, opened)),
        lambda: save_json(file, {"epochs": list(range(10_000))}),
        lambda: append_line(lines, {"text": 5000 * "x"}),
        lambda: log(small_disk, 5000 * "x"),
    ):
        with pytest.raises(StorageError) as caught:
            write()
        assert str(caught.value) == full
        assert str(pickle.loads(pickle.dumps(caught.value))) == full
    assert read_json(file) == {"epoch": 1}
    assert lines.read_bytes().endswith(b"}\n")
    assert sorted(entry.name for entry in small_disk.iterdir()) == sorted(
        ["ballast", "checkpoint.pt", "journal.jsonl", "log.txt"]
    )
    ballast.unlink()
    append_line(lines, {"event": "started"})
    assert [line["event"] for line in read_lines(lines)] == ["session", "started"]


def test_a_sweep_on_a_full_disk_stops_at_once_and_goes_on_where_it_was(small_disk: Path, tmp_path: Path) -> None:
    folder = small_disk / "sweep"
    work = sweep(folder)
    first = work.ask()
    assert first is not None
    ballast = fill(small_disk, leave=40_000)  # less than a checkpoint
    with pytest.raises(StorageError) as caught:
        run(first.config, first.folder)
    work.tell(first, None, Failure.of(caught.value))
    assert (
        work.halted
        == f"disk full: {first.folder} (No space left on device); make room, and give the same command again"
    )
    assert work.ask() is None
    assert not work.finished
    assert not list(folder.rglob(".*"))
    ballast.unlink()
    again = sweep(folder)
    trial = again.ask()
    assert trial is not None
    assert trial.id == first.id
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    while trial is not None:
        run(trial.config, trial.folder)
        again.tell(trial, None, None)
        trial = again.ask()
    assert {event["state"] for event in told(folder, "finished")} == {"complete"}
    whole = sweep(tmp_path / "whole")
    while (trial := whole.ask()) is not None:
        run(trial.config, trial.folder)
        whole.tell(trial, None, None)
    assert told(folder, "winner") == told(tmp_path / "whole", "winner")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_an_error_that_passes_is_not_noticed(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0))
    real, left = os.fsync, {"errors": 2}

    def sync(descriptor: int) -> None:
        if left["errors"]:
            left["errors"] -= 1
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    append_line(tmp_path / "lines", {"n": 1})
    left["errors"] = 2
    save_json(tmp_path / "value", {"n": 1})
    assert list(read_lines(tmp_path / "lines")) == [read_json(tmp_path / "value")] == [{"n": 1}]
    left["errors"] = 3
    with pytest.raises(StorageError, match=r"/value cannot be written \("):
        save_json(tmp_path / "value", {"n": 2})
    left["errors"] = 3
    with pytest.raises(StorageError, match=r"/lines cannot be written \("):
        append_line(tmp_path / "lines", {"n": 2})
    assert list(read_lines(tmp_path / "lines")) == [read_json(tmp_path / "value")] == [{"n": 1}]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["lines", "value"]


def test_a_file_size_limit_is_one_line(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"checkpoint.pt cannot be written \(File too large\)"):
            run(configuration(), tmp_path / "trial")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((tmp_path / "trial").glob(".*"))
    assert "File too large" in (tmp_path / "trial" / "log.txt").read_text()
    run(configuration(), tmp_path / "trial")


def test_a_trial_that_cannot_write_why_it_failed_is_a_disk_error(tmp_path: Path) -> None:
    error = StorageError(errno.ENOSPC, "No space left on device", str(tmp_path / "a" / "b"))
    failure = Failure.of(pickle.loads(pickle.dumps(error)))
    assert (failure.kind, failure.cause) == (STORAGE, str(error))


def import_all(root: Path, runs: Path, *arguments: str) -> None:
    """Whatever the commands import: Python itself may lie where an ordinary user cannot read."""
    assert called("data", "check", root, "--json").code == 0
    assert called("train", *arguments, "trainer.epochs=1", "model.network.width=4", "--runs", runs).code == 0
    assert called("tune", *arguments, "data.images=none", "--runs", runs).code == 2


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach."""
    folder = Path(tempfile.mkdtemp(prefix="vmsbench-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_models_and_predictions_that_an_ordinary_user_may_not_read_are_named(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, own, given = open_folder / "data", open_folder / "own", open_folder / "given"
    names = write_pairs(root, 12)
    monkeypatch.chdir(open_folder)
    import_all(root, own, "--exp", "unet", "preset=quick", "data=folder", "data.size=16", f"data.root={root}",
               "tracker=none", "trainer.batch_size=4")  # fmt: skip
    (checkpoint,) = own.rglob("checkpoint.pt")
    for folder, mode in ((given, 0o755), (open_folder / "runs", 0o777), (open_folder / "out", 0o777)):
        folder.mkdir()
        folder.chmod(mode)
    for name in names:
        np.save(given / f"{Path(name).stem}.npy", np.zeros((3, 16, 16), np.float32))
    np.savez(open_folder / "given.npz", names=names, predictions=np.zeros((12, 3, 16, 16), np.float32))
    predict = ("predict", root / "images", "--model", checkpoint.parent, "--out", open_folder / "out")
    evaluate = ("--data", root, "--runs", open_folder / "runs")
    for place in (given, open_folder / "given.npz"):
        called("evaluate", place, *evaluate)  # imports what it needs
    monkeypatch.setattr("vmsbench.data.cache.SETTLED", 0)
    for memory in (open_folder / "runs" / "cache").glob("files-*.json"):
        memory.unlink()  # the ordinary user cannot write it again, and does not need it
    for file, command in (
        (checkpoint, predict),
        (checkpoint.with_name("config.json"), predict),
        (checkpoint.with_name("results.json"), predict),
        (given / "pic03.npy", ("evaluate", given, *evaluate)),
        (open_folder / "given.npz", ("evaluate", open_folder / "given.npz", *evaluate)),
    ):
        file.chmod(0o600)
        with ordinary_user():
            refused(called(*command), file.name, "Permission denied")
        file.chmod(0o644)
    with ordinary_user():
        refused(called(*predict[:-1], open_folder / "no"), f"{open_folder}/no cannot be written (")
    (root / "images" / "pic03.png").chmod(0o600)
    (root / "images" / "more").mkdir(mode=0o700)
    with ordinary_user():
        end = called(*predict)
        with pytest.raises(UserError, match=f"^{root}/images: more/: cannot be read .Permission denied.$"):
            load(checkpoint.parent, device="cpu").predict(root / "images")
    assert end.code == 1
    assert "\n12 pictures by " in end.out
    assert "\n11 maps in " in end.out
    assert end.err.splitlines() == [
        "1 of 12 pictures got no map:",
        f"  {root}/images/pic03.png: unreadable (Permission denied)",
        f"  {root}/images/more/: cannot be read (Permission denied)",
    ]
    (open_folder / "none" / "deep").mkdir(parents=True)
    (open_folder / "none" / "deep").chmod(0o700)
    with ordinary_user():
        refused(called("predict", open_folder / "none", *predict[2:]), "no pictures in ", "deep/ cannot be read (Perm")


def test_what_an_ordinary_user_may_not_read_or_write_is_named(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, runs = open_folder / "data", open_folder / "runs"
    write_pairs(root, 12)
    (root / "test.txt").write_text("pic01.png\npic02.png\n")
    monkeypatch.chdir(open_folder)
    monkeypatch.setenv("TMPDIR", "/tmp")
    arguments = ("--exp", "unet", "preset=quick", "data=folder", "data.size=32", f"data.root={root}", "tracker=none",
                 "trainer.batch_size=4")  # fmt: skip
    import_all(root, open_folder / "own", *arguments)
    (root / "maps" / "pic03.png").chmod(0o600)
    runs.mkdir()
    with ordinary_user():
        for command in ("train", "tune"):
            refused(called(command, *arguments, "--runs", runs), f"cannot write into {runs} (Permission denied)")
        refused(
            called("data", "check", root, "--picture", "x.png"),
            f"cannot be written ({open_folder}: Permission denied)",
            "--picture",
        )
    runs.chmod(0o777)
    with ordinary_user():
        for command in ("train", "tune"):
            refused(called(command, *arguments, "--runs", runs), "pic03.png: map unreadable (Permission denied)")
        checked = called("data", "check", root, "--json")
        assert checked.code == 1
        assert json.loads(checked.out)["problems"] == [
            {"name": "pic03.png", "reason": "map unreadable (Permission denied)"}
        ]
    (root / "maps" / "pic03.png").chmod(0o644)
    (root / "test.txt").chmod(0o600)
    with ordinary_user():
        for command in ("train", "tune"):
            end = called(command, *arguments, "data.test=test.txt", "--runs", runs)
            refused(end, "test.txt", "Permission denied")
        checked = called("data", "check", root, "--json")
        assert checked.code == 1
        assert json.loads(checked.out)["problems"] == [
            {"name": "test.txt", "reason": "cannot be read (Permission denied)"}
        ]
    (root / "images").chmod(0o700)
    with ordinary_user():
        refused(called("train", *arguments, "--runs", runs), f"{root}/images", "Permission denied")
        refused(called("data", "check", root), f"{root}/images", "Permission denied")
    root.chmod(0o700)
    with ordinary_user():
        refused(called("train", *arguments, "--runs", runs), str(root))
        refused(called("data", "check", root), str(root))
        refused(called("evaluate", "baselines", "--data", root, "--runs", runs), str(root))
