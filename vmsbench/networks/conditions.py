"""What networks take besides an image: an encoder's maps, a time, numbers of noise."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vmsbench.networks.layers import TimeFeatures

MAPS = 16  # channels for each stride of an encoder's maps, where they are joined to an image
Moments = Sequence[tuple[Tensor, Tensor]]
"""Mean and deviation of each channel, C each, for each stride."""


class Maps(nn.Module):
    """An encoder's maps, brought to mean 0 and deviation 1 by channel, and each projected to `width` channels.

    features   channels at each stride, the finest first; none: no encoder, and no channels
    dropout    share of the encoder's channels dropped in training
    """

    def __init__(self, features: Sequence[int], width: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.channels = width * len(features)
        self.dropout = nn.Dropout2d(dropout)
        self.projections = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in features)
        for stride, channels in enumerate(features):
            self.register_buffer(f"mean_{stride}", torch.zeros(1, channels, 1, 1))
            self.register_buffer(f"deviation_{stride}", torch.ones(1, channels, 1, 1))

    def learn(self, moments: Moments) -> None:
        """Take in what the training pictures' features are like."""
        for stride, (mean, deviation) in enumerate(moments):
            self.get_buffer(f"mean_{stride}").copy_(mean[None, :, None, None])
            self.get_buffer(f"deviation_{stride}").copy_(deviation.clamp(min=1e-3)[None, :, None, None])

    def forward(self, maps: Sequence[Tensor], side: int, count: int) -> Tensor:
        """B x `channels` x side x side for B = `count` images; of B / k maps each is for k images in a row.

        What is dropped in training is then dropped for all k: draws of one image see the same.
        """
        shown = []
        for stride, (map_, project) in enumerate(zip(maps, self.projections, strict=True)):
            standard = (map_ - self.get_buffer(f"mean_{stride}")) / self.get_buffer(f"deviation_{stride}")
            shown.append(resized(project(self.dropout(standard)), side))
        seen = torch.cat(shown, dim=1)
        if count % len(seen):
            raise ValueError(
                f"features of {len(seen)} pictures are given for {count} images: not equally many for each"
            )
        return seen if len(seen) == count else seen.repeat_interleave(count // len(seen), dim=0)

    def joined(self, image: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """The image, and where there is an encoder its maps as more channels of it."""
        return torch.cat([image, self(maps, image.shape[-1], len(image))], dim=1) if self.channels else image


def resized(x: Tensor, side: int) -> Tensor:
    """B x C x S x S to B x C x side x side: bilinear, or the mean of the area where it becomes smaller."""
    if x.shape[-1] == side:
        return x
    if x.shape[-1] > side:
        return functional.adaptive_avg_pool2d(x, side)
    return functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)


class NoiseFeatures(nn.Module):
    """B x `numbers` standard normal numbers as B x `features`: a map's style, which modulation turns into a map."""

    def __init__(self, numbers: int, features: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(numbers, features), nn.SiLU(), nn.Linear(features, features))

    def forward(self, noise: Tensor) -> Tensor:
        return self.mlp(noise)


def condition(
    time: Tensor | None, noise: Tensor | None, of_time: TimeFeatures | None, of_noise: NoiseFeatures | None
) -> Tensor | None:
    """Time and noise as one vector for each image, by which layers scale and shift; None where there is neither."""
    parts = [of_time(time)] if of_time is not None and time is not None else []
    parts += [of_noise(noise)] if of_noise is not None and noise is not None else []
    return torch.stack(parts).sum(dim=0) if parts else None
