"""The finals of a sweep as one predictor, from Python."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from vmsbench.api.evaluation import EvaluationResult, about, frechet, in_both, standings
from vmsbench.api.models import data_of
from vmsbench.config.commands import command_on
from vmsbench.data.encoded.features import unwatched
from vmsbench.data.pairs import Dataset
from vmsbench.errors import UserError
from vmsbench.files import with_home
from vmsbench.inference.ensemble import Ensemble
from vmsbench.inference.predictor import MEMBERS, load
from vmsbench.metrics.baselines import Given, baselines
from vmsbench.metrics.baselines import evaluate as score
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.reader import read_sweep
from vmsbench.store.runs_folder import sweep_named
from vmsbench.store.sweep_folder import ENSEMBLE, SweepFolder
from vmsbench.training.final_scores import Answered, BothTracks, save_predictions


@dataclass(frozen=True)
class EnsembleResult:
    """The finals of a sweep as one predictor.

    folder      where it is kept: for the report, and for `vmsbench.load` and `vmsbench predict --model NAME/ensemble`
    members     the finals that belong to it
    evaluation  its test scores, next to those of the blind baselines
    """

    folder: Path
    members: tuple[str, ...]
    evaluation: EvaluationResult


def ensemble(
    name: str,
    *,
    runs: Path | str = "runs",
    device: str = "auto",
    encoder_weights: Path | str | None = None,
    on_start: Callable[[Sequence[str]], None] = lambda members: None,
) -> EnsembleResult:
    """Score the finals of a sweep together, as one predictor, on the test pairs; nothing is trained.

    Its members are the seeds of the configuration that stands for the sweep. Single maps are averaged; samplers
    contribute as many draws each (`vmsbench.inference.ensemble.Ensemble`). Its answer is dressed with its own errors on
    the tuning validation pairs.

    encoder_weights  as `vmsbench.load` takes it
    on_start         called with the members' names before they predict

    Raises UserError where there are fewer than two finals with weights, or the data have changed.
    """
    folder = sweep_named(name, with_home(runs))
    members = members_of(folder)
    config = ExperimentFolder(members[0].folder).config()
    dataset = data_of(name, config)
    on_start([member.id for member in members])
    model = Ensemble([load(member.folder, device, encoder_weights) for member in members])
    judged, tuned = (answers(model, dataset, config["data"]["cache"], split) for split in ("test", "validation"))
    maps = floats(judged)
    tracks = in_both(maps, judged.pairs, tuned, "")
    given = Given(judged.pairs.names, maps)
    table = standings({ENSEMBLE: given} | baselines(dataset), judged.pairs, {ENSEMBLE: tracks})
    account = tuple(dataset.provenance.lines())
    found = EvaluationResult(about(dataset, judged.pairs, "test"), table, (), account)
    found.predictors[ENSEMBLE]["fid"] = frechet(given, judged.pairs, dataset, config)
    validation = score(Given(tuned.pairs.names, floats(tuned)), tuned.pairs, light=True).result()
    keep(SweepFolder(folder).ensemble, members, judged, tracks, dataset, found, validation)
    return EnsembleResult(SweepFolder(folder).ensemble.path, tuple(member.id for member in members), found)


def members_of(folder: Path) -> list[FinalRecord]:
    """The finals, with their weights, of the configuration that stands for a sweep.

    Raises UserError for fewer than two.
    """
    finals = [final for final in read_sweep(folder).scored if ExperimentFolder(final.folder).checkpoint.is_file()]
    if len(finals) < 2:
        there = "1 final" if finals else "no final"
        raise UserError(
            f"{folder.name} has {there} of its best configuration with weights, an ensemble needs two; "
            f"`{command_on('final', folder, '--seeds 3')}` trains more"
        )
    return finals


def answers(model: Ensemble, dataset: Dataset, cache: str | None, split: Any) -> Answered:
    encoder = model.members[0].model.sight.encoder.kept
    seen = dataset.seen(encoder, cache, model.device, unwatched, split)
    return Answered(getattr(dataset, split), model(seen.images, model.samples, seen.features))


def floats(answered: Answered) -> torch.Tensor:
    """In [0, 1]: N x C x S x S of single answers, N x K x C x S x S of samples."""
    samples = answered.samples.float() / 255
    return samples[:, 0] if samples.shape[1] == 1 else samples


def keep(
    there: ExperimentFolder,
    members: Sequence[FinalRecord],
    judged: Answered,
    tracks: BothTracks,
    dataset: Dataset,
    found: EvaluationResult,
    validation: dict[str, Any],
) -> None:
    """Keep the ensemble as a final keeps its own: its results last, which say that it is whole."""
    there.path.mkdir(exist_ok=True)
    there.results_file.unlink(missing_ok=True)
    names = [member.id for member in members]
    there.write_config({MEMBERS: names})
    reads = there.count_test_read(dataset.digest)
    save_predictions(there.path, judged, dataset.train, tracks.per_image)
    mine = found.predictors[ENSEMBLE]
    results: dict[str, Any] = {"members": names, "info": members[0].results["info"]}
    results |= {"samples": judged.samples.shape[1], "dataset": found.data, "test_reads": reads}
    results |= {"calibration": tracks.calibration, "dressing": tracks.dressing, "fid": mine["fid"]}
    there.write_results(results | costs(members) | {"test_scores": mine["scores"], "validation_scores": validation})


def costs(members: Sequence[FinalRecord]) -> dict[str, float]:
    """What training all of it took; and of one prediction by all members, or of one draw by one of them."""
    results = [member.results for member in members]
    each = [one["seconds_per_image"] for one in results]
    found = {key: sum(one[key] for one in results) for key in ("parameters", "images_seen", "seconds")}
    return found | {"seconds_per_image": sum(each) if members[0].samples == 1 else fmean(each)}
