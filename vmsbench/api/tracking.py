"""The tracker from Python: MLflow brought up to date with the folders."""

from pathlib import Path

from vmsbench.config.instantiate import build
from vmsbench.launch.launcher import answers_within
from vmsbench.launch.ownership import job_runs
from vmsbench.store.lock import living_owner
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.store.sweeps import sweep_folders
from vmsbench.tracking.tracker import Tracker, Untracked


def sync(*names: str, runs: Path | str = "runs") -> dict[str, str]:
    """Bring MLflow up to date with the folders of the named sweeps (default: all), each where its own tracker says.

    Runs of a sweep whose driver is gone are ended. Returns the link to each sweep's runs, by name.
    """
    runs = Path(runs)
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
