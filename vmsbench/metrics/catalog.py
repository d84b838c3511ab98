"""What each score is: its label, which direction is better, its scale, and where it is shown.

A new score is one entry here and a line in `vmsbench.metrics.scores`; or, in a package of one's own, an object that an
entry point names, with the function that measures it:

    NSS = Metric("NSS true", "higher", digits=2, shown="report", per_image=True, measure=nss)

    [project.entry-points."vmsbench.metrics"]
    nss_true = "my_package:NSS"

A folder of $VMSBENCH_CONF has them in a file metrics.py: METRICS = {"nss_true": NSS}.
"""

import importlib.util
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from vmsbench.config.plugins import own_folders
from vmsbench.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

ENTRY_POINTS = "vmsbench.metrics"
Measure = Callable[["Tensor", "Tensor"], "Tensor"]


@dataclass(frozen=True)
class Metric:
    """A score.

    label       its name in tables and on axes
    better      lower, higher, nearest (the closer to `perfect` the better) or neither
    scale       how many times as large it is in [-1, 1] as in [0, 1]; None where it does not depend on the scale
    digits      how many are printed after the point
    shown       report: a column of the report's tables; files: in CSV and JSON alone
    plotted     whether the report's figure of scores has a panel of it
    per_image   whether scores.csv keeps it for each image, which its intervals and paired tests need
    perfect     its value where prediction and truth are equal
    needs       maps, or fixations: a table has its column where the data have those
    partial     undefined (NaN) for some images: results have NAME_n, the number of images behind its mean
    track       whether it speaks of one answer or of a distribution
    answer      which one answer of several samples is the best under it, or near to it: their mean or their median;
                none where it is not scored so
    references  the predictors that ignore the image and that it is held against: the best of these is its reference
    undressed   of a dressed answer's score: the name of the same score of what is a distribution already
    measure     samples (B x K x M x H x W) and truths (B x M x H x W), both in [0, 1], to B values, NaN where it is
                undefined; None for what `vmsbench.metrics.scores` measures itself
    """

    label: str
    better: Literal["lower", "higher", "nearest", "neither"] = "lower"
    scale: int | None = None
    digits: int = 3
    shown: Literal["report", "files"] = "files"
    plotted: bool = False
    per_image: bool = False
    perfect: float = 0.0
    needs: Literal["maps", "fixations"] = "maps"
    partial: bool = False
    track: Literal["answer", "distribution"] = "answer"
    answer: Literal["", "mean", "median"] = ""
    references: tuple[str, ...] = ()
    undressed: str = ""
    measure: Measure | None = None

    def loss(self, value: float) -> float:
        """What is lower for a better value: the value, minus the value, or its distance from the perfect one.

        Raises ConfigurationError for a metric of which no value is better.
        """
        if self.better == "neither":
            raise ConfigurationError(
                f"{self.label}: no value is better than another; rank by a metric of METRICS that is"
            )
        if self.better == "nearest":
            return abs(value - self.perfect)
        return value if self.better == "lower" else -value

    @property
    def arrow(self) -> str:
        return {"lower": "↓", "higher": "↑", "nearest": f"→ {self.perfect:g}", "neither": ""}[self.better]

    @property
    def direction(self) -> str:
        if self.better == "nearest":
            return f"{self.perfect:g} is best"
        return f"{self.better} is better"  # of neither that is right too

    @property
    def title(self) -> str:
        """For an axis: L1, in [−1, 1] (lower is better)."""
        return f"{self.label}{', in [−1, 1]' if self.scale else ''} ({self.direction})"


MEDIAN, MEAN = ("pixel_median", "category_median"), ("pixel_mean", "category_mean")
LAW, CENTRE = ("climatology", "category_climatology"), ("centre_bias", "category_centre_bias")

