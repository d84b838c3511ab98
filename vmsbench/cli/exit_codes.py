"""How a command ends: exit codes, one line for errors that the user can fix, the traceback in a log.

    0    done                                  1    not done, or a fault of vmsbench: the line names the traceback's log
    2    what the user can fix, in one line   75   stopped before the end; the same command continues
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

from vmsbench.errors import FAILED, INTERRUPTED, WRONG, UserError

LOGS = 10
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def run(app: Callable[..., Any]) -> int:
    """The exit code of a command."""
    try:
        status = app(standalone_mode=False)
    except UserError as error:
        keep_traceback()
        return print_error(str(error), WRONG)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; the same command continues", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return print_error(f"{error.strerror}: {error.filename or 'the disk'}; make room, and run it again", WRONG)
        if hasattr(error, "format_message"):
            return print_error(error.format_message(), WRONG)
        first = next(iter(str(error).splitlines()), "")
        return print_error(f"{type(error).__name__}: {first}  (traceback: {keep_traceback()})", FAILED)
    return status if isinstance(status, int) else 0


def print_error(text: str, code: int) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code


def keep_traceback() -> Path:
    """Write the traceback to a log, and remove the user's oldest logs."""
    folder = Path(tempfile.gettempdir())
    log = folder / f"vmsbench-error-{os.getpid()}.log"
    with suppress(OSError):
        log.write_text(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {shlex.join(sys.argv)}\n{traceback.format_exc()}")
        own = [file for file in folder.glob("vmsbench-error-*.log") if file.stat().st_uid == os.getuid()]
        for old in sorted(own, key=lambda file: file.stat().st_mtime)[:-LOGS]:
            old.unlink(missing_ok=True)
    return log
