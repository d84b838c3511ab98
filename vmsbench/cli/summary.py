"""The results of a finished sweep, in lines."""

from pathlib import Path

from vmsbench.config.format import describe, short


def sweep_lines(folder: Path) -> list[str]:
    """The results of a finished sweep, next to the pixel median, which ignores the image."""
    from vmsbench.store.reader import read_sweep

    sweep = read_sweep(folder)
    winner, metric = sweep.winner, sweep.metric
    choice = ", ".join(f"{short(param)}={describe(value)}" for param, value in winner["choice"].items())
    lines = [
        f"{folder.name}: the best configuration is {choice}",
        f"  tuning {metric} {winner['score']:.4f} on the pairs it was chosen by (trial {winner['trial']})",
    ]
    failed = [trial for trial in sweep.trials if trial.state == "failed"]
    if failed:
        lines.append(f"  {len(failed)} trials failed; the same command with --retry runs them again")
    blind = sweep.baselines["test"]["pixel_median"]
    for final in sorted((one for one in sweep.finals if one.scores), key=lambda one: (one.rank or 0, one.seed or 0)):
        scores = final.scores
        lines.append(
            f"  test, rank {final.rank}, seed {final.seed}: {metric} {scores[metric]:.4f}, L1 {scores['l1']:.4f} "
            f"in [-1,1], {scores['l1_unit']:.4f} in [0,1]"
        )
    lines.append(f"  pixel median, blind to the image: L1 {blind['l1']:.4f} in [-1,1], {blind['l1_unit']:.4f} in [0,1]")
    return lines
