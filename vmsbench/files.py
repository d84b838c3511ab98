"""Files that survive a kill: written under a temporary name, flushed to the disk, renamed; lines appended whole.

Errors of a network disk that pass are retried; a full disk is named, and nothing half-written is left.
"""

import errno
import hashlib
import io
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from vmsbench.errors import ConfigurationError, StorageError, UserError

LOG_BYTES = 256_000
PASSING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
PAUSES = (0.2, 1.0)  # seconds before what may pass is tried again
Result = TypeVar("Result")
EVERYBODY = 0o002
"""What files never grant, whatever the user's umask: to be written by everybody. Groups may share a runs folder."""


def restrict_umask() -> None:
    """For every process that begins anew, as a command or in a job: from now on no file grants EVERYBODY."""
    os.umask(os.umask(0o022) | EVERYBODY)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Within the block an error of the disk that `path` lies on is a StorageError that names it."""
    try:
        yield
    except Exception as error:  # torch raises RuntimeError where the file that it writes into raises OSError
        found = next((one for one in (error, error.__context__) if isinstance(one, OSError) and one.errno), None)
        if found is None or isinstance(error, StorageError):
            raise
        raise StorageError(found.errno, found.strerror, str(path)) from error


def patiently(attempt: Callable[[], Result]) -> Result:
    """What `attempt` returns; it is called again after an error of the disk that may pass."""
    for pause in PAUSES:
        try:
            return attempt()
        except OSError as error:
            if error.errno not in PASSING:
                raise
            time.sleep(pause)
    return attempt()


def read_from(path: Path, read: Callable[[io.BufferedReader], Result]) -> Result:
    """What `read` makes of the open file at `path`; it is called again after an error of the disk that may pass.

    Raises OSError, which names the file.
    """

    def attempt() -> Result:
        with path.open("rb") as file:
            return read(file)

    try:
        return patiently(attempt)
    except OSError as error:
        error.filename = error.filename or str(path)  # only what fails to open names its file
        raise


def read_bytes(path: Path) -> bytes:
    """All of a file. Raises OSError as `read_from`."""
    return read_from(path, lambda file: file.read())


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file; one that has not changed since it was last asked for is not read again. Raises OSError."""
    status = path.stat()
    return hashed(path, status.st_size, status.st_mtime_ns, status.st_ino)


@cache
def hashed(path: Path, size: int, changed: int, inode: int) -> str:
    return read_from(path, lambda file: hashlib.file_digest(file, "sha256").hexdigest())


def checked_sha256(file: Path, expected: str | None, fix: str) -> str:
    """The SHA-256 of a file of weights; `fix` is what helps where it is not that.

    Raises ConfigurationError where it cannot be read, or is not the expected one.
    """
    try:
        found = sha256_of(file)
    except OSError as error:
        raise ConfigurationError(
            f"the encoder's weights {file} cannot be read ({error.strerror or error}): {fix}"
        ) from error
    if expected not in (None, found):
        raise ConfigurationError(
            f"{file} does not hold the expected weights (sha256 {found[:8]}..., not {str(expected)[:8]}...): {fix}"
        )
    return found


def with_home(path: Path | str) -> Path:
    """The path with ~ and ~user put in: a shell leaves them in `--runs=~/runs`, Python everywhere."""
    return Path(os.path.expanduser(path))


def unfinished(path: Path) -> Path:
    """The hidden file that this process writes first, to become `path`; the longest name has room for its own."""
    return path.with_name(f".{path.name.encode(errors='surrogateescape')[:200].decode(errors='ignore')}.{os.getpid()}")


def replace(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Give `write` an open file that becomes `path` once it is complete and on the disk.

    It may be called again. Raises StorageError where the disk is full or cannot be written.
    """
    temporary = unfinished(path)

    def attempt() -> None:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    try:
        with storing(path):
            patiently(attempt)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_place(folder: Path, option: str = "--out") -> None:
    """Raises UserError where no file can be written into `folder`, whether it is there or would have to be made.

    For work that takes long before it writes; `option` names the folder on the command line.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise UserError(f"{folder} cannot be written ({there} is not a folder): choose another folder by {option}")
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({there}: {error.strerror}): choose another folder by {option}"
        ) from error


def remove_unfinished(folder: Path) -> None:
    """Remove temporary files left by kills; for the one process that writes in `folder`."""
    for temporary in folder.rglob(".*.[0-9]*"):
        temporary.unlink()


def plain(value: Any) -> Any:
    """`value` in JSON's types: tuples as lists, and null for numbers that are not finite."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def save_json(path: Path, value: Any) -> None:
    text = json.dumps(plain(value), indent=2, allow_nan=False) + "\n"
    replace(path, lambda file: file.write(text.encode()))


def read_json(path: Path) -> Any:
    """The value in a file. Raises OSError as `read_from`, ValueError for what is not JSON."""
    return json.loads(read_bytes(path).decode())


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Add one JSON object as a line, on the disk when this returns; a line before it that a crash cut short is removed.

    Only one process at a time may append to a file. Raises StorageError where it cannot be written; the file is then
    as it was.
    """
    line = json.dumps(plain(value), allow_nan=False).encode() + b"\n"

    def attempt() -> None:
        with path.open("ab+", buffering=0) as file:
            whole = whole_lines(file)
            file.truncate(whole)
            try:
                write_all(file, line)
                os.fsync(file.fileno())
            except OSError:
                file.truncate(whole)
                raise

    with storing(path):
        patiently(attempt)


def write_all(file: io.RawIOBase, content: bytes) -> None:
    """Write all of it: a disk that gets full takes a part first, and raises for the rest."""
    while content:
        content = content[file.write(content) :]


def whole_lines(file: io.RawIOBase) -> int:
    """The bytes of a file up to the last line's end."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        file.seek(start)
        found = (file.read(end - start) or b"").rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file of lines, without those that a crash cut short; none where there is no file."""
    for line in text_lines(path):
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(value, dict):
            yield value


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text in UTF-8, each with its end, as it is when the first is asked for; none without a file.

    Raises OSError as `read_from`.
    """
    if path.exists():
        yield from io.StringIO(read_bytes(path).decode(errors="replace"))


def log(folder: Path, text: str) -> None:
    """Add a line with the time to log.txt; beyond LOG_BYTES the older half is dropped."""
    path = folder / "log.txt"
    with storing(path), path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()[-LOG_BYTES // 2 :]}\n")
    if path.stat().st_size > LOG_BYTES:
        kept = path.read_bytes()[-LOG_BYTES // 2 :].partition(b"\n")[2]
        replace(path, lambda file: file.write(b"(older lines were dropped)\n" + kept))
