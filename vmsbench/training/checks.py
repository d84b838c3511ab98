"""Whether a configuration can work, before any training starts."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from vmsbench.accelerators import backend_of, backends, best_device
from vmsbench.config.instantiate import build
from vmsbench.config.settings import Config, typed
from vmsbench.data.encoded.viewing import check_views
from vmsbench.errors import ConfigurationError, did_you_mean
from vmsbench.metrics.distances.inception import OFFICIAL_SHA256, NoWeights, find_weights
from vmsbench.metrics.scores import tunable


def check(config: Config, channels: int, size: int, train: int) -> list[str]:
    """Build everything but the weights' memory, so that a wrong setting is refused before any training starts.

    Returns warnings about settings that are valid but unwise. Raises UserError in one line.
    """
    config = typed(config)
    with torch.device("meta"):
        with named("model"):
            model = build(config["model"], "model", channels=channels, size=size)
        for player, module in model.players().items():
            if player in config["optimizers"]:
                with named(f"optimizers.{player}"):
                    build(config["optimizers"][player], f"optimizers.{player}")(list(module.parameters()))
    check_memory(sum(one.numel() for module in model.players().values() for one in module.parameters()))
    trainer = dict(config["trainer"])
    with named("trainer.lr_schedule"):
        build(trainer.pop("lr_schedule"), "trainer.lr_schedule")
    with named("augment"):
        check_views(build(config["augment"], "augment"), model.sight.encoder)
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
    check_among("metric", config["metric"], tunable(grey=channels == 1))
    device = chosen_device(config["device"])
    backend = backend_of(device)
    if trainer["precision"] == "bf16" and backend and not backend.is_bf16_supported():
        raise ConfigurationError("trainer.precision=bf16: this GPU has no bfloat16; trainer.precision=float32 works")
    return [*model.config_warnings(), *of_few_samples(config["metric"], config["evaluation"])]


def check_memory(weights: int) -> None:
    """Raises ConfigurationError where so many weights, with gradients and Adam's moments, exceed all memory here."""
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    here = max([here, *(backend.get_device_properties(0).total_memory for backend in backends())])
    needed = 4 * 4 * weights
    if needed > here:
        raise ConfigurationError(
            f"model: {weights:,} weights need {needed / 1e9:,.0f} GB to be trained, and there are {here / 1e9:,.0f} GB "
            "here; a smaller width, such as model.network.width=64, works"
        )


def of_few_samples(metric: str, evaluation: Config) -> list[str]:
    """Whether the score of several samples' one answer is looked at with fewer samples than it is taken with."""
    during, end = evaluation.get("samples", 1), evaluation.get("final_samples", 1)
    if during >= end or not metric.endswith(("_median", "_mean", "_dressed")):
        return []
    return [
        f"metric={metric} is of {during} sample{'s' * (during > 1)} of an image in training and of {end} at the end, "
        f"which make a better answer; evaluation.samples={end} makes curves and ends comparable, at a cost"
    ]


@contextmanager
def named(part: str) -> Iterator[None]:
    """A constructor's error, as an error of that part of the configuration."""
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

    Weights that are not the official ones are accepted where their path is given: their distance is not called FID.
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
            f"{OFFICIAL_SHA256[:8]}...); copy it again, or use it by fid.weights={found.file}"
        )


def chosen_device(name: str) -> torch.device:
    """`auto` is the first GPU where there is one, else the CPU. Raises ConfigurationError for one that is not there."""
    try:
        device = torch.device(best_device() if name == "auto" else name)
    except RuntimeError as error:
        raise ConfigurationError(f"device={name} is none of auto, cpu, cuda, cuda:1, xpu, ...") from error
    count = backend.device_count() if (backend := backend_of(device)) and backend.is_available() else 0
    if backend and (device.index or 0) >= count:
        seen = f"{device.type}:0 to {device.type}:{count - 1} alone" if count else "no such GPU"
        raise ConfigurationError(f"device={name}: torch sees {seen} here; cpu and auto work")
    return device
