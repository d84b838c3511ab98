"""Sync a tracker in the background of a running sweep, without ever blocking it."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, final

from vmsbench.errors import OwnershipLost
from vmsbench.store.lock import check_owned
from vmsbench.tracking.tracker import Tracker

Warn = Callable[[str], None]


@final
class Background:
    """Calls `tracker.sync(sweep)` every `seconds` in a thread of its own, and a last time on `close`; never again once
    another process has taken over the sweep, which syncs it itself.

    Errors of the tracker never reach the sweep: the first failure, and the first after a success, is one line through
    `warn` (called from the thread), and the next sync tries again. Use it as a context:

        with Background(tracker, sweep, warn=print):
            ...
    """

    def __init__(
        self, tracker: Tracker, sweep: Path, seconds: float = 20.0, patience: float = 60.0, warn: Warn = print
    ) -> None:
        """`patience`: seconds that `close` waits for the last sync before it gives up with a warning."""
        self._tracker, self._sweep, self._seconds, self._patience, self._warn = tracker, sweep, seconds, patience, warn
        self._closing, self._lost = threading.Event(), threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OwnershipLost):
            self._lost.set()
        self.close()

    def close(self) -> None:
        """Sync once more, then end the thread. Closing again does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(self._patience)
        if self._thread.is_alive():
            self._warn(
                f"tracking: the last sync did not finish within {self._patience:g} s; `vmsbench sync` completes it"
            )

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self._sync()
        self._sync()

    def _sync(self) -> None:
        if self._lost.is_set():
            return
        try:
            check_owned(self._sweep)
            self._tracker.sync(self._sweep)
        except OwnershipLost:
            self._lost.set()
        except Exception as error:  # a tracker, perhaps a plugin's, may raise anything; training continues
            if not self._failing:
                first_line = (str(error).strip() or repr(error)).splitlines()[0]
                self._warn(f"tracking: {first_line} (training continues; a later sync catches up)")
            self._failing = True
        else:
            self._failing = False
