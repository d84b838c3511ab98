"""Augmentation where an encoder has looked at the pictures beforehand: a pair is shown in one of the views it saw."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vmsbench.data.augmentation import Augmentation, Colour, Compose, Flip, NoAugmentation, Warp, resampled
from vmsbench.data.encoded.features import DEGREES, SCALE, SHIFT, Encodes, Features, Views
from vmsbench.errors import ConfigurationError

SEEN = Warp(DEGREES, SCALE, SHIFT)
WORKS = "augment=views, flip, strong or none works with an encoder"


@dataclass(frozen=True)
class Viewing:
    """An augmentation in terms of views: image, map and features are always of the same one.

    mirrored   the probability of a mirrored view (`Flip`)
    warped     whether warped views are shown, each as often as the picture as it is (`Warp`, by the amounts that the
               encoder saw, which are fixed)
    rest       what leaves everything where it is (`Colour`): done to the image, which the features do not follow
    """

    mirrored: float
    warped: bool
    rest: Compose

    @staticmethod
    def of(augmentation: Augmentation) -> "Viewing":
        """Raises ConfigurationError for an augmentation that shows pictures as no view does."""
        steps = flat(augmentation)
        for step in steps:
            if not isinstance(step, Flip | Warp | Colour):
                raise ConfigurationError(
                    f"augment: {type(step).__name__} shows pictures as the encoder never saw them; {WORKS}"
                )
            if isinstance(step, Warp) and step != SEEN:
                raise ConfigurationError(
                    f"augment: the encoder saw warps of {amounts(SEEN)} alone, not of {amounts(step)}; {WORKS}"
                )
        for kind in (Flip, Warp):
            if sum(isinstance(step, kind) for step in steps) > 1:
                raise ConfigurationError(
                    f"augment: more than one {kind.__name__}, and the encoder saw pictures after one; {WORKS}"
                )
        flips = [step.p for step in steps if isinstance(step, Flip)]
        rest = [step for step in steps if isinstance(step, Colour)]
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


def amounts(warp: Warp) -> str:
    return f"degrees={warp.degrees:g}, scale={warp.scale:g}, shift={warp.shift:g}"


def check_views(augmentation: Augmentation, encoder: Encodes) -> None:
    """Refuse, where there is an encoder, what `Viewing.of` refuses, and warps of which it saw none."""
    if encoder.channels and Viewing.of(augmentation).warped and not encoder.warps:
        raise ConfigurationError(
            "augment: Warp needs warped pictures, and with model.sight.encoder.warps=0 the encoder saw none; "
            "model.sight.encoder.warps=1 or augment=flip works"
        )


def flat(augmentation: Augmentation) -> list[Augmentation]:
    """The steps of an augmentation, those within others too."""
    if isinstance(augmentation, Compose):
        return [inner for step in augmentation.steps for inner in flat(step)]
    return [] if isinstance(augmentation, NoAugmentation) else [augmentation]
