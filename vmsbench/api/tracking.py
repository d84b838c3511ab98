"""The tracker from Python: MLflow brought up to date with the folders, and its user interface."""

import atexit
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from vmsbench.config.instantiate import build
from vmsbench.files import with_home
from vmsbench.launch.launcher import answers_within
from vmsbench.launch.ownership import job_runs
from vmsbench.store.lock import living_owner
from vmsbench.store.runs_folder import sweep_folders, sweeps_in
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.tracking.tracker import Tracker, Untracked


def sync(*names: str, runs: Path | str = "runs") -> dict[str, str]:
    """Bring MLflow up to date with the folders of the named sweeps (default: all), each where its own tracker says.

    Runs of a sweep whose driver is gone are ended. Returns the link to each sweep's runs, by name.
    """
    return bring_up_to_date(with_home(runs), *names)


def bring_up_to_date(runs: Path, *names: str) -> dict[str, str]:
    """`sync`, where its name is an option."""
    links = {}
    for folder in sweep_folders(runs, names):
        tracker = tracker_of(folder)
        with answers_within():
            alive = living_owner(folder, job_runs) is not None
        tracker.sync(folder, alive=alive)
        links[folder.name] = tracker.link()
    return links


def tracker_of(folder: Path) -> Tracker:
    """The tracker that a sweep was started with; MLflow where it had none."""
    from vmsbench.tracking.mlflow.tracker import MlflowTracker

    chosen = SweepFolder(folder).about().get("settings", {}).get("tracker")
    tracker: Tracker = build(chosen, "tracker") if chosen else MlflowTracker()
    return MlflowTracker() if isinstance(tracker, Untracked) else tracker


@dataclass(frozen=True)
class UserInterface:
    """MLflow's user interface, until `close`, the end of a `with` block, or the end of this process.

    links    the addresses of all runs and of their comparison, for a browser
    port     that it listens on, or that ssh forwards to its socket; None for a server of somebody else
    socket   that it listens on, which only you can open; None where it is a port
    close    ends the server
    """

    links: Mapping[str, str]
    port: int | None = None
    socket: Path | None = None
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    def __enter__(self) -> "UserInterface":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ui(*, port: int = 5000, sync: bool = True, tcp: bool = False, runs: Path | str = "runs") -> UserInterface:
    """Start MLflow's user interface, for you alone, and return its addresses.

    port  the first to try; without `tcp`, the port on your machine that ssh forwards to the socket
    sync  bring MLflow up to date with the folders first
    tcp   serve a port of this machine, which all its users can reach, and a browser on it

    Where $MLFLOW_TRACKING_URI names a server, it is that one. Raises UserError where there are no sweeps, and
    TrackingError where the server does not start.
    """
    from vmsbench.tracking.mlflow.server import compared, free_port, links, private_socket, serving
    from vmsbench.tracking.mlflow.tracker import EXPERIMENT, where

    runs = with_home(runs)
    sweeps = sweeps_in(runs)
    if sync:
        bring_up_to_date(runs)
    address = where(None, runs)
    if address.startswith(("http://", "https://")):
        return UserInterface(links(address, address, EXPERIMENT, compared(sweeps)))
    with ExitStack() as stack:
        at = None if tcp else stack.enter_context(private_socket())
        port = free_port(port) if tcp else port
        base = stack.enter_context(serving(address, port, runs / "mlflow-server.log", at))
        found = links(base, address, EXPERIMENT, compared(sweeps))
        close = stack.pop_all().close
    atexit.register(close)
    return UserInterface(found, port, at, close)
