"""Errors that the user can fix, printed as one line; and the exit codes of all commands."""

import difflib
import errno
import os
import re
from collections.abc import Iterable

FAILED, WRONG, UNFINISHED, TAKEN_OVER, INTERRUPTED = 1, 2, 75, 76, 130
"""Exit codes: not done; an error that the user can fix; stopped before the end (the same command continues); the same
where another process continues, for the supervisor; Ctrl-C."""

PASSWORD = re.compile(r"://([^/@:\s]*):[^/\s]+@")
"""USER:PASSWORD of an address; a password may have an @ in it."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class UserError(Exception):
    """An error that the user can fix; its text names the thing and the fix."""

    exit_code = WRONG


class OwnershipLost(UserError):
    """Another process has taken over the sweep: this one writes nothing more, and the same command continues."""

    exit_code = UNFINISHED


class ConfigurationError(UserError):
    """A setting that does not exist, or an invalid value."""


class DataError(UserError):
    """Data that is missing, unreadable or contradicts itself."""


class StorageError(UserError, OSError):
    """A disk that is full, or that cannot be written for another reason: its number, its words, and the file."""

    def __str__(self) -> str:
        if self.errno in NO_ROOM:
            folder = os.path.dirname(os.fspath(self.filename))
            return f"disk full: {folder} ({self.strerror}); make room, and give the same command again"
        return f"{self.filename} cannot be written ({self.strerror})"


def masked(text: str) -> str:
    """Without the passwords of the addresses in it."""
    return PASSWORD.sub(r"://\1:***@", text)


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """`; did you mean X?` for the valid word nearest to `word`, or nothing where none is near."""
    near = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