SHAPE = Metric("", partial=True, answer="mean", references=MEAN)
CC = replace(SHAPE, label="CC", better="higher", perfect=1.0)
SIM = replace(SHAPE, label="SIM", better="higher", perfect=1.0)
KLD = replace(SHAPE, label="KLD")
SSIM = Metric(
    "SSIM", "higher", perfect=1.0, shown="report", per_image=True, partial=True, answer="median",
    references=(*MEDIAN, "black"),
)  # fmt: skip
FIXATED = replace(
    SHAPE, better="higher", shown="report", per_image=True, needs="fixations", references=(*CENTRE, *MEAN)
)
L1 = Metric("L1", scale=2, digits=4, answer="median", references=MEDIAN)
MSE = Metric("MSE", scale=4, digits=4, answer="mean", references=MEAN)
CRPS = Metric("CRPS", scale=2, digits=4, per_image=True, track="distribution", references=LAW)
ENERGY = replace(CRPS, label="Energy score")
SPREAD = Metric("Spread", "neither", scale=4, digits=4, per_image=True, track="distribution")
COVERAGE = Metric("", "nearest", per_image=True, partial=True, track="distribution")

METRICS: dict[str, Metric] = {
    "l1": replace(L1, shown="report", plotted=True, per_image=True),
    "crps": replace(CRPS, shown="report", plotted=True),
    "crps_dressed": replace(CRPS, label="CRPS dressed", undressed="crps"),
    "mse": replace(MSE, shown="report", plotted=True, per_image=True),
    "cc_true": replace(CC, label="CC true", shown="report", per_image=True),
    "cc_false": replace(CC, label="CC false", shown="report", per_image=True),
    "cc_combined": replace(CC, label="CC combined", shown="report", per_image=True),
    "cc_combined_20": replace(CC, label="CC combined, 20×20", shown="report", plotted=True, per_image=True),
    "ssim": SSIM,
    "nss": replace(FIXATED, label="NSS", perfect=math.inf, digits=2),
    "auc_judd": replace(FIXATED, label="AUC-Judd", perfect=1.0),
    "ig": replace(FIXATED, label="Information gain, bits", perfect=math.inf, digits=2),
    "l1_rg": replace(L1, label="L1 red and green"),
    "mse_rg": replace(MSE, label="MSE red and green"),
    "l1_red": replace(L1, label="L1 red"),
    "l1_green": replace(L1, label="L1 green"),
    "l1_blue": replace(L1, label="L1 blue"),
    "sim_true": replace(SIM, label="SIM true"),
    "sim_false": replace(SIM, label="SIM false"),
    "sim_combined": replace(SIM, label="SIM combined"),
    "kld_true": replace(KLD, label="KLD true"),
    "kld_false": replace(KLD, label="KLD false"),
    "kld_combined": replace(KLD, label="KLD combined"),
    "energy": replace(ENERGY, shown="report", plotted=True),
    "energy_dressed": replace(ENERGY, label="Energy score dressed", undressed="energy"),
    "spread": SPREAD,
    "spread_skill": Metric("Spread / skill", "nearest", perfect=1.0, track="distribution"),
    "coverage_50": replace(COVERAGE, label="Coverage of 50 %", perfect=0.5),
    "coverage_90": replace(COVERAGE, label="Coverage of 90 %", perfect=0.9),
}
"""By name, in the order of the tables."""

ANSWERS = {"_mean": " of the mean", "_median": " of the median"}


def metrics() -> Mapping[str, Metric]:
    """All metrics by name: vmsbench's own and those of plugins. Raises ConfigurationError for a clash."""
    found = plugged(tuple(sys.path)) | {k: v for folder in own_folders() for k, v in in_folder(folder).items()}
    for name in found:
        if name in METRICS:
            raise ConfigurationError(f"metric {name} of a plugin: vmsbench has a metric of that name; rename it")
    return MappingProxyType(METRICS | found)


