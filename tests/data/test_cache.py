"""The cache answers fast, never wrongly, and survives kills, damage and company."""

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data.data_folders import map_of, write_pairs
from vmsbench.data import cache as caching
from vmsbench.data import folder as loading
from vmsbench.data.cache import Cache
from vmsbench.data.folder import folder
from vmsbench.data.pairs import Dataset
from vmsbench.errors import DataError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pairs that were last changed a minute ago, so that their times can be trusted (ctimes cannot be set back)."""
    monkeypatch.setattr(caching, "SETTLED", 0)
    write_pairs(tmp_path / "set", 10)
    age(tmp_path / "set")
    return tmp_path / "set"


def age(folder: Path) -> None:
    minute_ago = time.time() - 60
    for path in folder.rglob("*.png"):
        os.utime(path, (minute_ago, minute_ago))


def same(one: Dataset, other: Dataset) -> bool:
    return one.digest == other.digest and all(
        torch.equal(getattr(getattr(one, split), part), getattr(getattr(other, split), part))
        for split in ("train", "validation", "test")
        for part in ("images", "maps")
    )


def never(*_: object) -> None:
    raise AssertionError("this should not have been needed")


def test_a_second_reading_neither_decodes_nor_hashes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, first = folder(root, size=16), folder(root, size=16, cache=root / "cache")
    monkeypatch.setattr(loading, "read_pairs", never)
    monkeypatch.setattr(caching.hashlib, "file_digest", never)
    second = folder(root, size=16, cache=root / "cache")
    assert same(plain, first)
    assert same(first, second)


def test_a_changed_file_is_seen_though_its_size_is_the_same(root: Path) -> None:
    first = folder(root, size=16, cache=root / "cache")
    path = root / "maps" / "pic00.png"
    Image.fromarray(map_of(50)).save(path)
    changed = folder(root, size=16, cache=root / "cache")
    assert changed.digest != first.digest
    assert same(changed, folder(root, size=16))


def test_a_file_changed_a_moment_ago_is_read_again_even_at_the_same_time_and_size(tmp_path: Path) -> None:
    path, cache = tmp_path / "a", Cache(tmp_path / "cache")
    path.write_bytes(b"one")
    stamp = path.stat().st_mtime_ns
    before = cache.digests(tmp_path, [path])
    path.write_bytes(b"two")
    os.utime(path, ns=(stamp, stamp))
    assert cache.digests(tmp_path, [path]) != before


@pytest.mark.parametrize("how", ["written over", "renamed over"])
def test_a_file_replaced_by_one_of_the_same_size_and_time_is_seen(root: Path, how: str) -> None:
    """As `cp -p` and `tar` do."""
    path = root / "maps" / "pic00.bmp"
    (root / "maps" / "pic00.png").unlink()
    Image.fromarray(map_of(0)).save(path)
    os.utime(path, (1e9, 1e9))
    first = folder(root, size=16, cache=root / "cache")
    size = path.stat().st_size
    other = path if how == "written over" else path.with_name("other")
    Image.fromarray(map_of(50)).save(other, format="BMP")
    os.utime(other, (1e9, 1e9))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime) == (size, 1e9)
    changed = folder(root, size=16, cache=root / "cache")
    assert changed.digest != first.digest
    assert same(changed, folder(root, size=16))


def test_a_file_whose_every_mark_is_the_same_is_seen_by_verify(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that keeps no ctime, whose clock was set back in between."""
    monkeypatch.setattr(caching, "state", lambda path: [1, 1, 1, 1])
    first = folder(root, size=16, cache=root / "cache")
    Image.fromarray(map_of(50)).save(root / "maps" / "pic00.png")
    assert folder(root, size=16, cache=root / "cache").digest == first.digest
    changed = folder(root, size=16, cache=root / "cache", verify=True)
    assert changed.digest != first.digest
    assert same(changed, folder(root, size=16, cache=root / "cache"))


def test_a_warm_cache_tells_of_the_files_what_a_cold_one_does(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(map_of(0)[..., :1].repeat(3, 2) // 2).save(root / "maps" / "pic00.png")
    cold = folder(root, size=16, cache=root / "cache").provenance
    monkeypatch.setattr(loading, "read_pairs", never)
    warm = folder(root, size=16, cache=root / "cache").provenance
    assert warm == cold
    assert warm.decoded.maps.files == 10
    assert warm.decoded.maps.highest == 255


def test_files_moved_elsewhere_find_their_decoded_pairs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = root.parent / "cache"
    first = folder(root, size=16, cache=cache)
    root.rename(root.with_name("moved"))
    monkeypatch.setattr(loading, "read_pairs", never)
    assert same(first, folder(root.with_name("moved"), size=16, cache=cache))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "noise", "other"])
