"""What the report says, in the order a reader asks; page.py and markdown.py say it in their forms."""

from vmsbench.report import labels
from vmsbench.report.analysis.ranking import Verdicts, judge
from vmsbench.report.blocks import (
    Block,
    Caution,
    Document,
    Facts,
    FigureBlock,
    Heading,
    Items,
    SampleGrid,
    TableBlock,
    Text,
)
from vmsbench.report.gaps import data_words_of, missing
from vmsbench.report.render import style
from vmsbench.report.sections.ablations import ablation_table, ablations, drawn
from vmsbench.report.sections.categories import category_figure, category_table
from vmsbench.report.sections.differences import comparison_table
from vmsbench.report.sections.fid import distance_figure, distance_table
from vmsbench.report.sections.reproduce import origin_table
from vmsbench.report.sections.samples import Truth, gather, load_truth
from vmsbench.report.sections.sampling_steps import rows_of, tradeoff_figure, tradeoff_table
from vmsbench.report.sections.scores import baseline_disagreement, cost_table, image_table, score_table
from vmsbench.report.sections.search import configurations, hour_blocks, parameter_blocks, saving_blocks, walk_blocks
from vmsbench.store.records import Study, SweepGroup, SweepRecord


def compose(study: Study) -> Document:
    """The whole report. Groups that do not share their data are told apart loudly and never meet in a table."""
    several = len(study.groups) > 1
    blocks: list[Block] = []
    if several:
        names = "; ".join(f"{labels.listing(f'`{s.name}`' for s in g.sweeps)}: {named(g)}" for g in study.groups)
        blocks.append(
            Caution(
                "These sweeps do not share their data, size and coding, so their scores cannot be compared, and each "
                f"has tables of its own. {names}."
            )
        )
    for at, group in enumerate(study.groups, start=1):
        if several:
            blocks.append(Heading(2, f"Data {at}: {named(group)}"))
        blocks += group_blocks(group, level=3 if several else 2, suffix=f"-{at}" if several else "")
    blocks += [Heading(2, "What is missing"), *gaps(study)]
    title = labels.listing(dict.fromkeys(sweep.family for sweep in study.sweeps))
    data = "; ".join(named(group) for group in study.groups)
    return Document(
        f"Report: {title}", f"{data}. Sweeps {labels.listing(f'`{s.name}`' for s in study.sweeps)}.", tuple(blocks)
    )


def named(group: SweepGroup) -> str:
    size = f"{group.data.size} px" if group.data.size else "unknown size"
    title = group.data.title if size in group.data.title else f"{group.data.title}, {size}"
    return f"{title}, maps as {group.data.coding}, digest `{group.data.digest[:12]}`"


def gaps(study: Study) -> list[Block]:
    texts = missing(study)
    return [Items(tuple(texts))] if texts else [Text("Nothing.")]


def group_blocks(group: SweepGroup, level: int, suffix: str) -> list[Block]:
    truth, verdicts = load_truth(group), judge(group)
    sections: dict[str, list[Block]] = {
        "Verdict": [
            *(Text(text, lead=True) for text in verdicts.sentences),
            Facts(tuple(verdicts.families.items())),
        ],
        "Scores": score_blocks(group, verdicts, suffix),
        "Training curves": curve_blocks(group, suffix),
        "FID and KID": distance_blocks(group, suffix),
        "Samples": sample_blocks(group, truth),
        "Per category": category_blocks(group, truth, suffix),
        "Samples and steps of diffusion": tradeoff_blocks(group),
        "Ablations": ablation_blocks(group, suffix),
        "Parameter walk": walk_blocks(group),
        "Hyper-parameters": parameter_blocks(group),
        "What stopping early saved": saving_blocks(group, suffix),
        "Where the hours went": hour_blocks(group, suffix),
        "How to reproduce each row": [
            TableBlock(origin_table(group, f"reproduce{suffix}")),
            *configurations(group, level + 1),
        ],
    }
    return [block for title, blocks in sections.items() if blocks for block in (Heading(level, title), *blocks)]


def score_blocks(group: SweepGroup, verdicts: Verdicts, suffix: str) -> list[Block]:
    blocks: list[Block] = []
    if baseline_disagreement(group):
        blocks.append(
            Caution("The sweeps hold different scores of the same pixel median: were they made by different versions?")
        )
    blocks.append(TableBlock(score_table(group, verdicts, f"scores{suffix}")))
    blocks.append(TableBlock(cost_table(group, f"cost{suffix}")))
    blocks.append(
        FigureBlock(
            f"scores{suffix}",
            style.scores(group),
            "Test scores of each model beside the blind baselines; the numbers are in the table above.",
            "Test scores. Filled dots are means over seeds, strokes single seeds; hollow dots never look at the image, "
            "diamonds know how the data were made. The dotted line is the pixel median.",
        )
    )
    if verdicts.comparisons:
        caption = "The families on the same test images, two by two."
        blocks.append(TableBlock(comparison_table(verdicts.comparisons, caption, f"differences{suffix}")))
    return blocks


def curve_blocks(group: SweepGroup, suffix: str) -> list[Block]:
    caption = (
        "Above what was lowered, below the L1 of predictions on the tuning validation set, on one scale for all "
        "models, left in [−1, 1], right in [0, 1]."
    )
    single = [
        FigureBlock(f"curves-{sweep.name}", style.curves(group, [sweep]), curve_alt(group, sweep), "", beside=3)
        for sweep in group.sweeps
    ]
    together = FigureBlock(
        f"curves{suffix}", style.curves(group, group.sweeps), "Training curves of all models.", caption, aside=True
    )
    return [*single, together, Text(caption)]


