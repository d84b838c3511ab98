"""The small files of a sweep's folder: JSON objects, tables of scores, the last line of a long file."""

import csv
import json
import os
from pathlib import Path
from typing import Any

from vmsbench.files import read_json
from vmsbench.store.values import numbers
from vmsbench.versions import check_schema

TAIL = 16_384  # bytes of a file's end that are read for its last line


def read_document(file: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where it is missing, cut short or not an object."""
    try:
        found = read_json(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_checked_document(file: Path) -> dict[str, Any]:
    """As `read_document`. Raises UserError where its schema is another than this version's."""
    found = read_document(file)
    if found:
        check_schema(found, file)
    return found


def last_line(file: Path) -> dict[str, Any]:
    """The last whole line of a file of lines, without reading all of it; empty where there is none."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - TAIL))
            lines = opened.read().split(b"\n")
    except OSError:
        return {}
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
        with file.open(newline="", encoding="utf-8") as opened:
            return {row["name"]: dict(numbers(row)) for row in csv.DictReader(opened) if row.get("name")}
    except OSError:
        return {}
