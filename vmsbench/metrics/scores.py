"""The one metric function: predicted maps and true maps, both in [0, 1], to every score a table may show.

Streaming (`Scores.update` per batch, any N), on the tensors' own device, weighted by image, so that an uneven last
batch counts for what it is. Lower is better for l1, mse, crps and kld; higher for cc and sim.

    l1, mse             means over all channels of the file, in [-1, 1]; a prediction of red and green alone is padded
                        with blue = 0. `_unit` is the same in [0, 1], `_rg` over red and green, `l1_red` one channel.
    cc                  Pearson's correlation over the pixels of one map: true (green), false (red), combined (red +
                        green) and combined_20 (the same resized by area to 20 x 20).
    sim, kld            similarity and Kullback-Leibler divergence of the maps normalised to sum 1, as in the MIT
                        saliency benchmark (Bylinskii et al. 2019; epsilon 2.2204e-16).
    crps                E|X - y| - E|X - X'| / 2 per pixel, the fair estimator over K samples (Ferro 2014). With K = 1
                        it is l1.
    l1_mean, l1_median  of the pixelwise mean and median of the K > 1 samples; also mse_mean. In [-1, 1].

With K > 1 samples every other score is the expected score of one sample: the mean over the K of each one's.

ConstantMap maps. cc, sim and kld say nothing where the truth has no shape, so each is averaged over the images whose
truth is not constant in that map, and `cc_true_n` and so on say how many those are. "ConstantMap" means a range of at
most 16/255: the maps are JPEG files, in which an empty channel still ripples by up to 16 levels (of the red channels
of VISCHEMA PLUS at 64 px, 30% lie within it and hardly one has a range of 17 to 24; none is exactly constant). A
constant prediction of a truth that is not constant has cc 0 by definition here; one that sums to 0 is read as uniform
by sim and kld.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from vmsbench.errors import UserError
from vmsbench.metrics.catalog import metrics

CONSTANT_TRUTH = 16 / 255
CONSTANT_PREDICTION = 1e-5
ROUNDING = 1e-5
COARSE = 20
EPSILON = 2.2204e-16
CHUNK = 64


def check_unit(maps: Tensor, what: str) -> None:
    """Refuse maps that are not floats in [0, 1], naming the scale they seem to be on.

    Raises UserError; `what` opens its text ("predictions", "truth").
    """
    if not maps.is_floating_point():
        raise UserError(f"{what}: {maps.dtype} values where floats in [0, 1] are needed; divide bytes by 255")
    if maps.numel() == 0:
        return
    low, high = (value.item() for value in maps.aminmax())
    if not (low > -float("inf") and high < float("inf")):
        raise UserError(f"{what}: NaN or infinite values where floats in [0, 1] are needed")
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return
    span = f"{what}: values from {low:.4g} to {high:.4g}, outside [0, 1]"
    if low < -ROUNDING and low >= -1.01 and high <= 1.01:
        raise UserError(f"{span}: they look like the scale [-1, 1] of the models; give (x + 1) / 2")
    if low >= -ROUNDING and 2 < high <= 256:
        raise UserError(f"{span}: they look like bytes 0..255; give x / 255")
    raise UserError(f"{span}: clamp the predictions, or bring them to the scale [0, 1] first")


class Scores:
    """Gathers the scores of predicted maps, a batch at a time.

    light       leave out sim and kld, for a look at every epoch
    """

    def __init__(self, light: bool = False) -> None:
        self.light = light
        self._batches: list[dict[str, Tensor]] = []

    def update(self, samples: Tensor, targets: Tensor) -> None:
        """Score one batch.

        samples     float in [0, 1]: B x K x C x H x W, or B x C x H x W for one sample an image
        targets     float in [0, 1]: B x M x H x W, M = 3 (red, green, blue) or 1 (grey); C = M, or 2 of 3

        Raises UserError where a shape, a size or the scale is wrong, and where K or M differs from earlier batches.
        """
        check_unit(samples, "predictions")
        check_unit(targets, "truth")
        samples, targets = _aligned(samples, targets)
        if len(targets) == 0:
            return
        with torch.no_grad():
            batch = dict(_measure(samples.float(), targets.float(), self.light))
        if self._batches and batch.keys() != self._batches[0].keys():
            raise UserError("predictions: the number of samples or of channels differs from the batches before")
        self._batches.append(batch)

    def per_image(self) -> dict[str, Tensor]:
        """Every score of every image, in the order seen: float32, N each, on the maps' device.

        NaN where the score is undefined (cc, sim and kld of a constant truth). Raises UserError before any update.
        """
        if not self._batches:
            raise UserError("no image has been scored: there were no predictions")
        return {name: torch.cat([batch[name] for batch in self._batches]) for name in self._batches[0]}

    def result(self) -> dict[str, float | int | None]:
        """Means over the images, `n` (their number) and `NAME_n` (the images behind each cc, sim and kld).

        None where no image has a defined score: JSON has no NaN. Raises UserError before any update.
        """
        values = {name: value.cpu().double() for name, value in self.per_image().items()}
        result: dict[str, float | int | None] = {}
        for name, value in values.items():
            defined = value[~value.isnan()]
            result[name] = defined.mean().item() if len(defined) else None
            if name.startswith(("cc_", "sim_", "kld_")):
                result[f"{name}_n"] = len(defined)
        return {"n": len(values["l1"]), **result}


def score(samples: Tensor, targets: Tensor, light: bool = False) -> dict[str, float | int | None]:
    """The scores of whole tensors at once, in chunks; shapes, scale and errors as in `Scores.update`."""
    if len(samples) != len(targets):
        raise UserError(f"predictions: {len(samples)} of them for {len(targets)} true maps")
    scores = Scores(light)
    for start in range(0, len(targets), CHUNK):
        scores.update(samples[start : start + CHUNK], targets[start : start + CHUNK])
    return scores.result()


def resize_by_area(maps: Tensor, size: int) -> Tensor:
    """`maps`, ... x H x W, to ... x size x size: each new pixel is the mean of the area it covers."""
    height, width = maps.shape[-2:]
    return _area_weights(height, size, maps) @ maps @ _area_weights(width, size, maps).T


def _area_weights(old: int, new: int, like: Tensor) -> Tensor:
    """new x old: the share of each old pixel in each new one; rows sum to 1."""
    edges = torch.arange(old + 1, dtype=torch.float32, device=like.device) * (new / old)
    cells = torch.arange(new, dtype=torch.float32, device=like.device)[:, None]
    overlap = torch.minimum(edges[1:], cells + 1) - torch.maximum(edges[:-1], cells)
    return overlap.clamp(min=0).to(like.dtype)


def _aligned(samples: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Samples as B x K x M x H x W beside targets B x M x H x W, or a UserError that names what does not fit."""
    if targets.ndim != 4 or targets.shape[1] not in (1, 3):
        raise UserError(f"truth: shape {tuple(targets.shape)}; needed is B x 3 x H x W, or B x 1 x H x W for grey maps")
    if samples.ndim == 4:
        samples = samples[:, None]
    if samples.ndim != 5 or samples.shape[1] == 0:
        raise UserError(f"predictions: shape {tuple(samples.shape)}; needed is B x C x H x W or B x K x C x H x W")
    if len(samples) != len(targets):
        raise UserError(f"predictions: {len(samples)} of them for {len(targets)} true maps")
    if samples.shape[-2:] != targets.shape[-2:]:
        height, width = samples.shape[-2:]
        raise UserError(
            f"predictions: {width} x {height} pixels where the truth has {_pixels(targets)}; resize them first"
        )
    predicted, wanted = samples.shape[2], targets.shape[1]
    if predicted == 2 and wanted == 3:
        samples = functional.pad(samples, (0, 0, 0, 0, 0, 1))
    elif predicted != wanted:
        valid = "3, or 2 (red and green)" if wanted == 3 else "1"
        raise UserError(f"predictions: {predicted} channels where the truth has {wanted}; needed are {valid}")
    return samples, targets


