"""Files that survive a kill: written under a temporary name, flushed to the disk, renamed; lines appended whole."""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

LOG_BYTES = 256_000


def replace(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Give `write` an open file that becomes `path` once it is complete and on the disk."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove temporary files left by kills; for the one process that writes in `folder`."""
    for beside in folder.rglob(".*.[0-9]*"):
        beside.unlink()


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
    return json.loads(path.read_text(encoding="utf-8"))


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Add one JSON object as a line, on the disk when this returns; a line before it that a crash cut short is removed.

    Only one process at a time may append to a file.
    """
    line = json.dumps(plain(value), allow_nan=False).encode() + b"\n"
    with path.open("ab+") as file:
        file.truncate(whole_lines(file))
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def whole_lines(file: BinaryIO) -> int:
    """The bytes of a file up to the last line's end."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file of lines, without those that a crash cut short; none where there is no file."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(value, dict):
                yield value


def log(folder: Path, text: str) -> None:
    """Add a line with the time to log.txt; beyond LOG_BYTES the older half is dropped."""
    path = folder / "log.txt"
    with path.open("a") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()[-LOG_BYTES // 2 :]}\n")
    if path.stat().st_size > LOG_BYTES:
        kept = path.read_bytes()[-LOG_BYTES // 2 :].partition(b"\n")[2]
        replace(path, lambda file: file.write(b"(older lines were dropped)\n" + kept))
