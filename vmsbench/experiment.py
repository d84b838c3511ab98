"""One configuration, trained and evaluated, in one folder.

    results = run(config, folder)             or: python -m vmsbench.experiment config.json folder

The folder holds config.json, history.jsonl (a line per epoch), starts.jsonl (a line per start), checkpoint.pt,
samples.png, log.txt and, once the work is done, results.json. Running it again continues at the step at which it was
asked to stop, else after the last whole epoch, or returns at once. Nothing here needs more than torch, numpy, pillow
and torchvision: it runs on machines without Ray, Hydra and MLflow.
"""

import hashlib
import json
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vmsbench.accelerators import backend_of
from vmsbench.config.instantiate import build
from vmsbench.config.settings import Config, with_settings
from vmsbench.config.weight_files import by_content, check_same_files, pinned
from vmsbench.data.cache import expand
from vmsbench.data.encoded.features import logged
from vmsbench.data.pairs import Dataset, Pairs, evenly, signed
from vmsbench.data.rendering import side_by_side
from vmsbench.errors import ConfigurationError, OwnershipLost, StorageError, UserError
from vmsbench.files import log, plain, read_from, read_json, remove_unfinished, replace, restrict_umask
from vmsbench.metrics.catalog import sign
from vmsbench.metrics.distances.frechet import distances
from vmsbench.metrics.distances.inception import find_weights
from vmsbench.metrics.predictors import SAMPLES
from vmsbench.metrics.references import value as score_of
from vmsbench.metrics.tracks.dressed import crosswise, one_answer
from vmsbench.models.model import Model
from vmsbench.processes import keep_freed_memory
from vmsbench.store.experiment_folder import PICTURE, ExperimentFolder
from vmsbench.training.checks import check, check_fid, chosen_device
from vmsbench.training.final_scores import Answered, both_tracks, save_predictions
from vmsbench.training.trainer import ShouldStop, Training, TrainingInterrupted, never, snapshot, summary
from vmsbench.training.validation import Evaluation, diversity, evaluate, preflight, validation_losses
from vmsbench.versions import code_version

Report = Callable[[dict[str, Any]], None]

WITHOUT_EFFECT = (
    *("schema", "device", "fid", "trainer.micro_batch"),
    *("data.root", "data.cache", "data.verify", "data.scale", "data.repeats", "data.fixations"),
)
SHOWN, FILES = 8, 12
SLIDES, SLIDES_OF_FINAL = FILES - 7, FILES - 10  # there are seven other files, in a final ten
COLLAPSED = 0.02


def ignore(record: dict[str, Any]) -> None:
    """A callback that does nothing."""


