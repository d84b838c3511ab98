"""One configuration, trained and judged, in one folder.

    results = run(config, folder)             or: python -m vmsbench.experiment config.json folder

The folder holds config.json, history.jsonl (a line per epoch), checkpoint.pt, samples.png, log.txt and, once the work
is done, results.json. Running it again continues at the step at which it was asked to leave, else after the last whole
epoch, or returns at once. Nothing here needs more than torch, numpy, pillow and torchvision: it runs on bare machines.
"""

import ast
import copy
import hashlib
import json
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vmsbench.build import build
from vmsbench.data.cache import here
from vmsbench.data.pairs import Dataset, Pairs, signed
from vmsbench.data.pictures import beside
from vmsbench.errors import ConfigurationError, UserError, did_you_mean
from vmsbench.files import append_line, log, plain, read_json, read_lines, remove_unfinished, replace, save_json
from vmsbench.metrics.frechet import distances
from vmsbench.metrics.inception import OFFICIAL_SHA256, NoWeights, find_weights
from vmsbench.metrics.scores import lower_is_better, score
from vmsbench.models.model import Model
from vmsbench.training.evaluation import Evaluation, evaluate, keep, rehearse, validation_losses, variety
from vmsbench.training.training import Asked, Left, Training, never, snapshot, summary

Config = dict[str, Any]
Report = Callable[[dict[str, Any]], None]

BESIDE_THE_RESULT = ("device", "data.root", "data.cache", "fid", "trainer.micro_batch")
NUMERIC_CORE = ("build.py", "experiment.py", "data", "networks", "models", "metrics", "training")
LEAST = {
    "trainer.epochs": 1,
    "trainer.patience": 0,
    "trainer.ema": 0,
    "trainer.clip": 0,
    "trainer.micro_batch": 1,
    "evaluation.every": 1,
    "evaluation.images": 1,
    "evaluation.samples": 1,
    "evaluation.final_samples": 1,
    "evaluation.batch_size": 1,
}
SHOWN, FILES = 8, 12
SLIDES, SLIDES_OF_FINAL = FILES - 6, FILES - 9  # there are six other files, in a final nine
COLLAPSED = 0.02


def ignore(record: dict[str, Any]) -> None:
    """The report of whoever does not listen."""


def setting(config: Config, path: str) -> Any:
    """What stands at a dotted path. Raises KeyError where there is nothing."""
    for key in path.split("."):
        config = config[key]
    return config


def with_settings(config: Config, settings: dict[str, Any]) -> Config:
    """A copy of `config` with other values at dotted paths; a dictionary replaces what was there as a whole."""
    changed = copy.deepcopy(config)
    for path, value in settings.items():
        *above, last = path.split(".")
        place = setting(changed, ".".join(above)) if above else changed
        place[last] = copy.deepcopy(value)
    return changed


def identity(config: Config) -> str:
    """Twelve hexadecimal digits of what changes the result: equal names are the same experiment.

    Where it runs (the device, in micro-batches or not) and where things lie on this machine are left out; the data's
    digest stands for the data.
    """
    kept = plain(config)
    for path in BESIDE_THE_RESULT:
        *above, last = path.split(".")
        place = kept
        for key in above:
            place = place.get(key, {})
        place.pop(last, None)
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


@cache
def code_version() -> str:
    """Twelve hexadecimal digits of all code that a result depends on, comments and layout left out."""
    package = Path(__file__).parent
    files = (file for name in NUMERIC_CORE for file in sorted((package / name).rglob("*.py")) or [package / name])
    digest = hashlib.sha256(torch.__version__.encode())
    for file in files:
        digest.update(f"{file.relative_to(package)} {ast.dump(ast.parse(file.read_text()))}".encode())
    return digest.hexdigest()[:12]


