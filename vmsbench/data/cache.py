"""Decoded pairs cached on disk as bytes, and digests of files, so that unchanged files are not read again.

    FOLDER/pairs-KEY.npz     images and maps, uint8, and what the files are like, JSON as bytes; KEY is a digest of the
                             files' bytes, the size and the reading rules
    FOLDER/features-KEY.npy  float16, what an encoder saw in them (see encoded); read from the disk as it is needed
    FOLDER/files-KEY.json    {path: [bytes, mtime_ns, ctime_ns, inode, sha256]} of one dataset; KEY is a digest of its
                             root's path

Every file is written under a temporary name, synced and renamed, so readers see a whole file or none. Of several
processes of one machine that need the same pairs at once the first decodes them, and the others wait for it and say so;
features they compute together, in parts, FOLDER/features-KEY-ROW.npy, which stay where they are killed. Where the disk
has no locks, each may write the same bytes. A damaged file (zip's checksums tell) is decoded again.

A folder may be named by variables of the environment, which every node reads as its own: data.cache='$TMPDIR/vms'
stages decoded pairs on the disk of each node that a sweep runs on.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import socket
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template
from typing import IO

import numpy as np

from vmsbench.data.decoding import threads
from vmsbench.data.sources.names import printable
from vmsbench.errors import DataError
from vmsbench.files import read_bytes, read_from

SETTLED = 2_000_000_000  # ns; a file changed within this time may change again without a new mtime
SHA256 = re.compile(r"[0-9a-f]{64}")
QUIET = 3.0  # s for which another process is waited for without a word
ABANDONED = 3600  # s; unfinished files older than this were left by a killed process


class UnhashedFiles(DataError):
    """Files that could not be read for their digests; `reasons` says why, by path."""

    def __init__(self, reasons: dict[Path, str]) -> None:
        (first, why), *more = reasons.items()
        others = f"; {len(more)} more files likewise" if more else ""
        super().__init__(f"{printable(str(first))} cannot be read ({why}){others}: see to the disk, and run it again")
        self.reasons = reasons


class Cache:
    """A folder of decoded pairs; it is made when something is first written."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = expand(folder)

    def digests(self, root: Path, paths: Sequence[Path], verify: bool = False) -> list[str]:
        """The SHA-256 of each file; unchanged files are not read, except with `verify`.

        A copy that keeps size and mtime (cp -p, tar, rsync) changes the ctime, and mostly the inode. Raises
        UnhashedFiles.
        """
        memory = self.folder / f"files-{digest_of(str(root.resolve()))}.json"
        known = remembered(memory)
        states = {str(path): state(path) for path in paths}
        stale = [path for path in paths if verify or known.get(str(path), [])[:-1] != states[str(path)]]
        fresh = dict(zip(map(str, stale), hashes(stale), strict=True))
        settled = time.time_ns() - SETTLED
        learned = {
            path: [*states[path], fresh[path]]
            for path in fresh
            if 0 < states[path][1] < settled and states[path][2] < settled
        }
        if any(known.get(path) != entry for path, entry in learned.items()):
            with contextlib.suppress(DataError), self.writing(memory) as file:  # what is not kept is read again
                file.write(json.dumps(known | learned).encode())
        return [fresh.get(str(path)) or known[str(path)][-1] for path in paths]

    def arrays(
        self, key: str, make: Callable[[], dict[str, np.ndarray]], valid: Callable[[dict[str, np.ndarray]], bool]
    ) -> dict[str, np.ndarray]:
        """The arrays kept under `key`; made, and kept, where they are absent, damaged or not `valid`."""
        path = self.folder / f"pairs-{key}.npz"
        if (kept := kept_in(path)) is not None and valid(kept):
            return kept
        with self.in_turn(path):
            if (kept := kept_in(path)) is not None and valid(kept):
                return kept
            arrays = make()
            with self.writing(path) as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            return arrays

    def mapped(
        self, key: str, shape: tuple[int, ...], make: Callable[[range], Iterator[np.ndarray]], at_once: int
    ) -> np.ndarray:
        """The float16 array of that shape kept under `key`, in the disk's own memory until it is needed; made, and
        kept, where it is absent or of another shape.

        make      yields some rows, block by block
        at_once   rows that are kept together until all are there; other processes make others meanwhile
        """
        path = self.folder / f"features-{key}.npy"
        if (kept := mapped_in(path, shape)) is not None:
            return kept
        starts = range(0, shape[0], at_once)
        parts = {path.with_name(f"{path.stem}-{i}.npy"): range(i, min(i + at_once, shape[0])) for i in starts}

        def complete(part: Path) -> None:
            among = (len(parts[part]), *shape[1:])
            if mapped_in(part, among) is None and mapped_in(path, shape) is None:
                self.write_rows(part, among, make(parts[part]))

        for part in parts:
            with self.if_free(part) as free:
                if free:
                    complete(part)
        with self.in_turn(path):
            if mapped_in(path, shape) is None:
                for part in parts:
                    with self.in_turn(part):
                        complete(part)
                self.write_rows(path, shape, (np.load(part, mmap_mode="r") for part in parts))
                for part in parts:
                    removed(part)
        kept = mapped_in(path, shape)
        if kept is None:
            raise DataError(
                f"the cache file {path} is damaged as soon as it is written; remove it, and see to the disk"
            )
        return kept

    def write_rows(self, path: Path, shape: tuple[int, ...], blocks: Iterable[np.ndarray]) -> None:
        """A file of a float16 array, block by block along its first axis."""
        with self.writing(path) as file:
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, header | {"shape": shape})  # type: ignore[arg-type]
            for block in blocks:
                file.write(np.ascontiguousarray(block, dtype=np.float16).data)

    @contextlib.contextmanager
    def if_free(self, path: Path) -> Iterator[bool]:
        """Whether no other process of this machine makes that file; within the block this one may."""
        free = True
        with contextlib.ExitStack() as held:
            try:
                self.own(path, held, wait=False)
            except BlockingIOError:
                free = False
            except OSError:
                pass  # a folder without locks
            yield free

    @contextlib.contextmanager
    def in_turn(self, path: Path) -> Iterator[None]:
        """For each file one process of this machine at a time; all at once where the folder has no locks."""
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):
                self.own(path, held, wait=True)
            yield

    def own(self, path: Path, held: contextlib.ExitStack, wait: bool) -> None:
        """Own a file's lock until `held` is closed. Raises OSError where the disk has no locks, or another owns it."""
        lock = path.with_name(f".{path.name}.lock")
        self.folder.mkdir(parents=True, exist_ok=True)
        held.callback(os.close, locked(lock, wait))
        held.callback(removed, lock)

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[IO[bytes]]:
        """A file that replaces `path` when the block succeeds. Raises DataError where it cannot."""
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.sweep()
            with open(temporary, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise DataError(
                f"the cache folder {self.folder} cannot be written ({error.strerror or error}); "
                "choose another with data.cache=PATH"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what killed processes left unfinished."""
        for part in self.folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > ABANDONED:
                    part.unlink()


def locked(lock: Path, wait: bool) -> int:
    """A lock's file, opened, of which this process is the owner now; an owner removes it before it closes it.

    Who waits longer than QUIET says for what. Raises OSError where the disk has no locks, BlockingIOError where another
    process owns it and it is not to be waited for.
    """
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            wait_for(file, lock) if wait else fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), lock.stat()):
                    os.truncate(file, 0)
                    os.pwrite(file, f"{os.getpid()} on {socket.gethostname()}".encode(), 0)
                    return file
        except BaseException:  # an interrupt too leaves no file open
            os.close(file)
            raise
        os.close(file)  # it was removed while this process waited for it


def removed(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def wait_for(file: int, lock: Path) -> None:
    """Own the lock of an open file."""
    until = time.monotonic() + QUIET
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                break
            time.sleep(0.05)
    owner, made = os.pread(file, 300, 0).decode(errors="replace"), lock.name.removeprefix(".").removesuffix(".lock")
    does = "computes the same features" if made.startswith("features-") else "decodes the same pictures"
    logging.getLogger("vmsbench").warning(
        "waiting for process %s, which %s (%s)", owner or "?", does, lock.with_name(made)
    )
    fcntl.flock(file, fcntl.LOCK_EX)


def expand(folder: str | Path) -> Path:
    """A folder's path on this machine, with ~ and variables put in; $TMPDIR is /tmp where it is not set, as in POSIX.

    Raises DataError for another variable that is not set.
    """
    try:
        path = Template(str(folder)).substitute({"TMPDIR": tempfile.gettempdir()} | os.environ)
    except (KeyError, ValueError) as error:
        told = f"${error.args[0]} is not set here" if isinstance(error, KeyError) else "a $ without a variable"
        raise DataError(f"data.cache={folder}: {told}; choose another with data.cache=PATH") from error
    return Path(path).expanduser()


def kept_in(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a file; None where it is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
        return None


def mapped_in(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The float16 array of a file, mapped into memory; None where it is absent, cut short or of another shape."""
    try:
        kept = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept if kept.shape == shape and kept.dtype == np.float16 else None


def digest_of(*texts: str) -> str:
    """32 hexadecimal digits for a sequence of texts."""
    whole = hashlib.sha256()
    for text in texts:
        whole.update(f"{len(text)}:{text}".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()[:32]


def hashes(paths: Sequence[Path]) -> list[str]:
    """The SHA-256 of each file. Raises UnhashedFiles where one cannot be read, now or a second later."""

    def one(path: Path) -> str | OSError:
        try:
            return read_from(path, lambda file: hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            return error

    with ThreadPoolExecutor(threads()) as pool:
        found = list(pool.map(one, paths))
    failed = zip(paths, found, strict=True)
    if reasons := {path: one.strerror or str(one) for path, one in failed if isinstance(one, OSError)}:
        raise UnhashedFiles(reasons)
    return [one for one in found if isinstance(one, str)]


def state(path: Path) -> list[int]:
    """[bytes, mtime_ns, ctime_ns, inode], or zeros for a file that cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return [0, 0, 0, 0]
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def remembered(memory: Path) -> dict[str, list]:
    try:
        known = json.loads(read_bytes(memory))
    except (OSError, ValueError):
        return {}
    entries = known.items() if isinstance(known, dict) else ()
    whole = {path: entry for path, entry in entries if isinstance(entry, list) and len(entry) == 5}
    return {path: entry for path, entry in whole.items() if SHA256.fullmatch(str(entry[4]))}
