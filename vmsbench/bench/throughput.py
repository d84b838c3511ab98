"""Images per second in training: against the bare step, a loop around a DataLoader, and the loop of `diffusers`."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Files

from vmsbench.accelerators import backend_of
from vmsbench.bench.result import Measurement, interleaved, milliseconds, times_faster
from vmsbench.bench.synthetic_data import photographs
from vmsbench.config.settings import Config, with_settings
from vmsbench.experiment import Experiment

BATCHES = 4  # that a turn of each contestant takes
LEAST_ON_GPU = 10  # times as fast as a DataLoader of JPEG files
DEFAULTS, SAME_LAYOUT = "diffusers, its defaults", "diffusers, same layout"


def measured(config: Config, folder: Path) -> Experiment:
    """The experiment's training on random bytes."""
    trainer = config["trainer"]
    count, size = BATCHES * trainer["batch_size"], config["data"]["size"]
    data = {"_target_": "vmsbench.bench.synthetic_data.noise", "count": count, "size": size}
    return Experiment(with_settings(config, {"data": data}), folder)


def bare(experiment: Experiment) -> Callable[[], int]:
    """The limit: forward, backward and optimiser of the same model, one batch that is on the device already."""
    training, model = experiment.training, experiment.model
    image, target, features = training.batch(torch.arange(training.batch_size))

    def steps() -> int:
        model.train()
        for _ in range(BATCHES):
            for player, terms in training.player_losses(image, target, features):
                optimizer = training.optimizers[player]
                optimizer.zero_grad(set_to_none=True)
                torch.stack(list(terms.values())).sum().backward(inputs=training.weights[player])
                optimizer.step()
            model.on_step_end()
        return BATCHES * training.batch_size

    return steps


def loop(experiment: Experiment) -> Callable[[], int]:
    training = experiment.training

    def epoch() -> int:
        training.epoch()
        return training.steps_per_epoch * training.batch_size

    return epoch


def against_the_limit(config: Config, folder: Path, rounds: int) -> list[Measurement]:
    """The training loop and the bare step of one experiment."""
    exp = config["exp"]
    name, least = f"{exp}: training loop / bare step", 0.95
    whole, limit = measured(config, folder / "loop"), measured(config, folder / "limit")
    seconds = interleaved({"loop": loop(whole), "bare": bare(limit)}, rounds)
    return [
        Measurement(name, times_faster(seconds["loop"], seconds["bare"]), "x", least=least),
        Measurement(f"{exp}: training", milliseconds(seconds["loop"]), "ms/image"),
        *on_a_gpu(name, least, exp, whole),
    ]


def on_a_gpu(name: str, least: float, exp: str, measured_here: Experiment) -> list[Measurement]:
    """The row that needs a GPU; none where it was measured on one."""
    if backend_of(measured_here.device):
        return []
    return [Measurement(f"{name}, GPU", None, "x", least=least, how=f"vmsbench bench train --exp {exp} device=cuda")]


class Folder(Files[tuple[Tensor, Tensor]]):
    """Pairs of JPEG files, decoded and resized on access."""

    def __init__(self, root: Path, size: int) -> None:
        self.files, self.root, self.size = sorted(file.name for file in (root / "images").iterdir()), root, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, map_ = (self.read(self.root / part / self.files[index]) for part in ("images", "vms"))
        return image, map_[:2]

    def read(self, path: Path) -> Tensor:
        with Image.open(path) as file:
            picture = file.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        return pixels.view(self.size, self.size, 3).permute(2, 0, 1).float() / 127.5 - 1


def against_a_loader(config: Config, folder: Path, rounds: int) -> list[Measurement]:
    """The training loop, and the usual loop of tutorials: the same network, a DataLoader of JPEG files of 700 px."""
    ours, theirs = measured(config, folder / "loop"), measured(config, folder / "theirs")
    batch, size = config["trainer"]["batch_size"], config["data"]["size"]
    files = Folder(photographs(folder / "jpeg", BATCHES * batch), size)
    workers = len(os.sched_getaffinity(0))
    loader = DataLoader(files, batch, shuffle=True, num_workers=workers, persistent_workers=True, drop_last=True)
    network, device = theirs.model.network, theirs.device
    network.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)

    def epoch() -> int:
        network.train()
        for image, target in loader:
            loss = (network(image.to(device)) - target.to(device)).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
        return BATCHES * batch

    seconds = interleaved({"loop": loop(ours), "loader": epoch}, rounds)
    least = LEAST_ON_GPU if backend_of(device) else 2
    name = "unet: training / DataLoader of JPEG"
    faster = times_faster(seconds["loop"], seconds["loader"])
    return [
        Measurement(f"{name}, {workers} workers", faster, "x", least=least),
        *on_a_gpu(name, LEAST_ON_GPU, "unet", ours),
    ]


