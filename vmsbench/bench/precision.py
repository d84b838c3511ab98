"""Whether bfloat16 leaves a model's final score where float32 has it, within what another seed would change."""

import statistics
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

from vmsbench.bench.rows import Row
from vmsbench.experiment import Config, run, with_settings


def precisions(config: Config, folder: Path, seeds: int, tell: Callable[[str], None]) -> Iterator[Row]:
    """The experiment trained by `seeds` seeds in either precision, and scored on the tuning validation pairs.

    The means of two groups of n trainings lie sqrt(2 / n) standard deviations apart by chance alone: half of one where
    n is 8. A shift of at most one (two of these) is what the row asks for.
    """
    exp, metric = config["exp"], config["metric"]
    scores: dict[str, list[float]] = {"float32": [], "bf16": []}
    for precision, seed in product(scores, range(seeds)):
        told = {"trainer": config["trainer"] | {"precision": precision}, "seed": seed}
        results = run(with_settings(config, told), folder / f"{precision}-{seed}")
        scores[precision].append(results["validation"][metric])
        tell(f"{exp}, {precision}, seed {seed}: {metric} {scores[precision][-1]:.4f}, {results['seconds']:.0f} s")
    means = {precision: statistics.mean(found) for precision, found in scores.items()}
    spread = statistics.stdev(scores["float32"])
    for precision, mean in means.items():
        yield Row(f"{exp}: {metric} in {precision}, mean of {seeds} seeds", mean, "")
    yield Row(f"{exp}: standard deviation between seeds", spread, "")
    yield Row(f"{exp}: bf16's shift, in these", abs(means["bf16"] - means["float32"]) / spread, "x", most=1)
