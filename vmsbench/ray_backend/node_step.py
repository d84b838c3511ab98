"""A node of the job that is joined to Ray by a step: a step that ends too early is started again, a few times."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, final

from vmsbench.errors import UserError

PAUSES = (2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds before the step is started again: its Ray may have died, or the cluster may not have answered."""
STEADY = 600.0
"""Seconds after which a step's next end counts as the first."""


@final
class NodeStep:
    """A step on a node, from now until `close`.

    begin  starts the step; the step ends when its standard input is closed
    """

    def __init__(self, node: str, begin: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self.node, self.begin = node, begin
        self.closing = threading.Event()
        self.process: subprocess.Popen[bytes] | None = self.started()
        self.thread = threading.Thread(target=self.keep, name=f"node {node}", daemon=True)
        self.thread.start()

    def started(self) -> "subprocess.Popen[bytes] | None":
        try:
            return self.begin()
        except (UserError, OSError) as error:
            print(f"warning: {self.node}: {error}", file=sys.stderr, flush=True)
            return None

    def keep(self) -> None:
        """Start the step again whenever it ends, until `close`, or until it has ended too often."""
        ends = 0
        while True:
            since = time.monotonic()
            if self.process is not None:
                self.process.wait()
            ends = 0 if time.monotonic() - since > STEADY else ends
            if self.closing.is_set() or ends == len(PAUSES):
                return self.give_up(ends)
            if self.closing.wait(PAUSES[ends]):
                return None
            ends += 1
            print(f"{self.node} has left Ray; it joins again ({ends} of {len(PAUSES)})", flush=True)
            self.process = self.started()
            if self.closing.is_set():
                self.shut()

    def give_up(self, ends: int) -> None:
        if not self.closing.is_set():
            print(f"warning: {self.node} has left Ray {ends + 1} times, and is left out", file=sys.stderr, flush=True)

    def close(self) -> None:
        self.closing.set()
        self.shut()

    def shut(self) -> None:
        process: Any = self.process
        if process is not None and process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Wait until the step has ended, at most so long."""
        self.thread.join(seconds)