def curve_alt(group: SweepGroup, sweep: SweepRecord) -> str:
    best = sweep.best
    levels = style.series(best.history, "l1") if best else []
    told = f"; the winner's validation L1 goes from {levels[0][1]:.4f} to {levels[-1][1]:.4f}" if levels else ""
    return f"Training curves of {group.label(sweep)}: {len(sweep.trials)} trials{told}."


def distance_blocks(group: SweepGroup, suffix: str) -> list[Block]:
    table = distance_table(group, f"distances{suffix}")
    if not table.parts[0].rows:
        return [Text(note) for note in table.notes] or [Text("No final was scored yet.")]
    picture = FigureBlock(
        f"distances{suffix}",
        distance_figure(group, table),
        "Distances of the predicted maps from the true ones; the numbers are in the table.",
        "How far the set of predicted maps is from the set of true ones. The black stroke is the floor: real maps "
        "against real maps. Whiskers: the spread over seeds; KID's standard error.",
    )
    return [picture, TableBlock(table)]


def sample_blocks(group: SweepGroup, truth: Truth) -> list[Block]:
    """For each model the test images on which it did best, middling and worst, with what the others made of them."""
    blocks: list[Block] = []
    files = {group.label(sweep): sweep.name for sweep in group.sweeps}
    files |= {group.outside_label(one): f"outside-{one.id}" for one in group.outside}
    for model in group.models:
        samples = gather(group, truth, model)
        if samples.reason and Caution(samples.reason) not in blocks:
            blocks.append(Caution(samples.reason))
        if not samples.rows:
            continue
        sampled = any(column.startswith("Median of") for column in samples.columns)
        choice = f"the best, median and worst by L1 of {model}" if samples.rows[0].rank else "the first"
        caption = (
            f"Test images, {choice}. Maps: green is what people truly remember, red what they falsely do. "
            "Under each prediction its L1 in [−1, 1]; half of it is the L1 in [0, 1]. "
            "Its error: orange says too much, blue too little, black is right."
            + (" Of a model that samples one map is shown, and the pixelwise median of several." if sampled else "")
        )
        alt = f"{len(samples.rows)} test images, {choice}, with {labels.listing(c.lower() for c in samples.columns)}."
        picture = FigureBlock(f"samples-{files[model]}", style.sample_grid(samples), alt, caption)
        blocks.append(SampleGrid(samples, picture))
        if not samples.rows[0].rank:
            break
    return blocks


def category_blocks(group: SweepGroup, truth: Truth, suffix: str) -> list[Block]:
    categories = truth.categories or {}
    table = category_table(group, categories, f"categories{suffix}") if categories else None
    images = image_table(group, categories, f"images{suffix}")
    blocks: list[Block] = []
    if table:
        blocks.append(
            FigureBlock(
                f"categories{suffix}",
                category_figure(group, categories),
                "Test CRPS of each model on each category, ordered by that of the pixel median.",
                "Test CRPS per category, with its number of images; the hardest for the pixel median on top. CRPS is "
                "the L1 of a model with one answer, and fair to one that samples; the table has the L1 of one map.",
            )
        )
        blocks.append(TableBlock(table))
    else:
        why = truth.reason or "the data say no categories, or no final has scores per image"
        blocks.append(Text(f"None: {why}. A file of categories is named by `data.categories=FILE`."))
    if images:
        blocks += [TableBlock(images, aside=True), Text(f"Per image: `tables/{images.name}.csv`.")]
    return blocks


def tradeoff_blocks(group: SweepGroup) -> list[Block]:
    blocks: list[Block] = []
    shades = style.colors(group.sweeps)
    for sweep in (sweep for sweep in group.sweeps if sweep.exp == "diffusion"):
        if not rows_of(sweep):
            blocks.append(Text(f"Not measured for `{sweep.name}`; `vmsbench tradeoff {sweep.name}` does it."))
            continue
        table = tradeoff_table(sweep)
        alt = "CRPS and L1 of the median map by steps, samples and seconds; the numbers are in the table."
        caption = (
            "What more steps and more samples are worth. Left: CRPS, which is proper for a model that samples. Right: "
            "the L1 of one map, the pixelwise median of K samples, against the time that all K take."
        )
        drawing = tradeoff_figure(sweep, shades[sweep.name])
        blocks += [FigureBlock(table.name, drawing, alt, caption), TableBlock(table)]
    return blocks


def ablation_blocks(group: SweepGroup, suffix: str) -> list[Block]:
    found = ablations(group)
    if not found:
        exp, data = group.all[0].exp, data_words_of(group)
        return [
            Text(
                f"None yet: `vmsbench ablate augment --exp {exp}{data}` makes one of the augmentation, "
                f"`vmsbench ablate target --exp {exp}{data}` one of the target."
            )
        ]
    blind = group.baselines("validation").get("pixel_median", {})
    blocks: list[Block] = [
        FigureBlock(
            f"ablation-{one.sweep.name}",
            drawn(one, f"{one.sweep.family}: {one.param}", style.color_of(one.sweep), blind.get(one.sweep.metric)),
            f"Tuning score of each option of {one.param}; the numbers are in the table below.",
            "",
            beside=2,
        )
        for one in found
    ]
    told = "A stroke for each seed, a dot at their mean; the dotted line is the pixel median, blind to the image."
    return [*blocks, Text(told), TableBlock(ablation_table(group, found, f"ablations{suffix}"))]
