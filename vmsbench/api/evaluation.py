"""Scores of given predictions and of the blind baselines, by the same metric function as everything else."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import Tensor

from vmsbench.config.compose import compose
from vmsbench.data.cache import expand
from vmsbench.data.layout import detect, is_vischema
from vmsbench.data.pairs import Dataset, Pairs
from vmsbench.errors import UserError
from vmsbench.files import with_home
from vmsbench.metrics.baselines import Given, Oracle, Predictor, baselines
from vmsbench.metrics.baselines import evaluate as score
from vmsbench.metrics.calibration import EQUAL, collapsed
from vmsbench.metrics.catalog import metrics
from vmsbench.metrics.distances.frechet import distances
from vmsbench.metrics.distances.inception import find_weights
from vmsbench.metrics.external_predictions import check_there, read_predictions
from vmsbench.metrics.references import gain_under, of_one_answer, people, reference, skill_under, value
from vmsbench.metrics.significance import Interval
from vmsbench.metrics.tracks.dressed import crosswise, one_answer
from vmsbench.search.configured import experiment_part
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.runs_folder import OUTSIDE
from vmsbench.sweep.tune import prepared
from vmsbench.training.checks import check_fid, chosen_device
from vmsbench.training.final_scores import Answered, BothTracks, both_tracks, save_predictions

BASELINES = "baselines"
TRACKS = {"answer": "l1_median", "distribution": "crps"}
"""The score of each track: as one answer (of samples, their median), and as a distribution."""
UNDRESSED = (
    "the predictions for the tuning validation pairs, whose errors dress an answer, are not there; "
    "`--validation-predictions FOLDER` gives them"
)
Answer = dict[str, Any]


@dataclass(frozen=True)
class EvaluationResult:
    """Scores of the given predictions and of the baselines, as `vmsbench evaluate --json` prints them.

    data        what was scored: title, digest, size, split, images; and what people reach, where that is known
    predictors  by name: kind (given, blind, oracle), scores, fid where given, and for each track (answer, distribution)
                its metric, blind reference, skill with its interval, and verdict; where the data have fixations the
                same for each score at them (nss, auc_judd, ig and plugins' own), with the gain over the reference in
                place of a skill
    remarks     notes on how the predictions were read
    account     what data were read, as text
    """

    data: Answer
    predictors: dict[str, Answer]
    remarks: tuple[str, ...] = ()
    account: tuple[str, ...] = ()

    @property
    def scores(self) -> dict[str, Answer]:
        """The scores of each predictor, by name."""
        return {name: one["scores"] for name, one in self.predictors.items()}

    def answer(self) -> Answer:
        """The same as one dictionary."""
        return {"data": self.data, "predictors": self.predictors, "remarks": list(self.remarks)}


def evaluate(
    predictions: Path | str,
    *overrides: str,
    data: Path | str | None = None,
    split: str = "test",
    name: str | None = None,
    runs: Path | str = "runs",
    validation_predictions: Path | str | None = None,
) -> EvaluationResult:
    """Score predicted maps, with the blind baselines next to them.

    predictions  a folder of maps, a .npz file, or the word `baselines` for these alone
    data         the folder of images and true maps (default: data.root)
    split        test, or validation: the tuning validation pairs
    name         keep their test scores under runs/outside/ by this name, for the report
    validation_predictions
                 the same predictor's maps for the tuning validation pairs, whose errors dress its one answer as a
                 distribution; looked for among `predictions` where they are not given

    Raises UserError for predictions that cannot be read or do not fit the data.
    """
    runs = with_home(runs)
    check_request(str(predictions), split, name)
    if name is not None:
        check_kept(runs / OUTSIDE / name, with_home(predictions))
    config, dataset = prepared(experiment_part(settings_for(with_home(data) if data else None, list(overrides))), runs)
    check_fid(config)
    account = tuple(dataset.provenance.lines())
    pairs = dataset.test if split == "test" else dataset.validation
    blind = {n: p for n, p in baselines(dataset).items() if split == "test" or not isinstance(p, Oracle)}
    if str(predictions) == BASELINES:
        return EvaluationResult(about(dataset, pairs, split), standings(blind, pairs), (), account)
    called = name or with_home(predictions).resolve().name
    if called in blind:
        raise UserError(f"--name {called} is a baseline's; choose another --name")
    others = [other for part in (dataset.train, dataset.validation, dataset.test) for other in part.names]
    maps, remarks = read_predictions(with_home(predictions), pairs, others)
    given = Given(pairs.names, maps)
    tuned, why = tuning_answers(with_home(predictions), validation_predictions, dataset, others, split)
    tracks = in_both(maps, pairs, tuned, why)
    remarks += [f"not dressed: {why}"] if why else []
    table = standings({called: given} | blind, pairs, {called: tracks})
    found = EvaluationResult(about(dataset, pairs, split), table, tuple(remarks), account)
    found.predictors[called]["fid"] = frechet(given, pairs, dataset, config)
    if name is not None:
        store(runs / OUTSIDE / name, found.answer(), maps, tracks, dataset, with_home(predictions))
    return found


def check_request(predictions: str, split: str, name: str | None) -> None:
    """Raises UserError for a request that makes no sense, before any data are read."""
    if name is not None and (not name or "/" in name or name.startswith(".")):
        raise UserError(f"--name {name}: it is a folder's name, such as deepgaze")
    if split not in ("test", "validation"):
        raise UserError(f"--split {split}: test or validation")
    if name is not None and split != "test":
        raise UserError(f"--name {name} keeps test scores for the report; leave out --split {split}")
    if predictions != BASELINES:
        check_there(with_home(predictions))


def settings_for(data: Path | None, overrides: list[str]) -> dict[str, Any]:
    """All settings, with the folder `data` read as what it looks like, unless data=OPTION says what it is."""
    if data is None:
        return compose("unet", overrides)
    if given := next((o for o in overrides if o.startswith("data.root=")), None):
        raise UserError(f"--data {data} and {given} both give the data; leave one out")
    if any(o.startswith("data=") for o in overrides):
        settings = compose("unet", overrides)
    elif is_vischema(data):
        settings = compose("unet", ["data=vischema", *overrides])
    else:
        layout = detect(data, how="give data=folder data.images=NAME data.maps=NAME")
        settings = compose("unet", ["data=folder", *overrides])
        settings["data"] |= {"images": layout.images.name, "maps": layout.maps.name}
        settings["data"] |= {listed: path.name for listed, path in layout.lists.items()}
        settings["data"] |= {"categories": layout.categories.name if layout.categories else None}
    settings["data"]["root"] = str(data)
    return settings


def about(dataset: Dataset, pairs: Pairs, split: str) -> Answer:
    return {
        "title": dataset.title,
        "digest": dataset.digest,
        "size": dataset.size,
        "coding": dataset.coding,
        "split": split,
        "images": len(pairs),
        "channels_scored": pairs.maps.shape[1],
        "provenance": dataset.provenance.as_json(),
        "people": people(dataset.title, dataset.repeats),
    }


def tuning_answers(
    path: Path, given: Path | str | None, dataset: Dataset, others: Sequence[str], split: str
) -> tuple[Answered | None, str]:
    """The predictions for the tuning validation pairs, or None and the reason.

    Raises UserError where they were given and cannot be read.
    """
    if split == "validation":
        return None, ""
    if not len(dataset.validation):
        return None, "there are no tuning validation pairs; data.validation_fraction=0.12 keeps some"
    try:
        maps, _ = read_predictions(with_home(given or path), dataset.validation, others)
    except UserError:
        if given is not None:
            raise
        return None, UNDRESSED
    return Answered(dataset.validation, in_bytes(maps)), ""


def in_both(maps: Tensor, pairs: Pairs, tuned: Answered | None, why: str) -> BothTracks:
    """Predictions in both tracks; on the tuning validation pairs themselves they are dressed crosswise."""
    answered, scores = Answered(pairs, in_bytes(maps)), per_image(maps, pairs)
    if tuned is None and not why:
        found = both_tracks(answered, scores, None, "these are the tuning validation pairs: dressed crosswise")
        return replace(found, per_image=scores | crosswise(one_answer(answered.samples), pairs))
    return both_tracks(answered, scores, tuned, why)


def in_bytes(maps: Tensor) -> Tensor:
    """Predictions in [0, 1] as samples: uint8, N x K x C x S x S."""
    return ((maps if maps.ndim == 5 else maps[:, None]) * 255).round().byte()


def standings(
    predictors: dict[str, Predictor], pairs: Pairs, tracked: Mapping[str, BothTracks] = MappingProxyType({})
) -> dict[str, Answer]:
    """Each predictor's scores, and its skill in both tracks with what that means: as one answer under L1, and as a
    distribution under CRPS, each against the best predictor that ignores the image under that score.

    tracked     what is known of those that were given: a single answer is a distribution once it is dressed
    """
    scored = {name: score(predictor, pairs) for name, predictor in predictors.items()}
    table = {name: one.result() for name, one in scored.items()}
    images = {
        name: {key: value.cpu().numpy() for key, value in one.per_image().items()} for name, one in scored.items()
    }
    found: dict[str, Answer] = {}
    for name, known in tracked.items():
        table[name] |= known.scores
        images[name] |= {key: known.per_image[key].cpu().numpy() for key in known.scores}
    for name, predictor in predictors.items():
        kind = "oracle" if isinstance(predictor, Oracle) else "given" if isinstance(predictor, Given) else "blind"
        single, scores = one_answer_alone(images[name]), dict(TRACKS)
        if single and "crps_dressed" in table[name]:
            scores["distribution"] = "crps_dressed"
        tracks = {track: in_track(one, images[name], images, table) for track, one in scores.items()}
        if single and "crps_dressed" not in table[name]:
            tracks["distribution"] |= {"skill": None, "verdict": single}
        found[name] = {"kind": kind, "tracks": tracks, "scores": table[name]}
        seen = [one for one in fixation_scores() if one in table[name]]
        if seen and pairs.fixations is not None:
            found[name]["fixations"] = {one: at_fixations(one, images[name], images, table) for one in seen}
        if name in tracked:
            found[name] |= {"calibration": tracked[name].calibration, "dressing": tracked[name].dressing}
    return found


def fixation_scores() -> list[str]:
    """The scores at fixations that are held against a predictor that ignores the image."""
    return [name for name, one in metrics().items() if one.needs == "fixations" and one.references]


def one_answer_alone(scores: Mapping[str, Any]) -> str:
    """Why a predictor is no distribution until it is dressed; empty for one that is."""
    if "spread" not in scores:
        return "a single answer, not dressed"
    return "" if (scores["spread"] > EQUAL).any() else collapsed()


def in_track(
    metric: str, mine: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]], table: Mapping[str, Any]
) -> Answer:
    """The blind reference of a track's score, the skill against it with its interval, and the verdict in words."""
    blind = reference(metric, table)
    gained = skill_under(metric, mine, images[blind])
    return {"metric": metric, "reference": blind, "skill": ends(gained), "verdict": worded(gained, blind)}


def at_fixations(
    metric: str, mine: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]], table: Mapping[str, Any]
) -> Answer:
    """The score of the one answer, its blind reference, the gain over that with its interval, and the verdict."""
    name, blind = of_one_answer(metric), reference(metric, table)
    gained, scores = gain_under(name, mine, images[blind]), np.asarray(value(mine, name), dtype=np.float64)
    level = float(np.nanmean(scores)) if gained else None
    return {"score": level, "reference": blind, "gain": ends(gained), "verdict": worded(gained, blind)}


