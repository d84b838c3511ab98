"""Private folders of a process on this machine, that are removed even after it was killed."""

import os
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

from vmsbench.files import read_json, save_json
from vmsbench.store.lock import lives, oneself

PREFIX, OWNER = "vmsbench-", "owner.json"
LONGEST = 20  # longest path of a folder in which the paths of Ray's sockets (107 bytes at most) fit


def private_folder() -> Path:
    """A new folder that only its owner can read, marked as this process's own."""
    private = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place()))
    save_json(private / OWNER, oneself())
    return private


def place() -> str:
    """The system's folder of temporary files, where its path is short enough, else another one."""
    places = (tempfile.gettempdir(), "/tmp", "/dev/shm")
    return next((one for one in places if len(one) <= LONGEST and os.access(one, os.W_OK)), places[0])


def remove_leftovers() -> None:
    """Remove the folders of the user's processes that were killed on this host."""
    for left in Path(place()).glob(f"{PREFIX}*/{OWNER}"):
        with suppress(OSError, ValueError):
            owner = read_json(left)
            if left.stat().st_uid == os.getuid() and owner["host"] == socket.gethostname() and not lives(owner):
                shutil.rmtree(left.parent, ignore_errors=True)