def check(config: Config, channels: int, size: int, train: int) -> list[str]:
    """Build everything but the weights' memory, so that a wrong setting is said before any training starts.

    Returns what is possible but unwise, a sentence each. Raises UserError in one line.
    """
    with torch.device("meta"):
        with named("model"):
            model = build(config["model"], channels=channels, size=size)
        for player, module in model.players().items():
            if player in config["optimizers"]:
                with named(f"optimizers.{player}"):
                    build(config["optimizers"][player])(list(module.parameters()))
    trainer = dict(config["trainer"])
    with named("trainer.schedule"):
        build(trainer.pop("schedule"))
    with named("augment"):
        build(config["augment"])
    unknown = set(config["optimizers"]) ^ set(model.players())
    if unknown:
        raise ConfigurationError(
            f"optimizers are given for {', '.join(sorted(config['optimizers']))}, but the model trains "
            f"{', '.join(sorted(model.players()))}"
        )
    if not 1 <= trainer["batch_size"] <= train:
        raise ConfigurationError(
            f"trainer.batch_size={trainer['batch_size']} must lie between 1 and the {train} training pairs"
        )
    for path, least in LEAST.items():
        value = setting(config, path)
        if value is not None and value < least:
            raise ConfigurationError(f"{path}={value}: at least {least}")
    if trainer["ema"] >= 1:
        raise ConfigurationError(f"trainer.ema={trainer['ema']:g}: below 1; 0.999 is usual, 0 is no average")
    check_among("trainer.keep", trainer["keep"], ("last", "best"))
    check_among("trainer.precision", trainer["precision"], ("float32", "bf16"))
    blank = torch.zeros(1, 1 if channels == 1 else 3, size, size)
    errors = (name for name in score(blank, blank, light=True) if lower_is_better(name))
    lowered = [name for name in errors if name != "n" and not name.endswith("_unit")]
    check_among("metric", config["metric"], lowered)
    device = chosen_device(config["device"])
    if trainer["precision"] == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise ConfigurationError("trainer.precision=bf16: this GPU has no bfloat16; trainer.precision=float32 works")
    return model.cautions()