def ends(interval: Interval | None) -> Answer | None:
    return asdict(interval) if interval else None


def worded(gained: Interval | None, blind: str) -> str:
    return (
        "" if gained is None else "ok" if gained.low > 0 else f"not shown to be better than {blind}, which never looks"
    )


def frechet(predictor: Predictor, pairs: Pairs, dataset: Dataset, config: dict[str, Any]) -> Answer:
    """The distances of the set of predictions (the first sample of each image), where there are Inception weights."""
    maps = predictor.predict(pairs)
    first = maps[:, 0] if maps.ndim == 5 else maps
    weights, cache = find_weights(config["fid"]["weights"]), expand(config["data"]["cache"])
    device = chosen_device(config["device"])
    return distances(pairs.maps, first, dataset.train.maps, weights, device, cache=cache)


def check_kept(folder: Path, source: Path) -> None:
    """Raises UserError where the folder for predictions holds those of another source, or of another schema."""
    there = ExperimentFolder(folder)
    if there.finished and (kept := there.results()["source"]) != str(source.resolve()):
        raise UserError(f"--name {folder.name} is that of {kept}; choose another, or remove {folder}")


def store(folder: Path, answer: Answer, maps: Tensor, tracks: BothTracks, dataset: Dataset, source: Path) -> None:
    """Keep outside predictions as a final keeps its own, so that the report has them in its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    there = ExperimentFolder(folder)
    reads = there.count_test_read(dataset.digest)
    answered = Answered(dataset.test, in_bytes(maps))
    save_predictions(folder, answered, dataset.train, tracks.per_image)
    mine = answer["predictors"][folder.name]
    results = {
        "exp": OUTSIDE,
        "source": str(source.resolve()),
        "samples": answered.samples.shape[1],
        "dataset": answer["data"],
    }
    results |= {"calibration": tracks.calibration, "dressing": tracks.dressing}
    there.write_results(results | {"test_scores": mine["scores"], "fid": mine["fid"], "test_reads": reads})


def per_image(maps: Tensor, pairs: Pairs) -> dict[str, Tensor]:
    return score(Given(pairs.names, maps), pairs, light=pairs.fixations is None).per_image()
