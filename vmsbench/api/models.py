"""Trained models from Python: by a sweep's name, a folder, or an MLflow run."""

import os
import re
from pathlib import Path

from vmsbench.config.commands import command_on
from vmsbench.config.instantiate import build
from vmsbench.config.settings import Config
from vmsbench.data.pairs import Dataset
from vmsbench.errors import UserError
from vmsbench.files import with_home
from vmsbench.inference.ensemble import load as load_folder
from vmsbench.inference.predictor import MapPredictor
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.reader import read_sweep
from vmsbench.store.runs_folder import sweep_named
from vmsbench.store.sweep_folder import SweepFolder


def load(
    model: Path | str,
    *,
    device: str = "auto",
    runs: Path | str = "runs",
    encoder_weights: Path | str | None = None,
) -> MapPredictor:
    """A trained model, ready to predict.

    model            a sweep's name (its best final is taken), NAME/ensemble (see `vmsbench.ensemble`), the folder of a
                     trial, a final or a training, or an MLflow run's id
    encoder_weights  where the file is now that `encoder.weights` named in training, where it was moved

    Raises UserError where that is not a finished training, or the file holds other weights.
    """
    return load_folder(model_folder(str(model), with_home(runs)), device, encoder_weights)


def model_folder(named: str, runs: Path) -> Path:
    """The folder of the trained experiment called `named`.

    A path is that folder; a sweep's name its best final, or its winner while there are no finals; 32 hexadecimal
    digits an MLflow run, looked up in the sweeps' mlflow.json first and fetched from the server otherwise. Raises
    UserError where there is none.
    """
    if re.fullmatch("[0-9a-f]{32}", named):
        from vmsbench.tracking.mlflow.fetch import folder_of_run

        return folder_of_run(named, runs)
    named = os.path.expanduser(named)
    if ExperimentFolder(Path(named)).begun:
        return Path(named)
    if ExperimentFolder(runs / named).begun:  # NAME/ensemble
        return runs / named
    if not SweepFolder(runs / named).begun and SweepFolder(Path(named)).begun:
        runs, named = Path(named).resolve().parent, Path(named).resolve().name
    if Path(named).exists() and not SweepFolder(runs / named).begun:
        raise UserError(
            f"--model {named} is not a trained model: give a sweep's name, the folder of a trial or a final, with its "
            "config.json and results.json, or an MLflow run's id"
        )
    return best_of_sweep(sweep_named(named, runs))


def data_of(name: str, config: Config) -> Dataset:
    """The data that the experiment with these settings learned from. Raises UserError where they have changed."""
    dataset: Dataset = build(config["data"], "data")
    if dataset.digest != config["data"]["digest"]:
        raise UserError(f"the data of {name} changed after it was trained (digest {dataset.digest[:12]}); restore them")
    return dataset


def best_of_sweep(folder: Path) -> Path:
    """The final with the best tuning score of the configuration that stands for the sweep; else the winner's trial."""
    sweep = read_sweep(folder)
    finals = [final for final in sweep.scored if ExperimentFolder(final.folder).checkpoint.is_file()]
    if finals:
        return min(finals, key=lambda final: sweep.tuning_mean((final,))).folder
    if sweep.best is None:
        raise UserError(f"{folder.name} has no finished trial yet; `{command_on('resume', folder)}` continues it")
    return SweepFolder(folder).trial(sweep.best.id).path
