"""The environment of every command, checked before it starts: streams, encodings, thread counts."""

import logging
import os
import sys

from vmsbench.errors import UserError
from vmsbench.files import restrict_umask
from vmsbench.launch.environment import drop_unusable_threads


def prepare() -> None:
    """Raises UserError where nothing can be done about them here."""
    open_streams()
    drop_unusable_threads()
    restrict_umask()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a home that cannot be written
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that has not every character
    if sys.getfilesystemencoding().replace("-", "").lower() != "utf8":
        raise UserError(
            f"file names are read as {sys.getfilesystemencoding()} here, so names with other letters would not match "
            "those in lists; `export PYTHONUTF8=1` or LANG=C.UTF-8"
        )


def open_streams() -> None:
    """Where a standard stream is closed, open the null device in its place: the next file would be taken for it, and
    what a child prints be written into that."""
    for stream, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(stream)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != stream:
                os.dup2(opened, stream)
                os.close(opened)
            else:
                os.set_inheritable(stream, True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
