"""What every tracker is: somebody who copies what is new in a sweep's folder to where people look at it."""

from abc import ABC, abstractmethod
from pathlib import Path


class Tracker(ABC):
    """A mirror of sweeps."""

    @abstractmethod
    def sync(self, sweep: Path, over: bool = False) -> None:
        """Mirror what is new in the sweep's folder.

        May be called at any time and again, from one process at a time; what is there already is not doubled.
        `over` says that nobody works on the sweep now: what is not finished in it was interrupted.
        """

    @abstractmethod
    def link(self) -> str:
        """The command or address to look at the mirror; empty where there is none."""


class Untracked(Tracker):
    """No mirror."""

    def __init__(self, runs: Path | None = None) -> None:
        pass

    def sync(self, sweep: Path, over: bool = False) -> None:
        pass

    def link(self) -> str:
        return ""