def config_hash(config: Config) -> str:
    """Twelve hexadecimal digits of what changes the result: equal hashes are the same experiment.

    Where it runs (the device, in micro-batches or not) and where things lie on this machine are left out; the data's
    digest stands for the data, and what a file of an encoder's weights holds for the file.
    """
    kept = by_content(plain(config))
    for path in WITHOUT_EFFECT:
        *above, last = path.split(".")
        place = kept
        for key in above:
            place = place.get(key, {})
        place.pop(last, None)
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def run(config: Config, folder: Path | str, report: Report = ignore, should_stop: ShouldStop = never) -> dict[str, Any]:
    """Train and evaluate `config` in `folder`; returns what results.json holds.

    report       called with each new line of the history; when continuing, first with the existing ones. It may raise
                 (SystemExit, say) to stop: what is done stays, and can be continued
    should_stop  called between two steps; where it returns True, the state is saved and TrainingInterrupted raised;
                 where it raises OwnershipLost, nothing more is written
    Raises UserError for settings or data that cannot work, Diverged for a loss that is NaN or infinite.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = plain(config)
    there = ExperimentFolder(folder)
    if there.begun:
        before = there.config()
        if config_hash(before) != config_hash(config):
            check_same_files(before, config)
            raise ConfigurationError(f"{folder} holds another experiment; choose another folder")
    if there.finished:
        results = there.results()
        for record in there.history():
            report(record)
        return results
    check_fid(config)
    config = pinned(config)
    remove_unfinished(folder)
    there.write_config(config)
    try:
        return Experiment(config, folder, should_stop).run(report)
    except OwnershipLost:  # the folder is another process's
        raise
    except Exception:  # whatever it is, the folder keeps its traceback, and it goes on
        with suppress(StorageError):  # it may be what went wrong
            log(folder, traceback.format_exc())
        raise


def rescore(folder: Path, places: Config) -> dict[str, Any]:
    """Score a finished experiment again from the weights that it kept, with SAMPLES samples where it draws some.

    For what an older version did not measure. Reads the test pairs once more if it is a final, and counts that.

    places  settings that say where the data and the device are now, by dotted path
    Raises UserError where the folder holds no finished experiment, or its data have changed.
    """
    there = ExperimentFolder(folder)
    if not there.finished or not there.checkpoint.exists():
        raise ConfigurationError(f"{folder} holds no finished training with its weights; nothing can be scored again")
    config = with_settings(there.config(), places)
    if (drawn := config["evaluation"]["final_samples"]) > 1:
        config = with_settings(config, {"evaluation.final_samples": max(drawn, SAMPLES)})
    experiment = Experiment(config, folder)
    history = experiment.resume()
    experiment.model.load_state_dict(experiment.kept["weights"])
    results = experiment.evaluate_final(history)
    return there.write_results(results)


class Experiment:
    """A training in its folder."""

    def __init__(self, config: Config, folder: Path, should_stop: ShouldStop = never) -> None:
        self.config, self.folder, self.should_stop = config, folder, should_stop
        self.there = ExperimentFolder(folder)
        self.spent = 0.0  # seconds spent on an interrupted epoch
        self.device = chosen_device(config["device"])
        if self.device.type == "cpu":
            keep_freed_memory()
        torch.manual_seed(config["seed"])
        self.dataset: Dataset = build(config["data"], "data")
        channels = self.dataset.channels
        check(config, channels, self.dataset.size, len(self.dataset.train))
        self.model: Model = build(config["model"], "model", channels=channels, size=self.dataset.size).to(self.device)
        self.model.to(memory_format=torch.channels_last)
        encoder, cache = self.model.sight.encoder.kept, config["data"].get("cache")
        self.seen = partial(self.dataset.seen, encoder, cache, self.device, logged(folder))
        self.train, self.validation = self.seen("train"), self.seen("validation")
        moments = self.train.moments(self.model.encoded)
        self.model.prepare(signed(self.train.images), signed(self.train.maps[:, :channels]), moments)
        trainer = dict(config["trainer"])
        self.epochs = trainer["epochs"]
        self.patience, self.keeps_best = trainer.pop("patience"), trainer.pop("keep") == "best"
        self.best: dict[str, Any] = {}
        self.kept: dict[str, Any] = {}
        self.training = Training(
            self.model,
            self.train,
            channels,
            optimizers={player: build(spec, f"optimizers.{player}") for player, spec in config["optimizers"].items()},
            augmentation=build(config["augment"], "augment"),
            lr_schedule=build(trainer.pop("lr_schedule"), "trainer.lr_schedule"),
            **trainer,
        )

    def run(self, report: Report) -> dict[str, Any]:
        history = self.resume()
        for record in history:
            report(record)
        device, host, first = str(self.device), socket.gethostname(), len(history) + 1
        self.there.add_start(first, device, host)
        log(self.folder, f"{self.config['exp']} on {device} of {host}: epoch {first} to {self.epochs}")
        for line in self.dataset.provenance.lines():
            log(self.folder, line)
        for caution in self.model.config_warnings():
            log(self.folder, f"caution: {caution}")
        for fact, value in self.model.info().items():
            log(self.folder, f"{fact}: {value}")
        if backend_of(self.device):
            preflight(self.model, self.validation, self.config["evaluation"]["batch_size"])
        while not self.trained(history):
            record = self.one_epoch(len(history) + 1, history[-1]["seconds"] if history else 0.0)
            self.should_stop()  # raises where the folder is another process's; a stop waits for the next step
            self.there.add_epoch(record)
            self.save(record["epoch"])
            for trouble in set(record["diagnostics"]) - set(history[-1]["diagnostics"] if history else ()):
                log(self.folder, f"epoch {record['epoch']}: {trouble}")
            history.append(plain(record))
            report(history[-1])
        if not self.kept:
            epoch = self.best["epoch"] if self.keeps_best else len(history)
            self.kept = {"epoch": epoch, "weights": self.weights()}
            replace(self.there.checkpoint, lambda file: torch.save(self.kept, file))
        self.model.load_state_dict(self.kept["weights"])
        if self.should_stop():
            raise TrainingInterrupted
        results = self.there.write_results(self.evaluate_final(history))
        log(self.folder, f"done: {json.dumps(results['validation_scores'])}")
        return results

    def resume(self) -> list[dict[str, Any]]:
        """Load the last checkpoint, and cut the history to the epochs that it contains."""
        if not self.there.checkpoint.exists():
            self.there.history_file.unlink(missing_ok=True)
            return []
        load = partial(torch.load, map_location=self.device, weights_only=True)
        state = read_from(self.there.checkpoint, load)
        if "weights" in state:
            self.kept = state
            return list(self.there.history())
        self.training.load_state_dict(state["training"])
        self.best, self.spent = state["best"], state["spent"]
        history = [record for record in self.there.history() if record["epoch"] <= state["epoch"]]
        self.there.rewrite_history(history)
        return history

    def save(self, epoch: int) -> None:
        state = {"epoch": epoch, "training": self.training.state_dict(), "best": self.best, "spent": self.spent}
        replace(self.there.checkpoint, lambda file: torch.save(state, file))

    def trained(self, history: list[dict[str, Any]]) -> bool:
        """Whether all epochs are done, or the validation metric has not improved for `trainer.patience` epochs."""
        waited = len(history) - self.best["epoch"] if self.best else 0
        return bool(self.kept) or len(history) >= self.epochs or 0 < self.patience <= waited

    def weights(self) -> dict[str, torch.Tensor]:
        """The weights used for prediction, on the CPU: the best epoch's where those are kept, else the last."""
        if "weights" in self.best:
            return self.best["weights"]
        with self.training.average.in_place():
            return snapshot(self.model)

    def one_epoch(self, epoch: int, seconds_before: float) -> dict[str, Any]:
        """Train for an epoch and evaluate on the validation pairs; returns the history's line."""
        start = time.perf_counter() - self.spent
        evaluation = self.config["evaluation"]
        try:
            losses = self.training.epoch(self.should_stop)
        except TrainingInterrupted:
            self.spent = time.perf_counter() - start
            self.save(epoch - 1)
            log(self.folder, f"stopped at step {self.training.step}, in epoch {epoch}")
            self.there.write_interruption(epoch, self.training.step)
            raise
        self.spent = 0.0
        record: dict[str, Any] = {"epoch": epoch, "train_loss": losses}
        record["observed"], record["diagnostics"] = self.model.observations(losses), self.model.diagnostics(losses)
        with self.training.average.in_place():
            record["validation_loss"] = validation_losses(
                self.model, self.validation, self.dataset.channels, evaluation["batch_size"]
            )
            if epoch % evaluation["every"] == 0 or epoch == self.epochs:
                shown = self.validation.spread(evaluation["images"])
                seen = evaluate(self.model, shown, evaluation["samples"], evaluation["batch_size"], quick=True)
                record["scores"] = self.tuning_scores(seen, shown)
                record["observed"]["diversity"] = diversity(seen.samples, shown.maps)
                if record["observed"]["diversity"] < COLLAPSED:
                    record["diagnostics"].append(
                        "the model has collapsed: it gives nearly the same map for every image"
                    )
                self.compare(epoch, record["scores"])
                self.draw(epoch, shown, seen)
        record["seconds"] = seconds_before + time.perf_counter() - start
        record["time"] = time.time()
        record["images"] = self.training.images_seen
        return record

    def tuning_scores(self, seen: Evaluation, pairs: Pairs, dressed: bool = False) -> dict[str, Any]:
        """The scores on tuning validation pairs, the metric among them: of one sample, l1_median is l1.

        dressed     with crps_dressed, which is there anyway where it is the metric
        """
        metric = self.config["metric"]
        tuned = crosswise(one_answer(seen.samples), pairs) if dressed or metric == "crps_dressed" else {}
        scores = seen.scores | {name: values.mean().item() for name, values in tuned.items()}
        return scores | ({metric: score_of(scores, metric)} if metric not in scores else {})

    def compare(self, epoch: int, scores: Mapping[str, Any]) -> None:
        """Remember the best epoch so far by the validation metric, and its weights where keep=best."""
        reached, lower = scores[self.config["metric"]], sign(self.config["metric"])
        if reached is not None and (not self.best or lower * reached < lower * self.best["score"]):
            self.best = {"epoch": epoch, "score": reached}
            if self.keeps_best:
                self.best["weights"] = snapshot(self.model)

    def draw(self, epoch: int, pairs: Pairs, seen: Evaluation) -> None:
        """samples.png, and after some epochs samples/EPOCH.png; a trial or final has FILES files at most."""
        rows = evenly(len(pairs), SHOWN)
        picture = side_by_side(pairs.images[rows].cpu(), pairs.maps[rows].cpu(), seen.samples[rows, 0])
        slides = SLIDES_OF_FINAL if self.config["test"] else SLIDES
        stays = epoch * slides % self.epochs < self.config["evaluation"]["every"] * slides
        (self.folder / "samples").mkdir(exist_ok=True)
        for name in (PICTURE, f"samples/{epoch:05d}.png")[: 1 + stays]:
            replace(self.folder / name, lambda file: picture.save(file, format="PNG"))

    def evaluate_final(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """Score the trained model: the validation pairs always, the test pairs in a final alone."""
        evaluation, metric = self.config["evaluation"], self.config["metric"]
        samples, batch_size = evaluation["final_samples"], evaluation["batch_size"]
        seen = evaluate(self.model, self.validation, samples, batch_size)
        results = {
            "exp": self.config["exp"],
            "seed": self.config["seed"],
            "epochs": len(history),
            "epoch_kept": self.kept["epoch"],
            "diagnostics": summary(record["diagnostics"] for record in history),
            "config_warnings": self.model.config_warnings(),
            "info": self.model.info(),
            "seconds": history[-1]["seconds"],
            "parameters": sum(p.numel() for player in self.model.players().values() for p in player.parameters()),
            "parameters_network": sum(p.numel() for p in self.model.network.parameters()),
            "images_seen": history[-1]["images"],
            "seconds_per_image": seen.seconds_per_image,
            "samples": samples,
            "channels": self.dataset.channels,
            "size": self.dataset.size,
            "metric": metric,
            "validation_scores": self.tuning_scores(seen, self.validation, dressed=True),
            "device": str(self.device),
            "digest_data": self.dataset.digest,
            "torch": torch.__version__,
            "code": code_version(),
        }
        if self.config["test"]:
            results |= self.evaluate_test(seen, samples, batch_size)
        return results

    def evaluate_test(self, seen: Evaluation, samples: int, batch_size: int) -> dict[str, Any]:
        """What a final reports: scores on the test pairs, how often those were read, and scores on training pairs.

        seen    the evaluation on the tuning validation pairs, whose errors dress the answers for the test pairs
        """
        reads = self.there.count_test_read(self.dataset.digest)
        subset = np.random.default_rng(0).permutation(len(self.train))[: len(self.validation)].tolist()
        test = self.seen("test")
        judged = evaluate(self.model, test, samples, batch_size)
        answered = Answered(test, judged.samples)
        tracks = both_tracks(answered, judged.per_image, Answered(self.validation, seen.samples))
        save_predictions(self.folder, answered, self.train, tracks.per_image)
        return {
            "test_scores": judged.scores | tracks.scores,
            "calibration": tracks.calibration,
            "dressing": tracks.dressing,
            "test_reads": reads,
            "train_scores": evaluate(self.model, self.train.subset(subset), samples, batch_size).scores,
            "fid": self.frechet(test, judged),
        }

    def frechet(self, test: Pairs, judged: Evaluation) -> dict[str, Any]:
        """The Frechet distances between true and predicted maps, or the reason why there are none."""
        weights = find_weights(self.config["fid"]["weights"])
        reference, cache = self.train.maps, self.config["data"]["cache"]
        folder = expand(cache) if cache else None
        return distances(test.maps, judged.samples[:, 0], reference, weights, self.device, cache=folder)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python -m vmsbench.experiment config.json folder")

    def tell(record: dict[str, Any]) -> None:
        scores = record.get("scores") or {}
        shown = f"  validation L1 {scores['l1']:.4f}" if "l1" in scores else ""
        print(f"epoch {record['epoch']}  training loss {record['train_loss']['loss']:.4f}{shown}", flush=True)

    restrict_umask()
    try:
        results = run(read_json(Path(sys.argv[1])), sys.argv[2], tell)
    except KeyError as error:
        print(f"error: {sys.argv[1]} lacks the setting {error}", file=sys.stderr)
        sys.exit(2)
    except (UserError, OSError, json.JSONDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
