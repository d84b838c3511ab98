"""What a mirror of a sweep promises, and the absence of one."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import final

from vmsbench.errors import UserError


class TrackingError(UserError):
    """The mirror cannot be written now. The folders are whole: a later `sync` catches up."""


class Tracker(ABC):
    """Shows a sweep's folder somewhere else. It only ever reads what the experiments wrote."""

    @abstractmethod
    def sync(self, sweep: Path, alive: bool = True) -> None:
        """Mirror what is new in this sweep's folder; `alive`: somebody works on it, so what is not over is running.

        Idempotent, and complete after any interruption: may be called at any time, by any process, during the sweep or
        years later. Calls for sweeps of one runs folder wait for each other. Raises TrackingError where the mirror
        cannot be reached, after seconds and not minutes.
        """

    def use(self, runs: Path) -> None:  # noqa: B027  # most trackers need not know
        """The runs folder that `link` is about, where nothing has been mirrored by this object yet."""

    @abstractmethod
    def link(self) -> str:
        """The exact command or address that shows what was mirrored; empty where there is nothing to show."""


@final
class Untracked(Tracker):
    """No mirror."""

    def sync(self, sweep: Path, alive: bool = True) -> None:
        pass

    def link(self) -> str:
        return ""
