"""Mirroring beside the work: a thread that syncs now and then, and can fail without harm."""

import threading
from collections.abc import Callable
from pathlib import Path

from vmsbench.tracking.tracker import Tracker


class Background:
    """Syncs `sweep` every `seconds` until closed, and once more then.

    A tracker that fails costs the sweep nothing: `warn` hears of it once, and a later sync catches up.
    """

    def __init__(self, tracker: Tracker, sweep: Path, warn: Callable[[str], None], seconds: float = 10.0) -> None:
        self.tracker, self.sweep, self.warn, self.seconds = tracker, sweep, warn, seconds
        self.warned = False
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self.work, name="mirror", daemon=True)
        self.thread.start()

    def work(self) -> None:
        while not self.closing.wait(self.seconds):
            self.sync()

    def sync(self, over: bool = False) -> None:
        try:
            if (self.sweep / "sweep.json").exists():
                self.tracker.sync(self.sweep, over)
        except Exception as error:  # whatever a tracker's server does must not stop the sweep
            if not self.warned:
                self.warned = True
                reason = (str(error) or type(error).__name__).splitlines()[0][:200]
                self.warn(
                    f"MLflow could not be reached ({reason}); the folders have it all: vmsbench sync brings it up"
                )

    def close(self) -> None:
        self.closing.set()
        self.thread.join()
        self.sync(over=True)
