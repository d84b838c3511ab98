"""The interface of every tracker, and the absence of one."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import final

from vmsbench.errors import UserError


class TrackingError(UserError):
    """The tracker cannot be written to now. The folders are complete: a later `sync` catches up."""


class Tracker(ABC):
    """Copies a sweep's results somewhere else. It only reads what the experiments wrote."""

    @abstractmethod
    def sync(self, sweep: Path, alive: bool = True) -> None:
        """Copy what is new in this sweep's folder; `alive`: its driver runs, so unfinished trials are running.

        Idempotent, and complete after any interruption: may be called at any time, by any process, during the sweep or
        years later. Calls for sweeps of one runs folder wait for each other. Raises TrackingError where the tracker
        cannot be reached, within seconds.
        """

    def use(self, runs: Path) -> None:  # noqa: B027  # most trackers do not need it
        """The runs folder that `link` is about, before the first `sync` of this object."""

    @abstractmethod
    def link(self) -> str:
        """The exact command or address that shows the runs; empty where there is nothing to show."""


@final
class Untracked(Tracker):
    """No tracking."""

    def sync(self, sweep: Path, alive: bool = True) -> None:
        pass

    def link(self) -> str:
        return ""
