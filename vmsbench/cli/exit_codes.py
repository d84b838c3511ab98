"""How a command ends: exit codes, one line for errors that the user can fix, the traceback in a log.

    0    done                                  1    not done, or a fault of vmsbench: the line names the traceback's log
    2    what the user can fix, in one line   75   stopped before the end; the same command continues
    76   instead of 75 under `vmsbench job`, where another process has taken over the sweep
    130  interrupted

The logs are vmsbench-error-PID.log in the folder of temporary files ($TMPDIR, else /tmp); the last LOGS of a user are
kept.
"""

import errno
import os
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from vmsbench.cli.surroundings import prepare
from vmsbench.errors import FAILED, INTERRUPTED, TAKEN_OVER, WRONG, OwnershipLost, UserError, masked
from vmsbench.launch.environment import SUPERVISED

LOGS = 10
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
SURROUNDINGS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.EFBIG, errno.EMFILE, errno.ENFILE}
    | {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.EEXIST, errno.ETIMEDOUT}
)
"""Errors of the system that are the machine's and not the program's."""


def run(app: Callable[..., Any]) -> int:
    """The exit code of a command."""
    try:
        prepare()
        status = app(standalone_mode=False)
        sys.stdout.flush()  # a reader who has gone is noticed here
    except UserError as error:
        keep_traceback()
        lost = isinstance(error, OwnershipLost) and SUPERVISED in os.environ
        return print_error(str(error), TAKEN_OVER if lost else error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; the same command continues", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains once more as it ends
        return FAILED
    except Exception as error:  # the last resort: one line, and the traceback in a file
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return print_error(f"{error.strerror}: {error.filename or 'the disk'}; make room, and run it again", WRONG)
        if isinstance(error, OSError) and error.errno in SURROUNDINGS and error.filename:
            from vmsbench.data.sources.names import printable

            keep_traceback()
            return print_error(f"{printable(str(error.filename))}: {error.strerror}", WRONG)
        if isinstance(error, MemoryError) or "failed to map segment" in str(error) or no_memory(error):
            keep_traceback()
            return print_error("not enough memory here (ulimit -v, or what the job was given): ask for more", WRONG)
        if hasattr(error, "format_message"):
            return print_error(usage(error), WRONG)
        first = next(iter(str(error).splitlines()), "")
        return print_error(f"{type(error).__name__}: {first}  (traceback: {keep_traceback()})", FAILED)
    return status if isinstance(status, int) else 0


def no_memory(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENOMEM


def usage(error: Any) -> str:
    """A wrong command line in one line; for a missing option with its help, which has the choices."""
    explained = getattr(getattr(error, "param", None), "help", None) if "Missing" in error.format_message() else None
    return " ".join(filter(None, [error.format_message(), explained]))


def print_error(text: str, code: int) -> int:
    print(f"error: {masked(text)}", file=sys.stderr)
    return code


def keep_traceback() -> Path:
    """Write the traceback to a log, and remove the user's oldest logs."""
    log = Path(f"vmsbench-error-{os.getpid()}.log")
    with suppress(OSError):
        folder = Path(tempfile.gettempdir())
        log = folder / log
        text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {shlex.join(sys.argv)}\n{traceback.format_exc()}"
        log.write_text(masked(text), encoding="utf-8", errors="backslashreplace")
        own = [file for file in folder.glob("vmsbench-error-*.log") if file.stat().st_uid == os.getuid()]
        for old in sorted(own, key=lambda file: file.stat().st_mtime)[:-LOGS]:
            old.unlink(missing_ok=True)
    return log
