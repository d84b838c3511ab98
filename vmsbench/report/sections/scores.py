"""The report's tables of scores, cost, winners, trials and images.

Every score says its scale and every caption says whether its images chose (tuning validation) or report (test).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, stdev
from typing import Any

from vmsbench.config.format import count, describe, duration
from vmsbench.metrics.catalog import in_unit, metric, metrics
from vmsbench.report import labels
from vmsbench.report.analysis.ranking import FamilyScore, Verdicts, percent
from vmsbench.report.render.tables import Cell, Column, Part, Table, figure, words
from vmsbench.report.sections.samples import per_image
from vmsbench.store.experiments import FinalRecord, TrialRecord
from vmsbench.store.records import SweepGroup, SweepRecord
from vmsbench.store.values import Scores, mapping, number

SKILL = (
    Column("skill", "Skill, % ↑"),
    Column("skill_low", "Skill, low", hidden=True),
    Column("skill_high", "Skill, high", hidden=True),
    Column("crps_low", "CRPS, low", hidden=True),
    Column("crps_high", "CRPS, high", hidden=True),
)
COST = (
    Column("parameters", "Parameters", hidden=True),
    Column("images_seen", "Images seen", hidden=True),
    Column("training_seconds", "Training, s", hidden=True),
    Column("seconds_per_image", "Inference, s per image", hidden=True),
)


def score_columns() -> list[Column]:
    """A column per metric, for people or for the CSV alone, with the direction that is better."""
    columns = []
    for name, one in metrics().items():
        hidden = one.shown == "files"
        if not one.scale:
            columns.append(Column(name, f"{one.label} {one.arrow}", hidden=hidden))
            continue
        columns.append(Column(name, f"{one.label} [−1, 1] {one.arrow}", hidden=hidden))
        columns.append(Column(f"{name}_unit", f"{one.label} [0, 1] {one.arrow}", hidden=hidden or name != "l1"))
    return columns


def average(finals: Sequence[FinalRecord], key: str) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation over the finals that have the score; no deviation of one."""
    values = [final.scores[key] for final in finals if key in final.scores]
    return (fmean(values) if values else None), (stdev(values) if len(values) > 1 else None)


def score_cells(scores: Scores, spreads: Scores, strong: Collection[str] = ()) -> list[Cell]:
    cells = []
    for key in (column.key for column in score_columns()):
        cell = figure(scores.get(key), metric(key).digits, spreads.get(key))
        cells.append(replace(cell, strong=key in strong))
    return cells


def skill_cells(standing: FamilyScore | None, scores: Scores, blind: float | None) -> list[Cell]:
    """The skill, and the intervals of skill and CRPS where they are known."""
    if standing is None or standing.skill is None or standing.error is None:
        skill = figure(100 * (1 - scores["crps"] / blind) if blind and "crps" in scores else None, 1)
        return [skill, *([Cell()] * 4)]
    gained, error = standing.skill, standing.error
    shown = Cell(100 * gained.value, percent(gained).replace(" %", ""))
    return [shown, Cell(100 * gained.low), Cell(100 * gained.high), Cell(error.low), Cell(error.high)]


def score_table(group: SweepGroup, verdicts: Verdicts, name: str = "scores") -> Table:
    """Families, models from elsewhere, blind baselines and the oracle on the test images."""
    baselines = group.baselines("test")
    blind = baselines.get("pixel_median", {}).get("crps")
    rows: dict[bool, list[tuple[Cell, ...]]] = {True: [], False: []}
    outside = {group.outside_label(one) for one in group.outside}
    for label, finals in sorted(group.models.items(), key=lambda item: average(item[1], "crps")[0] or float("inf")):
        pairs = {column.key: average(finals, column.key) for column in score_columns()}
        scores = {key: mean for key, (mean, _) in pairs.items() if mean is not None}
        spreads = {key: spread for key, (_, spread) in pairs.items() if spread is not None}
        standing = verdicts.standings.get(label)
        rows[label in outside].append(
            (
                words(label),
                words(standing.word if standing else ""),
                *skill_cells(standing, scores, blind),
                *score_cells(scores, spreads, {key for bold, key in verdicts.bold if bold == label}),
                Cell() if label in outside else Cell(len(finals), str(len(finals))),
                *cost_cells(finals),
            )
        )
    nothing = (Cell(), *skill_cells(None, {}, None), *score_cells({}, {}))
    none_yet = [group.label(sweep) for sweep in group.sweeps if not sweep.scored]
    rows[False] += [(words(label), *nothing, Cell(0, "none yet"), *cost_cells(())) for label in none_yet]
    parts = [Part("Models", tuple(rows[False]))]
    parts += [Part("Models from elsewhere", tuple(rows[True]))] if rows[True] else []
    for title, kept in (("Blind baselines", False), ("Oracle", True)):
        known = [
            (
                *(words(labels.predictor(key)), Cell()),
                *skill_cells(None, scores, blind),
                *score_cells(scores, {}),
                *(Cell(), *cost_cells(())),
            )
            for key, scores in sorted(baselines.items(), key=lambda item: item[1].get("crps", 0.0))
            if key.startswith("oracle") == kept
        ]
        if known:
            parts.append(Part(title, tuple(known)))
    columns = (
        Column("predictor", "Predictor", text=True),
        Column("verdict", "Verdict", text=True),
        *SKILL,
        *score_columns(),
        Column("seeds", "Seeds"),
        *COST,
    )
    return Table(name, score_caption(group), columns, tuple(parts), score_notes(group, blind))


