"""The small files of a sweep's folder: JSON objects, tables of scores, the last line of a long file.

A file that is missing or cut short is empty here. A disk that fails raises OSError, which names the file: what it holds
must not pass for missing.
"""

import csv
import json
import os
from io import BufferedReader, StringIO
from pathlib import Path
from typing import Any

from vmsbench.files import PASSING, read_bytes, read_from, read_json
from vmsbench.store.values import numbers
from vmsbench.versions import check_schema

TAIL = 16_384  # bytes of a file's end that are read for its last line


def read_document(file: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where it is missing, cut short or not an object."""
    try:
        found = read_json(file)
    except ValueError:
        return {}
    except OSError as error:
        return nothing(error)
    return found if isinstance(found, dict) else {}


def nothing(error: OSError) -> dict[str, Any]:
    """What a file that is not there holds. Raises the error of a disk that fails."""
    if error.errno in PASSING:
        raise error
    return {}


def read_checked_document(file: Path) -> dict[str, Any]:
    """As `read_document`. Raises UserError where its schema is another than this version's."""
    found = read_document(file)
    if found:
        check_schema(found, file)
    return found


def last_line(file: Path) -> dict[str, Any]:
    """The last whole line of a file of lines, without reading all of it; empty where there is none."""

    def end(opened: BufferedReader) -> bytes:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - TAIL))
        return opened.read()

    try:
        lines = read_from(file, end).split(b"\n")
    except OSError as error:
        return nothing(error)
    for line in reversed(lines):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}


def read_scores(file: Path) -> dict[str, dict[str, float]]:
    """A table of scores by the image's name; empty where there is none."""
    try:
        text = StringIO(read_bytes(file).decode(), newline="")
    except OSError as error:
        return nothing(error)
    return {row["name"]: dict(numbers(row)) for row in csv.DictReader(text) if row.get("name")}