def _pixels(maps: Tensor) -> str:
    return f"{maps.shape[-1]} x {maps.shape[-2]}"


def _measure(samples: Tensor, targets: Tensor, light: bool) -> Iterator[tuple[str, Tensor]]:
    """Each score's name and its B values; samples B x K x M x H x W, targets B x M x H x W."""
    colour = targets.shape[1] == 3
    truth = targets[:, None]
    difference = samples - truth
    l1 = difference.abs().mean(dim=(1, 3, 4))
    mse = difference.square().mean(dim=(1, 3, 4))
    yield from _both_scales("l1", l1.mean(dim=1), factor=2)
    yield from _both_scales("mse", mse.mean(dim=1), factor=4)
    if colour:
        yield from _both_scales("l1_rg", l1[:, :2].mean(dim=1), factor=2)
        yield from _both_scales("mse_rg", mse[:, :2].mean(dim=1), factor=4)
        for channel, name in enumerate(("red", "green", "blue")):
            yield f"l1_{name}", 2 * l1[:, channel]
    yield from _of_samples(samples, targets, l1.mean(dim=1))
    for name, predicted, true in _named_maps(samples, truth):
        shaped = (true.amax(dim=(-2, -1)) - true.amin(dim=(-2, -1))).squeeze(1) > CONSTANT_TRUTH
        yield f"cc_{name}", _where(shaped, _correlation(predicted, true))
        if not light and name != "combined_20":
            yield f"sim_{name}", _where(shaped, _similarity(predicted, true))
            yield f"kld_{name}", _where(shaped, _divergence(predicted, true))
    for name, metric in metrics().items():
        if metric.measure:
            yield name, metric.measure(samples, targets)