def cost_cells(finals: Sequence[FinalRecord]) -> list[Cell]:
    """What the finals cost, on average, under COST; empty for what was not trained here."""
    found = [
        [v for final in finals if (v := number(final.results.get(key))) is not None]
        for key in ("parameters", "images_seen", "seconds", "seconds_per_image")
    ]
    return [Cell(fmean(values)) if values else Cell() for values in found]


def data_words(group: SweepGroup) -> str:
    coding = labels.CODINGS.get(group.data.coding, group.data.coding)
    return f"{group.data.title}; {group.data.coding}: {coding}"


def score_caption(group: SweepGroup) -> str:
    images = f"{group.data.test} images" if group.data.test else "images"
    return f"Test scores: {images} that no choice was made on ({data_words(group)})."


def score_notes(group: SweepGroup, blind: float | None) -> tuple[str, ...]:
    channels = 1 if group.data.coding == "grey" else 3
    notes = [
        f"L1, MSE and CRPS are means over all {channels} channels of the map files."
        if channels > 1
        else "L1, MSE and CRPS are of the one grey channel.",
        "In [0, 1] L1 and CRPS are half, MSE a quarter of what they are in [−1, 1]. "
        "Models: mean ± standard deviation over seeds, where there are several.",
        "Skill = 1 − CRPS / CRPS of the pixel median, with its 95 % interval over images and seeds; where that touches "
        "0 a model has no skill: it is no better than a constant map."
        if blind
        else "Skill needs the pixel median's score, which is missing.",
        "Bold: better than every other model by more than chance. "
        "Selection is never reporting: what was tuned was judged on other images.",
    ]
    read = [int(reads) for s in group.sweeps for f in s.finals if (reads := number(f.results.get("test_reads")))]
    notes += [
        f"{one.id} is somebody else's: its maps were scored on the test images "
        f"{labels.times(int(number(one.results.get('test_reads')) or 1))}, how it was made is not known here."
        for one in group.outside
    ]
    if read:
        times = labels.times(sum(read))
        notes.append(f"The test images were read {times}, by {len(read)} final trainings, and by no trial of a search.")
    return tuple(notes)


def cost_table(group: SweepGroup, name: str = "cost") -> Table:
    """What each family's finals cost, and whether that makes them comparable."""
    keys = ("parameters", "images_seen", "epochs", "seconds", "seconds_per_image")
    rows, means = [], {}
    for sweep in group.sweeps:
        results = [final.results for final in sweep.scored]
        values = {key: [v for r in results if (v := number(r.get(key))) is not None] for key in keys}
        mean = {key: fmean(found) for key, found in values.items() if found}
        means[group.label(sweep)] = mean
        device = next((str(r["device"]) for r in results if r.get("device")), "")
        rows.append(
            (
                words(group.label(sweep)),
                *(Cell(mean.get(key), count(mean.get(key))) for key in keys[:3]),
                Cell(mean.get("seconds"), duration(mean.get("seconds"))),
                figure(mean.get("seconds_per_image"), 4),
                words(device),
            )
        )
    columns = (
        Column("model", "Model", text=True),
        Column("parameters", "Parameters"),
        Column("images_seen", "Images seen"),
        Column("epochs", "Epochs"),
        Column("seconds", "Training time"),
        Column("seconds_per_image", "Inference, s per image"),
        Column("device", "Device", text=True),
    )
    notes = ["Means over the finals; parameters are all that train, a GAN's discriminator included."]
    for key, tolerance, what in (("parameters", 1.1, "parameters differ"), ("images_seen", 1.0, "images seen differ")):
        found = [mean[key] for mean in means.values() if key in mean]
        if len(found) > 1 and max(found) > tolerance * min(found):
            extent = f"{max(found) / min(found):.1f} times" if min(found) else "greatly"
            notes.append(f"Not alike: {what} between the models by up to {extent}.")
    return Table(
        name, f"Cost of the final trainings ({data_words(group)}).", columns, (Part("", tuple(rows)),), tuple(notes)
    )


def both_scales(name: str, value: float | None) -> tuple[Cell, Cell]:
    """A score in [-1, 1] and in [0, 1]; the second is a dash for scores without a scale, such as CC."""
    return figure(value, 4), figure(in_unit(name, value), 4)


