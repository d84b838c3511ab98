"""The report's tables of scores, cost, winners, trials and images.

Every score says its scale and every caption says whether its images chose (tuning validation) or report (test).
"""

from collections.abc import Sequence
from itertools import chain, pairwise
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.config.format import count, duration
from vmsbench.metrics.catalog import metrics
from vmsbench.report import labels
from vmsbench.report.analysis.ranking import FamilyScore, Verdicts, percent
from vmsbench.report.blocks import Block, Caution, Facts, FigureBlock, TableBlock, Text
from vmsbench.report.cells import average, data_words, score_cells, score_columns
from vmsbench.report.render.style import BLIND_LINE, HAIR, INK, MUTED, PAPER, colors, plain, second_scale, style
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.report.sections.differences import comparison_table
from vmsbench.report.topic import Topic
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import Scores, number

SKILL = (
    Column("skill", "Skill, % ↑"),
    Column("skill_low", "Skill, low", hidden=True),
    Column("skill_high", "Skill, high", hidden=True),
    Column("answer_low", "L1 as one answer, low", hidden=True),
    Column("answer_high", "L1 as one answer, high", hidden=True),
)
COST = (
    Column("parameters", "Parameters", hidden=True),
    Column("images_seen", "Images seen", hidden=True),
    Column("training_seconds", "Training, s", hidden=True),
    Column("seconds_per_image", "Inference, s per image", hidden=True),
)


def verdict_blocks(topic: Topic) -> list[Block]:
    sentences = [Text(text, lead=True) for text in topic.verdicts.sentences]
    return [*sentences, Facts(tuple(topic.verdicts.families.items()))]


def score_blocks(topic: Topic) -> list[Block]:
    group, verdicts, suffix = topic.group, topic.verdicts, topic.suffix
    blocks: list[Block] = []
    if baseline_disagreement(group):
        blocks.append(
            Caution(
                "The sweeps have different scores for the same pixel median; different versions of vmsbench "
                "may have made them."
            )
        )
    blocks.append(TableBlock(score_table(group, verdicts, f"scores{suffix}")))
    blocks.append(TableBlock(cost_table(group, f"cost{suffix}")))
    blocks.append(
        FigureBlock(
            f"scores{suffix}",
            score_figure(group),
            "Test scores of each model and of the blind baselines; the numbers are in the table above.",
            "Test scores. Filled dots are means over seeds, ticks single seeds; hollow dots are baselines "
            "that ignore the "
            "image, diamonds an oracle that knows how the data were made. The dotted line is the pixel median.",
        )
    )
    if verdicts.comparisons:
        caption = "The families on the same test images, two by two."
        blocks.append(TableBlock(comparison_table(verdicts.comparisons, caption, f"differences{suffix}")))
    return blocks


def skill_cells(standing: FamilyScore | None, scores: Scores, blind: float | None) -> list[Cell]:
    """The skill, and the intervals of skill and of L1 as one answer where they are known."""
    if standing is None or standing.skill is None or standing.error is None:
        answered = scores.get("l1_median", scores.get("l1"))
        skill = number_cell(100 * (1 - answered / blind) if blind and answered is not None else None, 1)
        return [skill, *([Cell()] * 4)]
    gained, error = standing.skill, standing.error
    shown = Cell(100 * gained.value, percent(gained).replace(" %", ""))
    return [shown, Cell(100 * gained.low), Cell(100 * gained.high), Cell(error.low), Cell(error.high)]


def score_table(group: SweepGroup, verdicts: Verdicts, name: str = "scores") -> Table:
    """Families, models from elsewhere, blind baselines and the oracle on the test images."""
    baselines = group.baselines("test")
    blind = baselines.get("pixel_median", {}).get("l1")
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


def score_caption(group: SweepGroup) -> str:
    images = f"{group.data.test} images" if group.data.test else "images"
    return f"Test scores: {images} that were not used for selection ({data_words(group)})."


