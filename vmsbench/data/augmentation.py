"""Chance changes of a batch, on its device and without a loop over samples.

Scales are the models': images and maps in [-1, 1], so 0 is mid-grey in an image and -1 is "nobody" in a map. Draws come
from torch's default generator of the tensor's device. Translation and cutout are those of DiffAugment (Zhao et al.
2020, arXiv:2006.10738, section 4.1): shifts up to ratio of the side, a hole of ratio of the side whose centre lies
anywhere. Both let gradients through, so that they may stand in front of a discriminator.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vmsbench.errors import ConfigurationError

Fill = float | Sequence[float]


class Augmentation(ABC):
    """Changes an image and its map together, so that they stay a pair; new tensors, never in place."""

    @abstractmethod
    def __call__(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """image N x 3 x H x W and target N x C x H x W, both in [-1, 1], to the same shapes."""


class NoAugmentation(Augmentation):
    """The batch as it is."""

    def __call__(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return image, target


@dataclass(frozen=True)
class Flip(Augmentation):
    """Left and right exchanged in both, with probability p."""

    p: float = 0.5

    def __post_init__(self) -> None:
        check_share("Flip p", self.p)

    def __call__(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        turned = happens(image, self.p)
        return torch.where(turned, image.flip(-1), image), torch.where(turned, target.flip(-1), target)


@dataclass(frozen=True)
class Translate(Augmentation):
    """Both moved by the same whole pixels; what comes in is mid-grey in the image and -1 (nobody) in the map."""

    p: float = 0.9
    ratio: float = 0.125

    def __post_init__(self) -> None:
        check_share("Translate p", self.p)
        check_share("Translate ratio", self.ratio)

    def __call__(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        channels = image.shape[1], target.shape[1]
        fill = [0.0] * channels[0] + [-1.0] * channels[1]
        moved = translate(torch.cat([image, target], dim=1), self.p, self.ratio, fill)
        return moved[:, : channels[0]], moved[:, channels[0] :]


@dataclass(frozen=True)
class Cutout(Augmentation):
    """A square hole (mid-grey) in the image alone: a hole in the map would erase what is to be learned."""

    p: float = 0.9
    ratio: float = 0.5

    def __post_init__(self) -> None:
        check_share("Cutout p", self.p)
        check_share("Cutout ratio", self.ratio)

    def __call__(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return cutout(image, self.p, self.ratio), target


@dataclass(frozen=True)
class Compose(Augmentation):
    """One step after the other."""

    steps: Sequence[Augmentation]

    def __call__(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        for step in self.steps:
            image, target = step(image, target)
        return image, target


@dataclass(frozen=True)
class Warp(Augmentation):
    """Both turned, scaled and moved about their centre, bilinearly; what comes in is their mirror image.

    degrees   largest turn to either side
    scale     largest change of size: 1.2 is from 1/1.2 to 1.2, evenly on a logarithmic scale
    shift     largest move, as a share of each side
    """

    degrees: float = 10.0
    scale: float = 1.2
    shift: float = 0.1

    def __post_init__(self) -> None:
        check_share("Warp shift", self.shift)
        if self.scale < 1:
            raise ConfigurationError(f"Warp scale={self.scale}: at least 1, which is no change")

    def __call__(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        angle, size, right, down = (2 * torch.rand(4, len(image), device=image.device) - 1).unbind()
        rows = rows_of(angle * math.radians(self.degrees), self.scale**size, self.shift * right, self.shift * down)
        warped = resampled(torch.cat([image, target], dim=1), rows).clamp(-1, 1)
        return warped[:, : image.shape[1]], warped[:, image.shape[1] :]


@dataclass(frozen=True)
class Colour(Augmentation):
    """The image alone: brightness, contrast and saturation changed, each by a factor in 1 +- strength."""

    strength: float = 0.3

    def __post_init__(self) -> None:
        check_share("Colour strength", self.strength)

    def __call__(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        draws = 1 + self.strength * (2 * torch.rand(3, len(image), 1, 1, 1, device=image.device) - 1)
        brightness, contrast, saturation = draws.unbind()
        changed = (image + 1) * brightness - 1
        centre = changed.mean(dim=(1, 2, 3), keepdim=True)
        changed = centre + contrast * (changed - centre)
        grey = changed.mean(dim=1, keepdim=True)
        return (grey + saturation * (changed - grey)).clamp(-1, 1), target


@dataclass(frozen=True)
class DiffAugment:
    """Translation and cutout of what a discriminator sees, with these probabilities (Zhao et al. 2020).

    It is image and map on top of each other, N x (3 + C) x H x W, changed together; what comes in is mid-grey in the
    image and -1 (nobody) in the map. Real and made maps are to go through it alike; gradients pass.
    """

    translation: float = 0.0
    cutout: float = 0.0

    def __post_init__(self) -> None:
        check_share("DiffAugment translation", self.translation)
        check_share("DiffAugment cutout", self.cutout)

    def __call__(self, x: Tensor) -> Tensor:
        fill = [0.0] * 3 + [-1.0] * (x.shape[1] - 3)
        if self.translation:
            x = translate(x, self.translation, fill=fill)
        return cutout(x, self.cutout, fill=fill) if self.cutout else x


def rows_of(angle: Tensor, size: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """N x 2 x 3: the inverse maps of turns (radians), changes of size and moves (shares of the side), N each, in
    [-1, 1] coordinates, whose full side is 2."""
    cosine, sine = angle.cos() / size, angle.sin() / size
    return torch.stack([cosine, -sine, 2 * right, sine, cosine, 2 * down], 1).reshape(len(angle), 2, 3)


def resampled(x: Tensor, rows: Tensor) -> Tensor:
    """x (N x C x H x W) through inverse maps (N x 2 x 3), bilinearly; what comes in is its mirror image."""
    points = functional.affine_grid(rows.to(x.device), list(x.shape), align_corners=False)
    return functional.grid_sample(x, points, padding_mode="reflection", align_corners=False)


def translate(x: Tensor, p: float = 0.9, ratio: float = 0.125, fill: Fill = 0.0) -> Tensor:
    """Each sample of x (N x C x H x W) moved with probability p by whole pixels, uniform within +-ratio of each side.

    fill: what comes in at the edges, one number or one per channel.
    """
    down, right = shifts(x, p, ratio)
    moved, inside = slide(x, down, dim=2)
    moved, inside_too = slide(moved, right, dim=3)
    return torch.where(inside & inside_too, moved, filling(x, fill))


def shifts(x: Tensor, p: float, ratio: float) -> tuple[Tensor, Tensor]:
    """Whole pixels down and right per sample, N each; zero with probability 1 - p."""
    moves = happens(x, p).flatten()
    reach = [int(side * ratio + 0.5) for side in x.shape[2:]]
    down, right = (torch.randint(-most, most + 1, (len(x),), device=x.device) for most in reach)
    return down * moves, right * moves


def slide(x: Tensor, by: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """x moved along `dim` (2 or 3) by so many pixels per sample, and where (broadcast over x) a pixel came from x."""
    side = x.shape[dim]
    source = torch.arange(side, device=x.device) - by[:, None]
    source = source[:, None, :, None] if dim == 2 else source[:, None, None, :]
    inside = (source >= 0) & (source < side)
    return x.gather(dim, source.clamp(0, side - 1).expand(x.shape)), inside


def cutout(x: Tensor, p: float = 0.9, ratio: float = 0.5, fill: Fill = 0.0) -> Tensor:
    """Each sample of x (N x C x H x W) with a hole, with probability p: ratio of each side, centred on any pixel.

    Holes are cut off at the edges. fill: what is in the hole, one number or one per channel.
    """
    hole = happens(x, p)
    for dim in (2, 3):
        side = x.shape[dim]
        length = int(side * ratio + 0.5)
        centre = torch.randint(0, side + (1 - length % 2), (len(x), 1), device=x.device)
        offset = torch.arange(side, device=x.device) - centre + length // 2
        within = (offset >= 0) & (offset < length)
        hole = hole & (within[:, None, :, None] if dim == 2 else within[:, None, None, :])
    return torch.where(hole, filling(x, fill), x)


def happens(x: Tensor, p: float) -> Tensor:
    """One draw per sample, bool, N x 1 x 1 x 1."""
    return torch.rand(len(x), 1, 1, 1, device=x.device) < p


def filling(x: Tensor, fill: Fill) -> Tensor:
    """The fill in x's type, broadcast over x."""
    return torch.as_tensor(fill, dtype=x.dtype, device=x.device).reshape(-1, 1, 1)


def check_share(setting: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigurationError(f"{setting}={value} is not a share: give a number from 0 to 1")
