"""The one metric function: predicted maps and true maps, both in [0, 1], to every score a table may show.

Streaming (`Scores.update` per batch, any N), on the tensors' own device, weighted by image, so that an uneven last
batch counts for what it is. Which direction is better says `vmsbench.metrics.catalog`.

Of one sample; with K > 1 samples the expected score of one, which is the mean over the K of each one's:

    l1, mse             means over all channels of the file, in [-1, 1]; a prediction of red and green alone is padded
                        with blue = 0. `_unit` is the same in [0, 1], `_rg` over red and green, `l1_red` one channel.
    cc                  Pearson's correlation over the pixels of one map: true (green), false (red), combined (red +
                        green) and combined_20 (the same resized by area to 20 x 20).
    ssim                structural similarity (Wang et al. 2004), of red and green or of the one channel; undefined for
                        maps smaller than its window
    sim, kld            similarity and Kullback-Leibler divergence of the maps normalised to sum 1, as in the MIT
                        saliency benchmark (Bylinskii et al. 2019; epsilon 2.2204e-16).
    nss, auc_judd, ig   of the combined map at the people's fixations, where the data have those: normalised scanpath
                        saliency, AUC-Judd, and information gain over the centre bias in bits
                        (`vmsbench.metrics.fixated`); undefined for an image without fixations

Of the one answer that K > 1 samples give, which is the best under that score if they are draws of the true law:

    l1_median           and `l1_rg_median`, `l1_red_median`, ...: of their pixelwise median, the best under L1; also
                        l1_mean, of their mean
    mse_mean            and `mse_rg_mean`, `cc_true_mean`, `sim_true_mean`, `kld_true_mean`, `nss_mean`,
                        `auc_judd_mean`, `ig_mean`: of their pixelwise mean, the best under MSE (and near the best for
                        the others, most of which normalise each map)
    ssim_median         of their pixelwise median: their mean is grey where the truth is black, which SSIM punishes

Of the K samples as a distribution:

    crps                E|X - y| - E|X - X'| / 2 per pixel, the fair estimator over K samples (Ferro 2014). With K = 1
                        it is l1.
    energy              the same over whole maps, |.| being the root of the mean square over pixels and channels
                        (Gneiting and Raftery 2007). With K = 1 it is the root of the image's mse.
    spread              the variance of the samples, (K + 1) / K times the unbiased one, in [-1, 1]: what mse_mean is on
                        average if they are draws of the true law. Only for K > 1; `spread_skill`, in the results, is
                        the root of spread / mse_mean: 1 is right, less is too sure.
    coverage_50, _90    the share of the pixels that central intervals hold, as in `vmsbench.metrics.calibration`; each
                        where K suffices for it

Constant maps. cc, sim and kld say nothing where the truth has no shape, so each is averaged over the images whose
truth is not constant in that map, and `cc_true_n` and so on say how many those are. "Constant" means a range of at
most 16/255: the maps are JPEG files, in which an empty channel still ripples by up to 16 levels (of the red channels
of VISCHEMA PLUS at 64 px, 30% lie within it and hardly one has a range of 17 to 24; none is exactly constant). A
constant prediction of a truth that is not constant has cc 0 by definition here; one that sums to 0 is read as uniform
by sim and kld.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vmsbench.data.sources.fixations import Fixations
from vmsbench.errors import UserError
from vmsbench.metrics.agreement.similarity import WINDOW, correlation, divergence, similarity, ssim
from vmsbench.metrics.calibration import LEVELS, classes, coverage, least_samples, ranked, ranks
from vmsbench.metrics.catalog import metric, metrics
from vmsbench.metrics.fixated import fixation_scores
from vmsbench.metrics.ordering import in_order, middle

CONSTANT_TRUTH = 16 / 255
ROUNDING = 1e-5
COARSE = 20
CHUNK = 16  # images at once: larger blocks of memory are slower to come by than to fill


def tunable(grey: bool = False) -> list[str]:
    """The scores that a search may go by, those of K > 1 samples included, errors in [-1, 1]: l1, crps, cc_true_mean,
    l1_median, ...; crps_dressed besides, which needs other images."""
    blank = torch.zeros(1, 2, 1 if grey else 3, COARSE, COARSE)
    names = [*measure(blank, blank[:, 0], light=True), "crps_dressed"]
    return [name for name in names if metric(name).better in ("lower", "higher") and not name.endswith("_unit")]


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

    light       leave out ssim, sim, kld, nss, auc_judd and ig, for validation at every epoch
    """

    def __init__(self, light: bool = False) -> None:
        self.light = light
        self._batches: list[dict[str, Tensor]] = []
        self._samples: int | None = None

    def update(self, samples: Tensor, targets: Tensor, fixations: Fixations | None = None) -> None:
        """Score one batch, and by `fixations` where they are known.

        samples     float in [0, 1]: B x K x C x H x W, or B x C x H x W for one sample an image
        targets     float in [0, 1]: B x M x H x W, M = 3 (red, green, blue) or 1 (grey); C = M, or 2 of 3

        Raises UserError where a shape, a size or the scale is wrong, and where K or M differs from earlier batches.
        """
        samples, targets = _checked(samples, targets)
        if not len(targets):
            return
        number = samples.shape[1]
        if self._samples not in (None, number):
            raise UserError(
                f"predictions: {number} samples of an image, and {self._samples} of those before: their number "
                "differs from the batches before, and must be one for all"
            )
        self._samples = number
        self.gather(measure(samples, targets, self.light, fixations))

    def gather(self, batch: dict[str, Tensor]) -> None:
        """Take one batch's scores, as `measure` gives them. Raises UserError where they are others than before."""
        if self._batches and batch.keys() != self._batches[0].keys():
            raise UserError("predictions: the number of samples or of channels differs from the batches before")
        self._batches.append(batch)

    def per_image(self) -> dict[str, Tensor]:
        """Every score of every image, in the order seen: float32, N each, on the maps' device.

        NaN where the score is undefined: cc, sim and kld of a constant truth, ssim of a map smaller than its window,
        nss, auc_judd and ig without a fixation, coverage of an image that is empty in its truth and its samples.
        Raises UserError before any update.
        """
        if not self._batches:
            raise UserError("no image has been scored: there were no predictions")
        return {name: torch.cat([batch[name] for batch in self._batches]) for name in self._batches[0]}

    def result(self) -> dict[str, float | int | None]:
        """Means over the images, `n` (their number) and `NAME_n` (the images behind each score that is `partial`).

        None where no image has a defined score: JSON has no NaN. Raises UserError before any update.
        """
        values = {name: value.cpu().double() for name, value in self.per_image().items()}
        result: dict[str, float | int | None] = {}
        for name, value in values.items():
            defined = value[~value.isnan()]
            result[name] = defined.mean().item() if len(defined) else None
            if metric(name).partial:
                result[f"{name}_n"] = len(defined)
        if values.get("mse_mean", torch.zeros(1)).any():
            result["spread_skill"] = (values["spread"].mean() / values["mse_mean"].mean()).sqrt().item()
        return {"n": len(values["l1"]), **result}


