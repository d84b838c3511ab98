"""Whether bfloat16 changes a model's final score by less than the variation between seeds."""

import statistics
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

from vmsbench.bench.result import Measurement
from vmsbench.config.settings import Config, with_settings
from vmsbench.experiment import run


def precisions(config: Config, folder: Path, seeds: int, tell: Callable[[str], None]) -> Iterator[Measurement]:
    """The experiment trained by `seeds` seeds in either precision, and scored on the tuning validation pairs.

    The means of two groups of n trainings lie sqrt(2 / n) standard deviations apart by chance alone: half of one where
    n is 8. The target is a shift of at most one (two of these).
    """
    exp, metric = config["exp"], config["metric"]
    scores: dict[str, list[float]] = {"float32": [], "bf16": []}
    for precision, seed in product(scores, range(seeds)):
        changed = {"trainer": config["trainer"] | {"precision": precision}, "seed": seed}
        results = run(with_settings(config, changed), folder / f"{precision}-{seed}")
        scores[precision].append(results["validation_scores"][metric])
        tell(f"{exp}, {precision}, seed {seed}: {metric} {scores[precision][-1]:.4f}, {results['seconds']:.0f} s")
    means = {precision: statistics.mean(found) for precision, found in scores.items()}
    spread = statistics.stdev(scores["float32"])
    for precision, mean in means.items():
        yield Measurement(f"{exp}: {metric} in {precision}, mean of {seeds} seeds", mean, "")
    yield Measurement(f"{exp}: standard deviation between seeds", spread, "")
    yield Measurement(f"{exp}: bf16's shift, in these", abs(means["bf16"] - means["float32"]) / spread, "x", most=1)