def tuning_columns(key: str) -> tuple[Column, Column]:
    name = labels.metric(key)
    if metric(key).scale is None:
        return Column("score", f"Tuning {name}"), Column("score_unit", f"{name} [0, 1]", hidden=True)
    return Column("score", f"Tuning {name} [−1, 1]"), Column("score_unit", f"Tuning {name} [0, 1]")


def winner_table(sweep: SweepRecord) -> Table:
    """The parameters that were searched: where each started, what won."""
    params = [str(entry["param"]) for entry in sweep.space] or list(mapping(sweep.winner.get("choice")))
    short, choice = labels.parameters(params), mapping(sweep.winner.get("choice"))
    rows = tuple(
        (words(short[param]), words(describe(at(sweep.config, param))), words(value_words(choice, param, sweep)))
        for param in params
    )
    columns = (
        Column("parameter", "Parameter", text=True),
        Column("default", "Default", text=True),
        Column("winner", "Winner", text=True),
    )
    score = number(sweep.winner.get("score"))
    unit = in_unit(sweep.metric, score)
    told = f"tuning {labels.metric(sweep.metric)} {score:.4f}" if score is not None else "no winner yet"
    if unit is not None:
        told += f" in [−1, 1], {unit:.4f} in [0, 1]"
    caption = f"The winner of {sweep.name}: {told} (chosen on the tuning validation set; not a result)."
    return Table(f"winner-{sweep.name}", caption, columns, (Part("", rows),))


def value_words(choice: Mapping[str, Any], param: str, sweep: SweepRecord) -> str:
    if not sweep.winner:
        return "open"
    return describe(choice[param] if param in choice else at(sweep.config, param))


def at(config: Mapping[str, Any], param: str) -> Any:
    """What stands at a dotted path of a configuration, or None."""
    value: Any = config
    for key in param.split("."):
        value = mapping(value).get(key)
    return value


def trial_table(sweep: SweepRecord) -> Table:
    """Every configuration that was tried, in order."""
    short = labels.parameters(param for trial in sweep.trials for param in (*trial.choice, trial.parameter) if param)
    rows = tuple(trial_row(trial, sweep, short) for trial in sweep.trials)
    columns = (
        Column("trial", "Trial", text=True),
        Column("parameter", "Parameter", text=True),
        Column("choice", "Choice", text=True),
        Column("state", "Outcome", text=True),
        Column("epochs", "Epochs"),
        *tuning_columns(sweep.metric),
        Column("seconds", "Time"),
        Column("cause", "Cause", text=True),
    )
    caption = f"Trials of {sweep.name}: scores on the tuning validation set, which chose; they are not results."
    return Table(f"trials-{sweep.name}", caption, columns, (Part("", rows),))


def trial_row(trial: TrialRecord, sweep: SweepRecord, short: Mapping[str, str]) -> tuple[Cell, ...]:
    choice = "; ".join(f"{short[param]}: {describe(value)}" for param, value in trial.choice.items())
    outcome = "winner" if trial.id == sweep.winner.get("trial") else trial.state
    return (
        words(trial.id),
        words(short.get(trial.parameter, "start")),
        words(choice or "defaults"),
        words(outcome),
        Cell(trial.epoch, str(trial.epoch)),
        *both_scales(sweep.metric, trial.score),
        Cell(trial.seconds, duration(trial.seconds)),
        words(trial.cause),
    )


def image_table(group: SweepGroup, categories: Mapping[str, str], name: str = "images") -> Table | None:
    """Test L1 of every image in both scales, the mean over seeds; None where no final has scores per image."""
    found = {label: per_image(finals) for label, finals in group.models.items()}
    found["Pixel median"] = next(
        (errors for finals in group.models.values() if (errors := per_image(finals, "pixel_median_l1"))), {}
    )
    found = {label: errors for label, errors in found.items() if errors}
    if not found:
        return None
    columns = [Column("image", "Image", text=True), Column("category", "Category", text=True)]
    for label in found:
        columns += [Column(f"{label} l1", f"{label} [−1, 1]"), Column(f"{label} l1_unit", f"{label} [0, 1]")]
    rows = tuple(
        (
            words(image),
            words(categories.get(image)),
            *(c for m in found.values() for c in both_scales("l1", m.get(image))),
        )
        for image in next(iter(found.values()))
    )
    return Table(name, f"Test L1 per image ({data_words(group)}).", tuple(columns), (Part("", rows),))


def baseline_disagreement(group: SweepGroup) -> bool:
    """Whether the sweeps of one group wrote different scores for the same pixel median of the same images."""
    found = [s.baselines.get("test", {}).get("pixel_median", {}).get("l1") for s in group.sweeps]
    known = sorted(value for value in found if value is not None)
    return any(high - low > 1e-4 for low, high in pairwise(known))
