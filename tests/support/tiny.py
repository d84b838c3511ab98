"""A dataset of a few pairs whose maps can be told from the images, and a configuration that trains in a second."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vmsbench.data.encoded.features import Features
from vmsbench.data.pairs import Dataset, Pairs
from vmsbench.models.regression import Regression


def pairs(count: int, size: int, seed: int) -> Pairs:
    """Images with a bright square on noise; the map is green on it."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 100, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    maps = torch.zeros(count, 3, size, size, dtype=torch.uint8)
    for index, (top, left) in enumerate(torch.randint(0, size // 2, (count, 2), generator=generator).tolist()):
        images[index, :, top : top + size // 2, left : left + size // 2] += 120
        maps[index, 1, top : top + size // 2, left : left + size // 2] = 200
        maps[index, 0, : size // 4, left : left + size // 4] = 90
    return Pairs(tuple(f"{seed}-{index}.png" for index in range(count)), images, maps, ("a", "b") * (count // 2))


def dataset(size: int = 32, root: str | None = None, cache: str | None = None, digest: str | None = None) -> Dataset:
    return Dataset(
        pairs(24, size, 1), pairs(8, size, 2), pairs(8, size, 3), coding="rg", digest="tiny", title="tiny squares"
    )


class Constant(Regression):
    """A model whose weights do not matter: the same map for every image."""

    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        return torch.zeros(len(image), count, 2, *image.shape[2:])


def configuration(**settings: Any) -> dict[str, Any]:
    return {
        "exp": "unet",
        "seed": 0,
        "device": "cpu",
        "metric": "crps",
        "test": False,
        "fid": {"weights": None, "required": False},
        "data": {"_target_": "tests.support.tiny.dataset", "root": None, "cache": None, "digest": "tiny"},
        "model": {
            "_target_": "vmsbench.models.regression.Regression",
            "network": {"_target_": "vmsbench.networks.unet.UNet", "_partial_": True, "width": 4, "dropout": 0.1},
        },
        "optimizers": {"network": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.01}},
        "augment": {"_target_": "vmsbench.data.augmentation.Flip"},
        "trainer": {
            "lr_schedule": {"_target_": "vmsbench.training.lr_schedules.CosineDecay", "warmup": 0.1},
            "epochs": 4,
            "batch_size": 5,
            "micro_batch": None,
            "ema": 0.99,
            "clip": 1.0,
            "precision": "float32",
            "keep": "last",
            "patience": 0,
        },
        "evaluation": {"every": 2, "images": None, "samples": 1, "final_samples": 1, "batch_size": 8},
    } | settings


MODELS: dict[str, dict[str, Any]] = {
    "unet": {},
    "readout": {
        "model": {
            "_target_": "vmsbench.models.regression.Regression",
            "network": {"_target_": "vmsbench.networks.readout.Readout", "_partial_": True, "width": 8, "grid": 8},
            "loss": "l1_cc",
            "flip_tta": True,
            "sight": {
                "_target_": "vmsbench.models.sight.Sight",
                "encoder": {"_target_": "vmsbench.networks.efficientnet.EfficientNetLite", "version": 0, "size": 64},
                "blind": True,
                "resolution": 16,
            },
        },
        "augment": {
            "_target_": "vmsbench.data.augmentation.Compose",
            "steps": [
                {"_target_": "vmsbench.data.augmentation.Flip"},
                {"_target_": "vmsbench.data.augmentation.Warp"},
            ],
        },
    },
    "gan": {
        "exp": "gan",
        "model": {
            "_target_": "vmsbench.models.pix2pix.Pix2Pix",
            "network": {"_target_": "vmsbench.networks.unet.UNet", "_partial_": True, "width": 4},
            "discriminator": {
                "_target_": "vmsbench.networks.patch_discriminator.PatchDiscriminator",
                "_partial_": True,
                "width": 4,
            },
        },
        "optimizers": {
            "network": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.01},
            "discriminator": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.01},
        },
    },
    "wgan": {
        "exp": "gan",
        "model": {
            "_target_": "vmsbench.models.wasserstein.Wasserstein",
            "network": {"_target_": "vmsbench.networks.unet.UNet", "_partial_": True, "width": 4, "dropout": 0.2},
            "discriminator": {
                "_target_": "vmsbench.networks.patch_discriminator.PatchDiscriminator",
                "_partial_": True,
                "width": 4,
                "norm": "instance",
                "spectral": True,
            },
            "critic_steps": 3,
            "augmentation": {"_target_": "vmsbench.data.augmentation.DiffAugment", "translation": 0.9, "cutout": 0.9},
            "target": {"_target_": "vmsbench.models.target.Sum"},
        },
        "optimizers": {
            "network": {"_target_": "torch.optim.RMSprop", "_partial_": True, "lr": 0.001},
            "discriminator": {"_target_": "torch.optim.Adadelta", "_partial_": True, "lr": 0.5},
        },
        "augment": {
            "_target_": "vmsbench.data.augmentation.Compose",
            "steps": [
                {"_target_": "vmsbench.data.augmentation.Warp"},
                {"_target_": "vmsbench.data.augmentation.Colour"},
            ],
        },
    },
    "diffusion": {
        "exp": "diffusion",
        "model": {
            "_target_": "vmsbench.models.diffusion.Diffusion",
            "network": {
                "_target_": "vmsbench.networks.residual.ResidualUNet",
                "_partial_": True,
                "width": 8,
                "multipliers": [1, 2],
                "dropout": 0.1,
            },
            "noise_schedule": {"_target_": "vmsbench.models.noise_schedules.CosineSchedule"},
            "sampling_steps": 3,
            "preview_steps": 2,
        },
        "evaluation": {"every": 2, "images": 4, "samples": 2, "final_samples": 3, "batch_size": 8},
    },
    "ddpm": {
        "exp": "diffusion",
        "model": {
            "_target_": "vmsbench.models.diffusion.Diffusion",
            "network": {"_target_": "vmsbench.networks.unet.UNet", "_partial_": True, "width": 4},
            "noise_schedule": {"_target_": "vmsbench.models.noise_schedules.BetasSchedule"},
            "prediction": {"_target_": "vmsbench.models.prediction.NoisePrediction"},
            "num_timesteps": 20,
            "sampling_steps": 5,
            "eta": 1.0,
            "p_uncond": 0.2,
            "guidance": 1.5,
            "flip_tta": True,
        },
        "evaluation": {"every": 2, "images": 4, "samples": 2, "final_samples": 3, "batch_size": 8},
    },
}


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