def against_diffusers(config: Config, folder: Path, rounds: int) -> list[Measurement]:
    """The training loop, and one of diffusers' UNet2DModel and DDPMScheduler with as many parameters, +- 10 %.

    The target is for the library's default layout (two blocks at each resolution, attention at all but the
    first), scaled to the number of parameters. Next to it, without a target, is this network's own layout
    (attention at one resolution, a block at each): nearly the same arithmetic in another library.
    """
    if find_spec("diffusers") is None:
        how = "pip install 'vmsbench[bench]', then vmsbench bench train"
        return [Measurement("diffusion: training / diffusers' loop", None, "x", least=1.5, how=how)]
    ours = measured(config, folder / "loop")
    own = sum(weight.numel() for weight in ours.model.network.parameters())
    contestants = {"loop": loop(ours)}
    size, width, multipliers = (
        config["data"]["size"],
        config["model"]["network"]["width"],
        config["model"]["network"]["multipliers"],
    )
    for name, network in peers(size, width, multipliers, own).items():
        contestants[name] = of_diffusers(network.to(ours.device), ours)
    seconds = interleaved(contestants, rounds)
    faster = {name: times_faster(seconds["loop"], seconds[name]) for name in (DEFAULTS, SAME_LAYOUT)}
    return [
        Measurement(f"diffusion: training / {DEFAULTS}", faster[DEFAULTS], "x", least=1.5),
        *on_a_gpu(f"diffusion: training / {DEFAULTS}", 1.5, "diffusion", ours),
        Measurement(f"diffusion: training / {SAME_LAYOUT}", faster[SAME_LAYOUT], "x"),
    ]


def peers(size: int, width: int, multipliers: list[int], parameters: int) -> dict[str, nn.Module]:
    """diffusers' networks with so many parameters, within 10 %."""
    import diffusers

    unet: Any = diffusers.UNet2DModel
    common: dict[str, Any] = {"sample_size": size, "in_channels": 5, "out_channels": 2, "norm_num_groups": 8}
    plain = ["DownBlock2D"] * len(multipliers), ["UpBlock2D"] * len(multipliers)
    attends = [size // 2**level == 16 for level in range(len(multipliers))]
    like_ours = {
        "layers_per_block": 1,
        "block_out_channels": tuple(width * m for m in multipliers),
        "down_block_types": tuple("AttnDownBlock2D" if a else d for a, d in zip(attends, plain[0], strict=True)),
        "up_block_types": tuple("AttnUpBlock2D" if a else u for a, u in zip(attends[::-1], plain[1], strict=True)),
        "attention_head_dim": min([32, *(width * m for m, a in zip(multipliers, attends, strict=True) if a)]),
    }
    with torch.device("meta"):
        widths = {tuple(8 * max(1, round(unit * share / 4)) for share in (1, 2, 3, 4)) for unit in range(1, width)}
        sizes = {channels: count(unet(**common, block_out_channels=channels)) for channels in widths}
    nearest = min(sizes, key=lambda channels: abs(sizes[channels] - parameters))
    return {
        SAME_LAYOUT: unet(**common, **like_ours),
        DEFAULTS: unet(**common, block_out_channels=nearest),
    }


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def of_diffusers(network: nn.Module, ours: Experiment) -> Callable[[], int]:
    """The loop of diffusers' training example: DDPMScheduler's noise, v as the target, in our precision."""
    import diffusers

    training, device = ours.training, ours.device
    image, target, _ = training.batch(torch.arange(training.batch_size))
    scheduler: Any = diffusers.DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    optimizer = torch.optim.Adam(network.parameters(), 2e-4)

    def steps() -> int:
        network.train()
        for _ in range(BATCHES):
            noise = torch.randn_like(target)
            times = torch.randint(0, 1000, (len(target),), device=device)
            noisy, velocity = scheduler.add_noise(target, noise, times), scheduler.get_velocity(target, noise, times)
            with torch.autocast(device.type, torch.bfloat16, enabled=training.half):
                said = network(torch.cat([noisy, image], 1), times).sample
                loss = functional.mse_loss(said, velocity)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return BATCHES * len(target)

    return steps