def _both_scales(name: str, in_unit: Tensor, factor: int) -> Iterator[tuple[str, Tensor]]:
    yield name, factor * in_unit
    yield f"{name}_unit", in_unit


def _of_samples(samples: Tensor, targets: Tensor, l1: Tensor) -> Iterator[tuple[str, Tensor]]:
    """CRPS, and for K > 1 the errors of the pixelwise mean and median; `l1` is each image's, in [0, 1]."""
    number = samples.shape[1]
    if number == 1:
        yield from _both_scales("crps", l1, factor=2)
        return
    ordered = samples.sort(dim=1).values
    # The sum over pairs |x_i - x_j|, i < j, is the sum of (2k - K - 1) x_(k) over the ordered x_(1) ... x_(K).
    ranks = 2 * torch.arange(1, number + 1, device=samples.device) - number - 1
    pairs = torch.einsum("k,bkchw->bchw", ranks.to(samples.dtype), ordered)
    spread = pairs.mean(dim=(1, 2, 3)) * 2 / (number * (number - 1))
    yield from _both_scales("crps", l1 - spread / 2, factor=2)
    mean = samples.mean(dim=1)
    median = (ordered[:, (number - 1) // 2] + ordered[:, number // 2]) / 2
    yield "l1_mean", 2 * (mean - targets).abs().mean(dim=(1, 2, 3))
    yield "l1_median", 2 * (median - targets).abs().mean(dim=(1, 2, 3))
    yield "mse_mean", 4 * (mean - targets).square().mean(dim=(1, 2, 3))


def _named_maps(samples: Tensor, truth: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The maps that cc, sim and kld compare: predicted B x K x H x W and true B x 1 x H x W."""
    if truth.shape[2] == 3:
        yield "true", samples[:, :, 1], truth[:, :, 1]
        yield "false", samples[:, :, 0], truth[:, :, 0]
    predicted, true = samples[:, :, :2].sum(dim=2), truth[:, :, :2].sum(dim=2)
    yield "combined", predicted, true
    yield "combined_20", resize_by_area(predicted, COARSE), resize_by_area(true, COARSE)


def _where(shaped: Tensor, values: Tensor) -> Tensor:
    """The mean over the K samples, B x K to B, and NaN where the truth has no shape."""
    return torch.where(shaped, values.mean(dim=1), torch.nan)


def _correlation(predicted: Tensor, true: Tensor) -> Tensor:
    """Pearson's correlation over the pixels, B x K; 0 for a constant prediction."""
    x = predicted - predicted.mean(dim=(-2, -1), keepdim=True)
    y = true - true.mean(dim=(-2, -1), keepdim=True)
    both = (x * y).sum(dim=(-2, -1))
    each = (x.square().sum(dim=(-2, -1)) * y.square().sum(dim=(-2, -1))).sqrt()
    flat = predicted.amax(dim=(-2, -1)) - predicted.amin(dim=(-2, -1)) <= CONSTANT_PREDICTION
    return torch.where(flat, 0.0, both / each.clamp(min=torch.finfo(each.dtype).tiny))


def _distribution(maps: Tensor) -> Tensor:
    """Maps that sum to 1; a map that sums to 0 becomes uniform."""
    maps = maps.clamp(min=0)
    total = maps.sum(dim=(-2, -1), keepdim=True)
    uniform = 1 / (maps.shape[-2] * maps.shape[-1])
    return torch.where(total > 0, maps / total.clamp(min=torch.finfo(total.dtype).tiny), uniform)


def _similarity(predicted: Tensor, true: Tensor) -> Tensor:
    """The sum of the smaller of both densities, B x K, in [0, 1]."""
    return torch.minimum(_distribution(predicted), _distribution(true)).sum(dim=(-2, -1))


def _divergence(predicted: Tensor, true: Tensor) -> Tensor:
    """KL(true || predicted) in nats, B x K."""
    p, q = _distribution(predicted), _distribution(true)
    return (q * (EPSILON + q / (p + EPSILON)).log()).sum(dim=(-2, -1))