@contextmanager
def named(part: str) -> Iterator[None]:
    """What a constructor says of its settings, as an error of that part of the configuration."""
    try:
        yield
    except (TypeError, ValueError, RuntimeError, LookupError, ArithmeticError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigurationError(f"{part}: {first}") from error


def check_among(name: str, value: str, valid: Sequence[str]) -> None:
    if value not in valid:
        raise ConfigurationError(f"{name}={value} is none of {', '.join(valid)}{did_you_mean(str(value), valid)}")


def check_fid(config: Config) -> None:
    """Refuse, before any training, what requires FID where that cannot be had. Raises ConfigurationError.

    Weights that are not the official ones will do where their path was given: their distance is not called FID.
    """
    fid = config["fid"]
    if not fid["required"]:
        return
    found = find_weights(fid["weights"])
    if isinstance(found, NoWeights):
        raise ConfigurationError(f"fid=required: {found.reason}")
    if not found.official and not fid["weights"]:
        raise ConfigurationError(
            f"fid=required: {found.file} is not the official file (sha256 {found.sha256[:8]}..., not "
            f"{OFFICIAL_SHA256[:8]}...); copy it again, or name it by fid.weights={found.file} to use it as it is"
        )


def run(config: Config, folder: Path | str, report: Report = ignore, leave: Asked = never) -> dict[str, Any]:
    """Train and judge `config` in `folder`; returns what results.json holds.

    report  is called with each line of the history as it comes about; when continuing, first with those that are
            there already. It may raise (SystemExit, say) to stop: what was done stays, and can be continued.
    leave   is asked between two steps whether to save and stop here; then Left is raised.
    Raises UserError for settings or data that cannot work, Diverged for a loss that is no number.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = plain(config)
    if (folder / "config.json").exists() and identity(read_json(folder / "config.json")) != identity(config):
        raise ConfigurationError(f"{folder} holds another experiment; choose another folder")
    if (folder / "results.json").exists():
        for record in read_lines(folder / "history.jsonl"):
            report(record)
        return read_json(folder / "results.json")
    check_fid(config)
    remove_unfinished(folder)
    save_json(folder / "config.json", config)
    try:
        return Experiment(config, folder, leave).run(report)
    except Exception:
        log(folder, traceback.format_exc())
        raise


def chosen_device(name: str) -> torch.device:
    """`auto` is the first GPU where there is one, else the CPU. Raises ConfigurationError for one that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigurationError(f"device={name}: torch sees no GPU here; cpu and auto work")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ConfigurationError(f"device={name} is none of auto, cpu, cuda, cuda:1, ...") from error


class Experiment:
    """A configuration at work in its folder."""

    def __init__(self, config: Config, folder: Path, leave: Asked = never) -> None:
        self.config, self.folder, self.leave = config, folder, leave
        self.spent = 0.0  # seconds that went into an epoch that somebody stopped
        self.device = chosen_device(config["device"])
        torch.manual_seed(config["seed"])
        self.dataset: Dataset = build(config["data"])
        self.train, self.validation = self.dataset.train.to(self.device), self.dataset.validation.to(self.device)
        channels = self.dataset.channels
        check(config, channels, self.dataset.size, len(self.train))
        self.model: Model = build(config["model"], channels=channels, size=self.dataset.size).to(self.device)
        self.model.to(memory_format=torch.channels_last)
        self.model.prepare(signed(self.train.images), signed(self.train.maps[:, :channels]))
        trainer = dict(config["trainer"])
        self.epochs = trainer["epochs"]
        self.patience, self.keeps_best = trainer.pop("patience"), trainer.pop("keep") == "best"
        self.best: dict[str, Any] = {}
        self.kept: dict[str, Any] = {}
        self.training = Training(
            self.model,
            self.train,
            channels,
            optimizers={player: build(spec) for player, spec in config["optimizers"].items()},
            augmentation=build(config["augment"]),
            schedule=build(trainer.pop("schedule")),
            **trainer,
        )

    def run(self, report: Report) -> dict[str, Any]:
        history = self.resume()
        for record in history:
            report(record)
        where = f"{self.device} of {socket.gethostname()}"
        log(self.folder, f"{self.config['exp']} on {where}: epoch {len(history) + 1} to {self.epochs}")
        for caution in self.model.cautions():
            log(self.folder, f"caution: {caution}")
        for fact, value in self.model.facts().items():
            log(self.folder, f"{fact}: {value}")
        if self.device.type == "cuda":
            rehearse(self.model, self.validation, self.config["evaluation"]["batch_size"])
        while not self.trained(history):
            record = self.one_epoch(len(history) + 1, history[-1]["seconds"] if history else 0.0)
            append_line(self.folder / "history.jsonl", record)
            self.save(record["epoch"])
            for trouble in set(record["troubles"]) - set(history[-1]["troubles"] if history else ()):
                log(self.folder, f"epoch {record['epoch']}: {trouble}")
            history.append(plain(record))
            report(history[-1])
        if not self.kept:
            epoch = self.best["epoch"] if self.keeps_best else len(history)
            self.kept = {"epoch": epoch, "weights": self.weights()}
            replace(self.folder / "checkpoint.pt", lambda file: torch.save(self.kept, file))
        self.model.load_state_dict(self.kept["weights"])
        if self.leave():
            raise Left
        results = self.judge(history)
        save_json(self.folder / "results.json", results)
        log(self.folder, f"done: {json.dumps(plain(results['validation']))}")
        return plain(results)

    def resume(self) -> list[dict[str, Any]]:
        """Load the last checkpoint, and cut the history to the epochs that it contains."""
        history_file, checkpoint = self.folder / "history.jsonl", self.folder / "checkpoint.pt"
        if not checkpoint.exists():
            history_file.unlink(missing_ok=True)
            return []
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        if "weights" in state:
            self.kept = state
            return list(read_lines(history_file))
        self.training.load_state_dict(state["training"])
        self.best, self.spent = state["best"], state["spent"]
        history = [record for record in read_lines(history_file) if record["epoch"] <= state["epoch"]]
        lines = "".join(json.dumps(record) + "\n" for record in history)
        replace(history_file, lambda file: file.write(lines.encode()))
        return history

    def save(self, epoch: int) -> None:
        state = {"epoch": epoch, "training": self.training.state_dict(), "best": self.best, "spent": self.spent}
        replace(self.folder / "checkpoint.pt", lambda file: torch.save(state, file))

    def trained(self, history: list[dict[str, Any]]) -> bool:
        """Whether all epochs are done, or the validation metric has not become better for `trainer.patience` epochs."""
        waited = len(history) - self.best["epoch"] if self.best else 0
        return bool(self.kept) or len(history) >= self.epochs or 0 < self.patience <= waited

    def weights(self) -> dict[str, torch.Tensor]:
        """What predicts, on the CPU: the best epoch's weights where those are kept, else the last."""
        if "weights" in self.best:
            return self.best["weights"]
        with self.training.average.in_place():
            return snapshot(self.model)

    def one_epoch(self, epoch: int, seconds_before: float) -> dict[str, Any]:
        """Train for an epoch and look at the validation pairs; returns the history's line."""
        start = time.perf_counter() - self.spent
        evaluation = self.config["evaluation"]
        try:
            losses = self.training.epoch(self.leave)
        except Left:
            self.spent = time.perf_counter() - start
            self.save(epoch - 1)
            log(self.folder, f"left at step {self.training.step}, in epoch {epoch}")
            raise
        self.spent = 0.0
        record: dict[str, Any] = {"epoch": epoch, "train": losses}
        record["observed"], record["troubles"] = self.model.observations(losses), self.model.troubles(losses)
        with self.training.average.in_place():
            record["validation"] = validation_losses(
                self.model, self.validation, self.dataset.channels, evaluation["batch_size"]
            )
            if epoch % evaluation["every"] == 0 or epoch == self.epochs:
                count = min(evaluation["images"] or len(self.validation), len(self.validation))
                shown = self.validation.subset(range(count))
                seen = evaluate(self.model, shown, evaluation["samples"], evaluation["batch_size"], quick=True)
                record["scores"] = seen.scores
                record["observed"]["variety"] = variety(seen.samples, shown.maps)
                if record["observed"]["variety"] < COLLAPSED:
                    record["troubles"].append("the model has collapsed: it gives nearly the same map for every image")
                self.compare(epoch, seen)
                self.draw(epoch, shown, seen)
        record["seconds"] = seconds_before + time.perf_counter() - start
        record["time"] = time.time()
        record["images"] = self.training.images_seen
        return record

    def compare(self, epoch: int, seen: Evaluation) -> None:
        """Remember the best epoch so far by the validation metric, and its weights where they are to be the result."""
        reached = seen.scores[self.config["metric"]]
        if reached is not None and (not self.best or reached < self.best["score"]):
            self.best = {"epoch": epoch, "score": reached}
            if self.keeps_best:
                self.best["weights"] = snapshot(self.model)

    def draw(self, epoch: int, pairs: Pairs, seen: Evaluation) -> None:
        """samples.png, and at some moments of the training samples/EPOCH.png, which stay: so few that all that a trial
        leaves is FILES files at most, those of a final's test included.
        """
        picture = beside(pairs.images[:SHOWN].cpu(), pairs.maps[:SHOWN].cpu(), seen.samples[:SHOWN, 0])
        slides = SLIDES_OF_FINAL if self.config["test"] else SLIDES
        stays = epoch * slides % self.epochs < self.config["evaluation"]["every"] * slides  # so much more is done
        (self.folder / "samples").mkdir(exist_ok=True)
        for name in ("samples.png", f"samples/{epoch:05d}.png")[: 1 + stays]:
            replace(self.folder / name, lambda file: picture.save(file, format="PNG"))

    def judge(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """Score the trained model: the validation pairs always, the test pairs in a final alone."""
        evaluation, metric = self.config["evaluation"], self.config["metric"]
        samples, batch_size = evaluation["final_samples"], evaluation["batch_size"]
        seen = evaluate(self.model, self.validation, samples, batch_size)
        results = {
            "exp": self.config["exp"],
            "seed": self.config["seed"],
            "epochs": len(history),
            "epoch_kept": self.kept["epoch"],
            "troubles": summary(record["troubles"] for record in history),
            "cautions": self.model.cautions(),
            "facts": self.model.facts(),
            "seconds": history[-1]["seconds"],
            "parameters": sum(p.numel() for player in self.model.players().values() for p in player.parameters()),
            "parameters_network": sum(p.numel() for p in self.model.network.parameters()),
            "images_seen": history[-1]["images"],
            "seconds_per_image": seen.seconds_per_image,
            "samples": samples,
            "channels": self.dataset.channels,
            "size": self.dataset.size,
            "metric": metric,
            "validation": seen.scores,
            "device": str(self.device),
            "digest_data": self.dataset.digest,
            "torch": torch.__version__,
            "code": code_version(),
        }
        if self.config["test"]:
            results |= self.examine(samples, batch_size)
        return results

    def examine(self, samples: int, batch_size: int) -> dict[str, Any]:
        """What a final reports: scores on the test pairs, how often those were read, and what was learnt by heart."""
        reads = self.folder / "test_reads.jsonl"
        append_line(reads, {"time": time.time(), "digest": self.dataset.digest})
        learnt = np.random.default_rng(0).permutation(len(self.train))[: len(self.validation)].tolist()
        test = self.dataset.test.to(self.device)
        judged = evaluate(self.model, test, samples, batch_size)
        keep(self.folder, test, self.train, judged.samples, judged.per_image)
        return {
            "test": judged.scores,
            "test_reads": len(list(read_lines(reads))),
            "train": evaluate(self.model, self.train.subset(learnt), samples, batch_size).scores,
            "fid": self.frechet(test, judged),
        }

    def frechet(self, test: Pairs, judged: Evaluation) -> dict[str, Any]:
        """The Frechet distances between true and predicted maps, or why there are none."""
        weights = find_weights(self.config["fid"]["weights"])
        reference, cache = self.train.maps, self.config["data"]["cache"]
        folder = here(cache) if cache else None
        return distances(test.maps, judged.samples[:, 0], reference, weights, self.device, cache=folder)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python -m vmsbench.experiment config.json folder")

    def tell(record: dict[str, Any]) -> None:
        scores = record.get("scores") or {}
        shown = f"  validation L1 {scores['l1']:.4f}" if "l1" in scores else ""
        print(f"epoch {record['epoch']}  training loss {record['train']['loss']:.4f}{shown}", flush=True)

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
