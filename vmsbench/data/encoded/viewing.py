"""Augmentation where an encoder has looked at the pictures beforehand: a pair is shown in one of the views it saw."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vmsbench.data.augmentation import Augmentation, Colour, Compose, Cutout, Flip, NoAugmentation, Warp, resampled
from vmsbench.data.encoded.features import Features, Views
from vmsbench.errors import ConfigurationError


@dataclass(frozen=True)
class Viewing:
    """An augmentation in terms of views: image, map and features are always of the same one.

    mirrored   the probability of a mirrored view (`Flip`)
    warped     whether warped views are shown, each as often as the picture as it is (`Warp`, by the fixed amounts that
               the encoder saw)
    rest       what changes no place (`Colour`, `Cutout`): done to the image, which the features do not follow
    """

    mirrored: float
    warped: bool
    rest: Compose

    @staticmethod
    def of(augmentation: Augmentation) -> "Viewing":
        """Raises ConfigurationError for an augmentation that moves pictures as no view does."""
        steps = flat(augmentation)
        for step in steps:
            if not isinstance(step, Flip | Warp | Colour | Cutout):
                raise ConfigurationError(
                    f"augment: {type(step).__name__} shows pictures as the encoder never saw them; "
                    "augment=flip, strong or none works with one"
                )
        flips = [step.p for step in steps if isinstance(step, Flip)]
        rest = [step for step in steps if isinstance(step, Colour | Cutout)]
        return Viewing(flips[0] if flips else 0.0, any(isinstance(step, Warp) for step in steps), Compose(rest))

    def __call__(self, image: Tensor, target: Tensor, views: Views, chosen: Tensor) -> tuple[Tensor, Tensor, Features]:
        """image and target (B x ..., in [-1, 1]) of the chosen pairs, and their features, in views drawn for each."""
        count = len(image)
        kind = torch.randint(views.count // 2 if self.warped else 1, (count,), device=image.device)
        view = 2 * kind + (torch.rand(count, device=image.device) < self.mirrored)
        stack = torch.cat([image, target], dim=1)
        shown = resampled(stack, views.warp(chosen, view)).clamp(-1, 1) if view.any() else stack
        image, target = self.rest(shown[:, : image.shape[1]], shown[:, image.shape[1] :])
        return image, target, Features(views.maps(chosen, view))


def check_views(augmentation: Augmentation, channels: Sequence[int]) -> None:
    """Refuse, where there is an encoder (with maps of so many channels), what `Viewing.of` refuses."""
    if channels:
        Viewing.of(augmentation)


def flat(augmentation: Augmentation) -> list[Augmentation]:
    """The steps of an augmentation, those within others too."""
    if isinstance(augmentation, Compose):
        return [inner for step in augmentation.steps for inner in flat(step)]
    return [] if isinstance(augmentation, NoAugmentation) else [augmentation]