@torch.no_grad()
def measure(
    samples: Tensor, targets: Tensor, light: bool = False, fixations: Fixations | None = None
) -> dict[str, Tensor]:
    """Every score of every image of one batch, B values each; shapes, scale and errors as in `Scores.update`."""
    samples, targets = _checked(samples, targets)
    seen = dict(fixation_scores(samples.float(), fixations)) if fixations and not light else {}
    return dict(_measure(samples.float(), targets.float(), light)) | seen


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


def _checked(samples: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    check_unit(samples, "predictions")
    check_unit(targets, "truth")
    return aligned(samples, targets)


def aligned(samples: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Samples as B x K x M x H x W and targets B x M x H x W, or a UserError that names what does not fit."""
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
        raise UserError(f"predictions: {predicted} channels where the truth has {wanted}; needed: {valid}")
    return samples, targets


def _pixels(maps: Tensor) -> str:
    return f"{maps.shape[-1]} x {maps.shape[-2]}"


def _measure(samples: Tensor, targets: Tensor, light: bool) -> Iterator[tuple[str, Tensor]]:
    """Each score's name and its B values; samples B x K x M x H x W, targets B x M x H x W."""
    found, ordered = errors(samples, targets), in_order(samples)
    yield from _absolute(found)
    yield from _squared(found)
    yield from of_distribution(samples, ordered, targets, found)
    yield from _of_shape(samples, targets, light)
    if not light:
        yield "ssim", _structure(samples, targets)
    if samples.shape[1] > 1:
        yield from of_answers(samples.mean(dim=1), middle(ordered), targets, light)
    yield from _of_plugins(samples, ordered, targets)


def _of_plugins(samples: Tensor, ordered: Tensor, targets: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The scores of metrics that measure themselves, and of the one answer that is best under each."""
    for name, one in metrics().items():
        if one.measure is None:
            continue
        yield name, one.measure(samples, targets)
        if one.answer and samples.shape[1] > 1:
            answer = samples.mean(dim=1) if one.answer == "mean" else middle(ordered)
            yield f"{name}_{one.answer}", one.measure(answer[:, None], targets)


def of_answers(mean: Tensor, median: Tensor, targets: Tensor, light: bool) -> Iterator[tuple[str, Tensor]]:
    """The scores of a distribution's one answer, the median under L1 and else the mean; all B x M x H x W."""
    found = errors(mean[:, None], targets)
    yield "l1_mean", 2 * found.absolute.mean(dim=1)
    yield from _absolute(errors(median[:, None], targets), "_median")
    yield from _squared(found, "_mean")
    yield from _of_shape(mean[:, None], targets, light, "_mean")
    if not light:
        yield "ssim_median", _structure(median[:, None], targets)


@dataclass(frozen=True)
class Errors:
    """Of K samples, in [0, 1]: the mean absolute ones, B x M, and the mean squared ones, B x K x M."""

    absolute: Tensor
    squared: Tensor


def errors(samples: Tensor, targets: Tensor) -> Errors:
    apart = samples - targets[:, None]
    squared = apart.square().mean(dim=(3, 4))
    return Errors(apart.abs_().mean(dim=(3, 4)).mean(dim=1), squared)


def _absolute(found: Errors, answer: str = "") -> Iterator[tuple[str, Tensor]]:
    l1 = found.absolute
    yield from _both_scales(f"l1{answer}", l1.mean(dim=1), factor=2)
    if l1.shape[1] == 3:
        yield from _both_scales(f"l1_rg{answer}", l1[:, :2].mean(dim=1), factor=2)
        for channel, name in enumerate(("red", "green", "blue")):
            yield f"l1_{name}{answer}", 2 * l1[:, channel]


def _squared(found: Errors, answer: str = "") -> Iterator[tuple[str, Tensor]]:
    mse = found.squared.mean(dim=1)
    yield from _both_scales(f"mse{answer}", mse.mean(dim=1), factor=4)
    if mse.shape[1] == 3:
        yield from _both_scales(f"mse_rg{answer}", mse[:, :2].mean(dim=1), factor=4)


def _of_shape(samples: Tensor, targets: Tensor, light: bool, answer: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, predicted, true in _named_maps(samples, targets[:, None]):
        shaped = (true.amax(dim=(-2, -1)) - true.amin(dim=(-2, -1))).squeeze(1) > CONSTANT_TRUTH
        yield f"cc_{name}{answer}", _where(shaped, correlation(predicted, true))
        if not light and name != "combined_20":
            yield f"sim_{name}{answer}", _where(shaped, similarity(predicted, true))
            yield f"kld_{name}{answer}", _where(shaped, divergence(predicted, true))


def _structure(samples: Tensor, targets: Tensor) -> Tensor:
    """SSIM of red and green, or of the one channel, B; NaN for maps smaller than its window."""
    many, few = ranked(samples), ranked(targets)
    if min(few.shape[-2:]) < WINDOW:
        return few.new_full((len(few),), torch.nan)
    return ssim(many.flatten(0, 1), few[:, None].expand_as(many).flatten(0, 1)).view(many.shape[:2]).mean(dim=1)


def _both_scales(name: str, in_unit: Tensor, factor: int) -> Iterator[tuple[str, Tensor]]:
    yield name, factor * in_unit
    yield f"{name}_unit", in_unit


def of_distribution(samples: Tensor, ordered: Tensor, targets: Tensor, found: Errors) -> Iterator[tuple[str, Tensor]]:
    """CRPS and energy, and for K > 1 spread and coverage, of K samples, which are `ordered` besides; `found` of them.

    Samples of a single B = 1 are those of every target; what does not depend on the targets then has one value.
    """
    number = samples.shape[1]
    crps = found.absolute.mean(dim=1) - _mean_difference(ordered) / 2
    yield from _both_scales("crps", crps, factor=2)
    yield from energy(samples, found)
    if number > 1:
        around = (samples - samples.mean(dim=1, keepdim=True)).square_().mean(dim=(3, 4)).mean(dim=(1, 2))
        yield from _both_scales("spread", around * (number + 1) / (number - 1), factor=4)
    low, high = ranks(classes(samples), classes(targets))
    for level in LEVELS:
        if number >= least_samples(level):
            yield f"coverage_{level}", coverage(low, high, level)


def energy(samples: Tensor, found: Errors) -> Iterator[tuple[str, Tensor]]:
    """The fair energy score of the K samples, whose errors are `found`, in both scales."""
    error = found.squared.mean(dim=2).sqrt().mean(dim=1)
    yield from _both_scales("energy", error - _mean_distance(samples) / 2, factor=2)


def _mean_difference(ordered: Tensor) -> Tensor:
    """E|X - X'| over the pairs of K samples, which are in order, B: 0 for one sample."""
    number = ordered.shape[1]
    if number == 1:
        return ordered.new_zeros(len(ordered))
    # The sum over pairs |x_i - x_j|, i < j, is the sum of (2k - K - 1) x_(k) over the ordered x_(1) ... x_(K).
    factors = 2 * torch.arange(1, number + 1, device=ordered.device) - number - 1
    return ordered.mean(dim=(3, 4)).mean(dim=2) @ factors.to(ordered.dtype) * 2 / (number * (number - 1))


def _mean_distance(samples: Tensor) -> Tensor:
    """E||X - X'|| over the pairs of K samples, B: 0 for one; ||.|| is the root mean square over pixels and channels."""
    number, flat = samples.shape[1], samples.flatten(2).double()
    if number == 1:
        return samples.new_zeros(len(samples))
    products = flat @ flat.transpose(1, 2) / flat.shape[-1]
    squares = products.diagonal(dim1=1, dim2=2)
    between = (squares[:, :, None] + squares[:, None] - 2 * products).clamp(min=0).sqrt()
    return (between.sum(dim=(1, 2)) / (number * (number - 1))).to(samples.dtype)


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
