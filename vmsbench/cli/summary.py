"""The results of a finished sweep, in lines, and what to do next."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vmsbench.config.commands import command_on, place
from vmsbench.config.format import assignments


def sweep_lines(folder: Path) -> list[str]:
    """The results of a finished sweep, next to the predictors that ignore the image."""
    from vmsbench.metrics.references import value
    from vmsbench.metrics.tracks.served import served
    from vmsbench.store.reader import read_sweep

    sweep = read_sweep(folder)
    winner, metric = sweep.winner, sweep.metric
    drawn = sweep.config.get("evaluation", {}).get("final_samples", 1)
    lines = [
        f"{folder.name}: the best configuration is {assignments(winner['params'])}",
        f"  tuning {metric} {winner['score']:.4f} on the pairs it was chosen by (trial {winner['trial']})",
        f"  {served(metric, drawn)}",
    ]
    failed = [trial for trial in sweep.trials if trial.state == "failed"]
    if failed:
        lines.append(f"  {len(failed)} trials failed; the same command with --retry runs them again")
    blind = sweep.baselines["test"]["pixel_median"]
    for final in sorted((one for one in sweep.finals if one.scores), key=lambda one: (one.rank or 0, one.seed or 0)):
        which = f"test, rank {final.rank}, seed {final.seed}"
        reached, l1 = value(final.scores, metric), l1_words(final.scores, final.samples)
        lines.append(f"  {which}: {metric} {reached:.4f}, {l1[0]}")
        lines += [f"    {line}" for line in l1[1:]]
    lines.append(f"  pixel median, blind to the image: L1 {blind['l1']:.4f} in [-1,1], {blind['l1_unit']:.4f} in [0,1]")
    answers = [final.scores.get("l1_median", final.scores["l1"]) for final in sweep.finals if final.scores]
    if answers and min(answers) >= blind["l1"]:
        lines.append("  no final is better than that as one answer: more epochs, or more pairs, may help")
    law = sweep.baselines["test"].get("climatology")
    if drawn > 1 and law:
        crps = f"CRPS {law['crps']:.4f} in [-1,1], {law['crps_unit']:.4f} in [0,1]"
        lines.append(f"  climatology, blind to the image, which samples are held against: {crps}")
    return lines


def l1_words(scores: Mapping[str, float], samples: int) -> list[str]:
    """The L1 of a final as one answer; of one that samples also the L1 of a single sample, each named so."""
    if samples == 1 or "l1_median" not in scores:
        return [f"L1 {scores['l1']:.4f} in [-1,1], {scores['l1'] / 2:.4f} in [0,1]"]
    answer, one = scores["l1_median"], scores["l1"]
    return [
        f"L1 {answer:.4f} in [-1,1], {answer / 2:.4f} in [0,1]",
        f"L1 is of the median of {samples} samples; of one sample it is {one:.4f}, {one / 2:.4f} in [0,1]",
    ]


def next_steps(settings: dict[str, Any], folder: Path, runs: Path) -> list[str]:
    """What to do after a finished sweep, as commands."""
    from vmsbench.config.instantiate import build

    tracker = build(settings["tracker"], "tracker")
    tracker.use(runs)
    link = tracker.link()
    return ["next:", f"  {command_on('report', folder)}", f"  {link or f'vmsbench sync{place(runs)}'}"]
