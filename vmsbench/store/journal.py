"""The journal of a sweep: a line per event, on the disk before anything depends on it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError
from vmsbench.files import append_line, read_from, read_lines, text_lines
from vmsbench.store.lock import check_owned
from vmsbench.versions import SCHEMA, check_schema

NUMBER = (int, float, type(None))
FIELDS: dict[str, dict[str, Any]] = {
    "started": {"trial": str, "params": dict},
    "finished": {"trial": str, "state": str, "score": NUMBER, "epoch": int, "seconds": (int, float)},
    "retried": {"trial": str, "kind": str, "micro_batch": int},
    "settled": {"parameter": str, "options": list},
    "steered": {"request": str, "what": str},
    "winner": {"trial": str, "params": dict},
    "final": {"trial": str, "seed": int, "scores": dict},
}
"""The required fields of each kind of event; there may be other kinds and other fields."""

STATES = ("complete", "pruned", "failed")


class Journal:
    """The journal in a sweep's folder: appended to by the one process that owns the sweep, read by any at any time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.jsonl"

    def write(self, event: str, **fields: Any) -> None:
        """Add a line, on the disk when this returns; the first line of a journal says which schema it has. `time`, in
        seconds since 1970, is now unless it is among the fields.

        Raises OwnershipLost where this process has owned the sweep and another has taken over; StorageError where that
        cannot be found out.
        """
        check_owned(self.path.parent, writes=True)
        schema = {} if self.begun else {"schema": SCHEMA}
        append_line(self.path, {"event": event, "time": time.time(), **schema, **fields})

    @property
    def begun(self) -> bool:
        """Whether the journal has a whole line."""
        if not self.path.exists():
            return False
        return read_from(self.path, lambda file: file.readline()).endswith(b"\n")

    def events(self) -> Iterator[dict[str, Any]]:
        """All events in order; a last line that a crash cut short is left out.

        Raises UserError for a journal of another schema and, with the number of the line, for any other line that is
        not an event.
        """
        for number, line in enumerate(text_lines(self.path), start=1):
            try:
                event = json.loads(line)
            except json.JSONDecodeError as error:
                if not line.endswith("\n"):
                    return
                raise self.nonsense(number, f"not JSON ({error.msg})") from error
            if reason := wrong(event):
                raise self.nonsense(number, reason)
            if number == 1:
                check_schema(event, self.path)
            yield event

    def lines(self) -> Iterator[dict[str, Any]]:
        """Its lines, whatever they say: for one that must not stop at a damaged journal."""
        return read_lines(self.path)

    def nonsense(self, number: int, reason: str) -> UserError:
        return UserError(
            f"{self.path}, line {number}: {reason}; fix or remove that line (what it says of a trial is also in the "
            "trial's folder)"
        )


def wrong(event: Any) -> str | None:
    """What is wrong with a line of a journal; None where nothing is."""
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return "not an event"
    for name, kinds in FIELDS.get(event["event"], {}).items():
        if not isinstance(event.get(name), kinds) or isinstance(event.get(name), bool):
            return f"{event['event']} with {name} = {event.get(name)!r}"
    if event["event"] == "finished" and event["state"] not in STATES:
        return f"finished with state = {event['state']!r}; it is one of {', '.join(STATES)}"
    return None