def test_a_damaged_cache_is_made_again(root: Path, damage: str) -> None:
    cache = root / "cache"
    first = folder(root, size=16, cache=cache)
    (kept,) = cache.glob("pairs-*.npz")
    whole = kept.read_bytes()
    if damage == "flip":
        middle = len(whole) // 2
        kept.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    elif damage == "other":
        np.savez(kept, images=np.zeros(3))
    else:
        kept.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "noise": b"noise" * 99}[damage])
    for memory in cache.glob("files-*.json"):
        memory.write_bytes(b'{"a": 1, "b')
    assert same(first, folder(root, size=16, cache=cache))
    with np.load(kept) as again:
        assert again["images"].shape == (10, 3, 16, 16)


def test_a_cache_that_cannot_be_written_is_one_clear_error(root: Path) -> None:
    (root / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cache folder .* cannot be written \(Not a directory\).*data.cache=PATH"):
        folder(root, size=16, cache=root / "file" / "cache")


def test_a_cache_that_can_only_be_read_still_serves(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = folder(root, size=16, cache=root / "cache")
    monkeypatch.setattr(Cache, "writing", never)
    assert same(first, folder(root, size=16, cache=root / "cache"))


def test_a_kill_in_mid_write_leaves_no_file_in_place(root: Path) -> None:
    script = (
        "import os, numpy, sys\n"
        "from vmsbench.data.folder import folder\n"
        "def die(file, **arrays):\n"
        "    file.write(b'PK half a file'); file.flush(); os.kill(os.getpid(), 9)\n"
        "numpy.savez = die\n"
        f"folder({str(root)!r}, size=16, cache={str(root / 'cache')!r})\n"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2]).returncode == -9
    (left,) = (root / "cache").glob(".pairs-*.part")
    assert not list((root / "cache").glob("pairs-*.npz"))
    os.utime(left, (0, 0))
    assert same(folder(root, size=16, cache=root / "cache"), folder(root, size=16))
    assert not left.exists()


def test_of_processes_that_start_at_once_one_decodes_and_all_get_the_data(root: Path) -> None:
    script = (
        "import os, time\n"
        "from vmsbench.data import folder as loading\n"
        "plainly = loading.read_pairs\n"
        "def told(*arguments):\n"
        f"    open({str(root.parent / 'decoded')!r}, 'a').write('once\\n')\n"
        "    time.sleep(2)\n"
        "    return plainly(*arguments)\n"
        "loading.read_pairs = told\n"
        f"print(loading.folder({str(root)!r}, size=16, cache={str(root / 'c')!r}).digest)\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    digests = {process.communicate()[0].strip() for process in started}
    assert digests == {folder(root, size=16).digest}
    assert (root.parent / "decoded").read_text() == "once\n"
    assert len(list((root / "c").glob("pairs-*.npz"))) == 1
    assert not list((root / "c").glob(".*.part"))


def test_where_the_disk_knows_no_locks_the_data_are_read_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(caching.fcntl, "flock", refused)
    assert same(folder(root, size=16, cache=root / "cache"), folder(root, size=16))


def made(cache: Cache, key: str) -> np.ndarray:
    return cache.mapped(key, (2, 3), lambda rows: iter([np.ones((len(rows), 3), dtype=np.float16)]), 1)


def test_who_makes_other_data_is_not_waited_for(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with cache.in_turn(tmp_path / "features-one.npy"):
        other = threading.Thread(target=made, args=(cache, "other"), daemon=True)
        other.start()
        other.join(timeout=60)
        assert (tmp_path / "features-other.npy").exists()
    assert not list(tmp_path.glob(".*"))


def test_who_makes_the_same_data_is_waited_for_with_a_line_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(caching, "QUIET", 0)
    cache = Cache(tmp_path)
    with cache.in_turn(tmp_path / "features-one.npy"):
        waiting = threading.Thread(target=made, args=(cache, "one"), daemon=True)
        waiting.start()
        until = time.monotonic() + 60
        while not caplog.messages and time.monotonic() < until:
            time.sleep(0.01)
        assert not (tmp_path / "features-one.npy").exists()
    waiting.join(timeout=60)
    assert made(cache, "one").sum() == 6
    (line,) = caplog.messages
    assert f"waiting for process {os.getpid()} on {socket.gethostname()}, which computes the same features" in line
    assert "features-one.npy" in line
    assert not list(tmp_path.glob(".*"))


def test_a_folder_named_by_variables_is_the_machines_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for node in ("node1", "node2"):
        monkeypatch.setenv("TMPDIR", str(root.parent / node))
        monkeypatch.setenv("USER", "ada")
        folder(root, size=16, cache="$TMPDIR/vms-${USER}")
        assert list((root.parent / node / "vms-ada").glob("pairs-*.npz"))


def test_tmpdir_is_the_systems_where_it_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(caching.tempfile, "gettempdir", lambda: "/tmp")
    assert caching.expand("$TMPDIR/a") == Path("/tmp/a")


def test_a_variable_that_is_not_set_is_one_clear_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCRATCH_OF_JOB", raising=False)
    with pytest.raises(DataError, match=r"\$SCRATCH_OF_JOB is not set here; choose another with data.cache=PATH"):
        folder(root, size=16, cache="$SCRATCH_OF_JOB/a")
    with pytest.raises(DataError, match=r"a \$ without a variable"):
        folder(root, size=16, cache="/scratch/$")
