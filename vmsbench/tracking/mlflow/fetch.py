"""From an MLflow run back to its folder, or to a copy of it."""

import tempfile
from pathlib import Path

from vmsbench.errors import UserError
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.sweep_folder import PUSHED, SweepFolder
from vmsbench.store.values import mapping
from vmsbench.tracking.mlflow.model import NEEDED
from vmsbench.tracking.mlflow.tracker import client_of, failure, where


def folder_of_run(run: str, runs: Path) -> Path:
    """The trial's or final's folder under `runs` that is mirrored as `run`, else a copy of its files from the server.

    Raises UserError where there is neither.
    """
    for sweep in sorted(file.parent for file in runs.glob(f"*/{PUSHED}")):
        for key, entry in mapping(SweepFolder(sweep).document(PUSHED).get("runs")).items():
            if entry.get("run") == run and ExperimentFolder(sweep / key).begun:
                return sweep / key
    return fetched(run, runs)


def fetched(run: str, runs: Path) -> Path:
    address = where(None, runs)
    target = Path(tempfile.mkdtemp(prefix="vmsbench-run-"))
    try:
        client = client_of(address)
        there = {file.path for file in client.list_artifacts(run)}
        if missing := [name for name in NEEDED if name not in there]:
            raise UserError(
                f"the MLflow run {run} has no {', '.join(missing)}: only finished trials and finals have a model"
            )
        for name in NEEDED:
            client.download_artifacts(run, name, str(target))
    except UserError:
        raise
    except Exception as error:  # MLflow lets every library below it log
        raise failure(address, error) from error
    return target
