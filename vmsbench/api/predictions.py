"""Maps of picture files, exported models, and scores by sampling steps, from Python."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.api.models import data_of, model_folder
from vmsbench.data.encoded.features import unwatched
from vmsbench.data.sources.names import printable
from vmsbench.errors import UserError
from vmsbench.files import check_place, with_home
from vmsbench.inference.ensemble import load as load_model
from vmsbench.inference.export import export as write_model
from vmsbench.inference.images import Writer, find
from vmsbench.inference.images import predict as predict_files
from vmsbench.inference.predictor import load
from vmsbench.inference.sampling_sweep import blind_levels
from vmsbench.inference.sampling_sweep import tradeoff as sampling_sweep
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.runs_folder import sweep_named
from vmsbench.store.sweep_folder import TRADEOFF, SweepFolder

Row = dict[str, Any]
LISTED = 20  # files of which none got a map


@dataclass(frozen=True)
class PredictionRun:
    """Which pictures are predicted, by which model.

    model     the folder of the trained model
    account   what pictures were found, in words
    warnings  what is odd about them
    files     how many pictures there are
    samples   maps drawn of each; 1 of a model that is not random
    size      the model's, in pixels
    """

    model: Path
    account: str
    warnings: tuple[str, ...]
    files: int
    samples: int
    size: int
    device: str


@dataclass(frozen=True)
class PredictionResult:
    """Written maps: maps/, overlays/ and, of several samples, uncertainty/ in `out`.

    failed       the files that got no map, each with the reason
    unread       the folders that could not be entered, each with the reason
    remarks      what is to be known of pictures that were read, with their names
    """

    out: Path
    run: PredictionRun
    failed: tuple[tuple[Path, str], ...]
    unread: tuple[tuple[Path, str], ...]
    remarks: Mapping[str, Sequence[str]]

    @property
    def written(self) -> int:
        """How many pictures have a map."""
        return self.run.files - len(self.failed)


def predict(
    pictures: Path | str,
    *,
    model: Path | str,
    out: Path | str,
    samples: int | None = None,
    device: str = "auto",
    npz: bool = False,
    runs: Path | str = "runs",
    encoder_weights: Path | str | None = None,
    on_start: Callable[[PredictionRun], None] = lambda run: None,
    on_file: Callable[[Path], None] = lambda file: None,
) -> PredictionResult:
    """Write the maps of a picture file, or of a folder of them; `vmsbench.load(model).predict` returns them instead.

    model            as `vmsbench.load` takes it, and `encoder_weights` too
    samples          maps drawn of each picture (default: as in the model's results)
    npz              write predictions.npz too
    on_start         called before the first picture
    on_file          called after each picture

    Raises UserError where there are no pictures or none gets a map, `model` is not a finished training, or `out`
    cannot be written.
    """
    if samples is not None and samples < 1:
        raise UserError(f"--samples {samples}: at least 1")
    out = with_home(out)
    found = find(with_home(pictures), out)
    writer = Writer(out, npz)
    folder = model_folder(str(model), with_home(runs))
    predictor = load_model(folder, device, encoder_weights)
    count = (samples or predictor.samples) if predictor.random else 1
    facts = (len(found.files), count, predictor.size, str(predictor.device))
    run = PredictionRun(folder, found.account, found.warnings, *facts)
    on_start(run)
    failed: list[tuple[Path, str]] = []
    for file, reason in predict_files(predictor, found.files, writer, count):
        failed += [(file, reason)] if reason else []
        on_file(file)
    if len(failed) == len(found.files):
        raise UserError(none_written(failed))
    return PredictionResult(out, run, tuple(failed), found.unread, writer.odd)


def none_written(failed: Sequence[tuple[Path, str]]) -> str:
    """What to say where every picture failed: at most LISTED of them, each with its reason."""
    each = [f"{printable(str(file))}: {reason}" for file, reason in failed]
    shown = [f"no map was written: {each[0]}", *(f"  {one}" for one in each[1:LISTED])]
    return "\n".join([*shown, *([f"  and {len(each) - LISTED} more"] if len(each) > LISTED else [])])


@dataclass(frozen=True)
class ExportResult:
    """An exported model: `file`, and `description`, a JSON file with its inputs and outputs.

    source              the folder of the trained model
    largest_difference  to the original's maps, in [0, 1]
    """

    file: Path
    source: Path
    largest_difference: float

    @property
    def description(self) -> Path:
        return self.file.with_suffix(".json")


def export(
    model: Path | str, *, format: str = "onnx", out: Path | str | None = None, runs: Path | str = "runs"
) -> ExportResult:
    """Write a trained model as ONNX or TorchScript; the file is checked to give the same maps.

    model    as `vmsbench.load` takes it
    format   onnx or torchscript
    out      the file (default: NAME.onnx or NAME.pt in the current folder)

    Raises UserError where the model cannot be written so.
    """
    suffix = {"torchscript": ".pt"}.get(format, f".{format}")
    file = with_home(out) if out is not None else Path(f"{with_home(model).name}{suffix}")
    check_place(file.absolute().parent)
    if file.is_dir():
        raise UserError(f"{file} is a folder: give --out a file in it, such as {file / f'model{suffix}'}")
    folder = model_folder(str(model), with_home(runs))
    return ExportResult(file, folder, write_model(load(folder, "cpu"), file, format))


@dataclass(frozen=True)
class TradeoffResult:
    """Scores and seconds of a model by numbers of sampling steps and of samples, kept in `file` for the report.

    rows    {steps, samples, seconds_per_image, scores...}
    blind   scores of what never looks at the image, by predictor
    """

    file: Path
    rows: tuple[Row, ...]
    blind: Mapping[str, Mapping[str, float]]


def tradeoff(
    name: str,
    *,
    steps: Sequence[int] = (10, 25, 50, 250),
    samples: Sequence[int] = (1, 4, 16),
    images: int = 64,
    runs: Path | str = "runs",
    encoder_weights: Path | str | None = None,
    on_start: Callable[[Path, int], None] = lambda model, pairs: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> TradeoffResult:
    """Score a sweep's best model under each number of sampling steps and of samples, on tuning validation pairs.

    The report plots it. No test pair is read.

    images           tuning validation pairs, at most
    encoder_weights  as `vmsbench.load` takes it
    on_start         called with the model's folder and the number of pairs
    on_row           called with each row once it is measured

    Raises UserError where the data have changed, ConfigurationError for a model that does not sample in steps.
    """
    if images < 1:
        raise UserError(f"--images {images}: at least 1")
    folder = sweep_named(name, with_home(runs))
    chosen = model_folder(name, with_home(runs))
    config = ExperimentFolder(chosen).config()
    dataset = data_of(name, config)
    predictor = load(chosen, config["device"], encoder_weights)
    encoder = predictor.model.sight.encoder.kept
    validation = dataset.seen(encoder, config["data"]["cache"], predictor.device, unwatched, "validation")
    pairs = validation.spread(images)
    on_start(chosen, len(pairs))
    rows: list[Row] = []
    for row in sampling_sweep(predictor, pairs, steps, samples):
        rows.append(row)
        on_row(row)
    blind = blind_levels(dataset.train, pairs)
    about = {"model": chosen.name, "split": "validation", "images": len(pairs), "digest": dataset.digest}
    about |= {"device": str(predictor.device), "created": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    SweepFolder(folder).write_document(TRADEOFF, about | {"blind": blind, "rows": rows})
    return TradeoffResult(folder / TRADEOFF, tuple(rows), blind)
