"""The hyper-parameters of each search: parallel coordinates, importance, the winner, all trials."""

from collections.abc import Mapping
from typing import Any

from vmsbench.config.format import describe, duration
from vmsbench.metrics.catalog import in_unit
from vmsbench.report import labels
from vmsbench.report.analysis.importance import bars, complete, importances, parallel
from vmsbench.report.analysis.seed_noise import noise_words, seed_noise
from vmsbench.report.blocks import Block, FigureBlock, TableBlock, Text
from vmsbench.report.cells import both_scales, tuning_columns
from vmsbench.report.render.style import colors
from vmsbench.report.render.tables import Cell, Column, Part, Table, words
from vmsbench.report.topic import Topic
from vmsbench.store.experiments import TrialRecord
from vmsbench.store.records import SweepRecord
from vmsbench.store.values import mapping, number


def parameter_blocks(topic: Topic) -> list[Block]:
    """Parallel parameters and importance of each search, the winner's parameters, and all trials on request."""
    group = topic.group
    blocks: list[Block] = []
    shades = colors(group.sweeps)
    for sweep in group.sweeps:
        label, color = group.label(sweep), shades[sweep.name]
        if len(complete(sweep)) > 1 and sweep.space:
            alt = f"Parallel parameters of {label}: {len(complete(sweep))} complete trials; all are in the trial table."
            blocks.append(FigureBlock(f"parallel-{sweep.name}", parallel(sweep, label, color), alt, "", per_row=2))
        if found := importances(sweep):
            short = labels.parameters(one.param for one in found)
            values = {one.param: f"{one.spread:.4f}" if one.share is None else f"{one.share:.0%}" for one in found}
            text = ", ".join(f"{short[param]} {value}" for param, value in values.items())
            noise = seed_noise(sweep)
            drawing = bars(sweep, found, f"{label}: importance", color, noise)
            rests = noise_words(label, noise) if any(one.share is None for one in found) else ""
            blocks.append(
                FigureBlock(f"importance-{sweep.name}", drawing, f"Importance for {label}: {text}.", rests, per_row=2)
            )
    if blocks:
        blocks.append(
            Text(
                "Parallel parameters: a line per complete trial, the best bold and on top. "
                "Importance of a coordinate search: how far a parameter's best and worst option are apart at its step, "
                "with all else held; values that were pruned or failed are left out, so it is a lower bound; dotted is "
                "what two seeds are apart one time in twenty, from three seeds on. Of other searches: the share of "
                "each parameter in what the best tenth of the trials have in common, by PED-ANOVA (Watanabe et al. "
                "2023); where Optuna or ten complete trials are missing, the distance of the means over all trials."
            )
        )
    blocks += [TableBlock(winner_table(sweep)) for sweep in group.sweeps if sweep.space or sweep.winner]
    return [*blocks, *(TableBlock(trial_table(sweep), folded=True) for sweep in group.all if sweep.trials)]


def winner_table(sweep: SweepRecord) -> Table:
    """The parameters that were searched: where each started, what won."""
    params = mapping(sweep.winner.get("params"))
    names = [str(entry["param"]) for entry in sweep.space] or list(params)
    short = labels.parameters(names)
    rows = tuple(
        (words(short[param]), words(describe(at(sweep.config, param))), words(value_words(params, param, sweep)))
        for param in names
    )
    columns = (
        Column("parameter", "Parameter", text=True),
        Column("default", "Default", text=True),
        Column("winner", "Winner", text=True),
    )
    score = number(sweep.winner.get("score"))
    unit = in_unit(sweep.metric, score)
    text = f"tuning {labels.metric(sweep.metric)} {score:.4f}" if score is not None else "no winner yet"
    if unit is not None:
        text += f" in [−1, 1], {unit:.4f} in [0, 1]"
    caption = f"The winner of {sweep.name}: {text} (selected on the tuning validation set; not a result)."
    if sweep.steered:
        caption += f" While it ran, the user asked for this: {'; '.join(sweep.steered)}."
    return Table(f"winner-{sweep.name}", caption, columns, (Part("", rows),))


def value_words(params: Mapping[str, Any], param: str, sweep: SweepRecord) -> str:
    if not sweep.winner:
        return "open"
    return describe(params[param] if param in params else at(sweep.config, param))


def at(config: Mapping[str, Any], param: str) -> Any:
    """What stands at a dotted path of a configuration, or None."""
    value: Any = config
    for key in param.split("."):
        value = mapping(value).get(key)
    return value


def trial_table(sweep: SweepRecord) -> Table:
    """Every configuration that was tried, in order."""
    short = labels.parameters(param for trial in sweep.trials for param in (*trial.params, trial.parameter) if param)
    rows = tuple(trial_row(trial, sweep, short) for trial in sweep.trials)
    columns = (
        Column("trial", "Trial", text=True),
        Column("parameter", "Parameter", text=True),
        Column("params", "Parameters", text=True),
        Column("state", "Outcome", text=True),
        Column("epochs", "Epochs"),
        *tuning_columns(sweep.metric),
        Column("seconds", "Time"),
        Column("cause", "Cause", text=True),
    )
    caption = f"Trials of {sweep.name}: scores on the tuning validation set, which selects; they are not results."
    return Table(f"trials-{sweep.name}", caption, columns, (Part("", rows),))


def trial_row(trial: TrialRecord, sweep: SweepRecord, short: Mapping[str, str]) -> tuple[Cell, ...]:
    params = "; ".join(f"{short[param]}: {describe(value)}" for param, value in trial.params.items())
    outcome = "winner" if trial.id == sweep.winner.get("trial") else trial.state
    return (
        words(trial.id),
        words(short.get(trial.parameter, "start")),
        words(params or "defaults"),
        words(outcome),
        Cell(trial.epoch, str(trial.epoch)),
        *both_scales(sweep.metric, trial.score),
        Cell(trial.seconds, duration(trial.seconds)),
        words(trial.cause),
    )