def score_notes(group: SweepGroup, blind: float | None) -> tuple[str, ...]:
    channels = 1 if group.data.coding == "grey" else 3
    notes = [
        f"L1, MSE and CRPS are means over all {channels} channels of the map files."
        if channels > 1
        else "L1, MSE and CRPS are of the one grey channel.",
        "In [0, 1] L1 and CRPS are half, MSE a quarter of what they are in [−1, 1]. "
        "Models: mean ± standard deviation over seeds, where there are several.",
        "Skill = 1 − L1 / L1 of the pixel median, with its 95 % interval over images and seeds; a model that samples "
        "answers with the pixelwise median of its samples. Where the interval touches 0 a model has no skill: it is no "
        "better than a constant map.",
        "CRPS is a score of distributions: compare it with climatology, which draws training maps and never looks at "
        "the image, not with single answers, whose CRPS is their L1."
        if blind
        else "Skill needs the pixel median's score, which is missing.",
        "Bold: better than every other model by more than chance. "
        "Tuning used other images: the test images select nothing.",
    ]
    read = [int(reads) for s in group.sweeps for f in s.finals if (reads := number(f.results.get("test_reads")))]
    notes += [
        f"{one.id} comes from outside: its maps were scored on the test images "
        f"{labels.times(int(number(one.results.get('test_reads')) or 1))}, how it was trained is not known here."
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
                number_cell(mean.get("seconds_per_image"), 4),
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
            notes.append(f"Not comparable in cost: {what} between the models by up to {extent}.")
    return Table(
        name, f"Cost of the final trainings ({data_words(group)}).", columns, (Part("", tuple(rows)),), tuple(notes)
    )


def baseline_disagreement(group: SweepGroup) -> bool:
    """Whether the sweeps of one group wrote different scores for the same pixel median of the same images."""
    found = [s.baselines.get("test", {}).get("pixel_median", {}).get("l1") for s in group.sweeps]
    known = sorted(value for value in found if value is not None)
    return any(high - low > 1e-4 for low, high in pairwise(known))


def score_figure(group: SweepGroup) -> Figure:
    """A dot per predictor and score: families with each seed, blind baselines hollow, the oracle as a diamond."""
    baselines, named = group.baselines("test"), colors(group.sweeps)
    shades = {group.label(sweep): named[sweep.name] for sweep in group.sweeps}
    scored = {label: [final.scores for final in finals] for label, finals in group.models.items()}
    found = {label: seeds for label, seeds in scored.items() if any("l1" in seed for seed in seeds)}
    rows: list[str] = sorted(found, key=lambda label: -fmean(s["l1"] for s in found[label] if "l1" in s))
    rows += sorted(
        (name for name in baselines if not name.startswith("oracle")), key=lambda n: -baselines[n].get("l1", 0)
    )
    oracles = [name for name in baselines if name.startswith("oracle")]
    rows = [*oracles, *rows[len(found) :], *rows[: len(found)]]
    there = set(chain.from_iterable(chain(*found.values(), baselines.values())))
    panels = {name: metric for name, metric in metrics().items() if metric.plotted and name in there}
    with style():
        figure = Figure(figsize=(1.6 + 2.5 * max(1, len(panels)), 0.95 + 0.27 * len(rows)), layout="constrained")
        grid = figure.subplots(1, max(1, len(panels)), sharey=True, squeeze=False)[0]
        for axes, (key, metric) in zip(grid, panels.items(), strict=False):
            blind = baselines.get("pixel_median", {}).get(key)
            if blind is not None:
                axes.axvline(blind, zorder=1, **BLIND_LINE)
            for at, name in enumerate(rows):
                if name in found:
                    levels, shade = [seed[key] for seed in found[name] if key in seed], shades.get(name, INK)
                    if levels:
                        axes.plot(levels, [at] * len(levels), "|", color=shade, ms=8, mew=1, alpha=0.7)
                        axes.plot(sum(levels) / len(levels), at, "o", color=shade, ms=6.5, zorder=4)
                elif key in baselines[name]:
                    marker = "D" if name.startswith("oracle") else "o"
                    axes.plot(baselines[name][key], at, marker, mfc=PAPER, mec=MUTED, ms=5, mew=1, zorder=3)
            axes.set_xlabel(metric.title)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.xaxis.set_major_formatter(FuncFormatter(plain))
            axes.set_ylim(-0.6, len(rows) - 0.4)
            axes.set_yticks(range(len(rows)), [name if name in found else labels.predictor(name) for name in rows])
            axes.tick_params(axis="y", length=0, labelcolor=INK)
            axes.grid(axis="y", color=HAIR, lw=0.6)
            axes.set_axisbelow(True)
            axes.spines["left"].set_visible(False)
            if metric.scale:
                second_scale(axes, "x", metric.scale)
    return figure