@cache
def plugged(path: tuple[str, ...]) -> dict[str, Metric]:
    """The metrics of installed packages with this sys.path; reading all entry points takes a moment."""
    found = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        found[point.name] = point.load()
        if not isinstance(found[point.name], Metric):
            raise ConfigurationError(
                f"entry point {point.name} of {ENTRY_POINTS}: {point.value} is not a vmsbench.metrics.catalog.Metric"
            )
    return found


@cache
def in_folder(folder: Path) -> dict[str, Metric]:
    """METRICS of FOLDER/metrics.py; empty where there is no such file."""
    spec = importlib.util.spec_from_file_location(f"vmsbench_metrics_of_{folder.name}", folder / "metrics.py")
    if spec is None or spec.loader is None or not (folder / "metrics.py").exists():
        return {}
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Metric] = getattr(module, "METRICS", {})
    if not all(isinstance(one, Metric) for one in found.values()):
        raise ConfigurationError(f"{folder / 'metrics.py'}: METRICS has an entry that is not a Metric")
    return found


def metric(name: str) -> Metric:
    """The metric called `name`, also of the scale [0, 1] (`l1_unit`) or of the one answer that several samples give
    (`cc_true_mean`, `l1_median`). Raises ConfigurationError for an unknown name.
    """
    there = metrics()
    if name in there:
        return there[name]
    if name.endswith("_unit") and (whole := metric(name.removesuffix("_unit"))).scale:
        return replace(whole, scale=None)
    for ending, words in ANSWERS.items():
        if name.endswith(ending) and name.removesuffix(ending) in there:
            one = there[name.removesuffix(ending)]
            return replace(one, label=f"{one.label}{words}", shown="files", plotted=False, per_image=False)
    raise ConfigurationError(f"{name} is not a metric{did_you_mean(name, there)}  (there are: {', '.join(there)})")


def known(name: str) -> Metric | None:
    """The metric called `name`, as `metric` has it; None for what is no metric, such as a count or a time."""
    try:
        return metric(name)
    except ConfigurationError:
        return None


def of_sample(name: str) -> str:
    """The name of the same score of one sample: l1_median_unit -> l1_unit. Others, and no metrics, are themselves."""
    unit = "_unit" * name.endswith("_unit")
    base = name.removesuffix("_unit")
    there = metrics()
    ending = next((one for one in ANSWERS if base.endswith(one) and base.removesuffix(one) in there), "")
    return name if base in there else f"{base.removesuffix(ending)}{unit}"


def undressed(name: str) -> str:
    """The score of a distribution that a dressed answer's is held against: crps_dressed_unit -> crps_unit. Others are
    themselves."""
    one = metrics().get(name.removesuffix("_unit"))
    return f"{one.undressed}{'_unit' * name.endswith('_unit')}" if one and one.undressed else name


def sign(name: str) -> int:
    """1 where a lower score is better, -1 where a higher one is: what a search lowers is the score times that.

    Raises ConfigurationError for a metric of which neither is so: a search cannot go by it.
    """
    one = metric(name)
    if one.better not in ("lower", "higher"):
        raise ConfigurationError(f"{name} can guide no search: {one.direction}; l1, crps and cc_combined can")
    return 1 if one.better == "lower" else -1


def in_unit(name: str, value: float | None) -> float | None:
    """A score of the [-1, 1] scale in [0, 1]; None for a metric that does not depend on the scale (CC)."""
    if value is None or name.endswith("_unit"):
        return value
    scale = metric(name).scale
    return value / scale if scale else None


def scales(name: str) -> list[str]:
    """The names under which results have a metric: `l1` and `l1_unit`, or `cc_true` alone."""
    return [name, f"{name}_unit"] if metric(name).scale and "unit" not in name else [name]


def per_image() -> list[str]:
    """The columns of scores.csv: every metric kept for each image, in both scales, and of the one answer of samples."""
    kept = [name for name, one in metrics().items() if one.per_image]
    answers = [f"{name}_{answer}" for name in kept if (answer := metric(name).answer)]
    return [key for name in [*kept, *answers] for key in scales(name)]
