"""What the report says, in the order a reader asks; page.py and markdown.py say it in their forms.

Texts hold `code` in back quotes and nothing else of markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vmsbench.reporting import labels, plots
from vmsbench.reporting.ablations import ablation_table, ablations, drawn
from vmsbench.reporting.differences import comparison_table, contender_table
from vmsbench.reporting.distances import distance_table
from vmsbench.reporting.missing import missing
from vmsbench.reporting.plots import Figure
from vmsbench.reporting.samples import Samples, Truth, gather, load_truth
from vmsbench.reporting.study import Group, Study, Sweep
from vmsbench.reporting.table import Table
from vmsbench.reporting.tables import (
    baseline_disagreement,
    category_table,
    cost_table,
    image_table,
    score_table,
    search_table,
    trial_table,
    winner_table,
)
from vmsbench.reporting.values import number
from vmsbench.reporting.verdict import Verdicts, judge


@dataclass(frozen=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True)
class Text:
    text: str
    lead: bool = False


@dataclass(frozen=True)
class Caution:
    text: str


@dataclass(frozen=True)
class Items:
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Terms, each with what there is to say of it."""

    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Shown:
    """A table; `folded` ones open on request, `aside` ones are only files."""

    table: Table
    folded: bool = False
    aside: bool = False


@dataclass(frozen=True)
class Picture:
    """name is the file's stem under plots/; alt says in words what it shows.

    `beside` is how many like it fit side by side; `aside` ones are only files.
    """

    name: str
    figure: Figure
    alt: str
    caption: str
    beside: int = 1
    aside: bool = False


@dataclass(frozen=True)
class Gallery:
    """The sample grid: the page draws it of single pictures, the files hold `picture`."""

    samples: Samples
    picture: Picture


Block = Heading | Text | Caution | Items | Facts | Code | Shown | Picture | Gallery


@dataclass(frozen=True)
class Document:
    title: str
    subtitle: str
    blocks: tuple[Block, ...]


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


def named(group: Group) -> str:
    size = f"{group.data.size} px" if group.data.size else "unknown size"
    title = group.data.title if size in group.data.title else f"{group.data.title}, {size}"
    return f"{title}, maps as {group.data.coding}, digest `{group.data.digest[:12]}`"


def gaps(study: Study) -> list[Block]:
    texts = missing(study)
    return [Items(tuple(texts))] if texts else [Text("Nothing: every sweep has its winner, finals and baselines.")]


def group_blocks(group: Group, level: int, suffix: str) -> list[Block]:
    truth = load_truth(group)
    verdicts = judge(group)
    blocks: list[Block] = [Heading(level, "Verdict"), *(Text(text, lead=True) for text in verdicts.sentences)]
    blocks.append(Facts(tuple(verdicts.families.items())))
    blocks += [Heading(level, "Scores"), *score_blocks(group, verdicts, truth, suffix)]
    blocks += [Heading(level, "Training"), *curve_blocks(group, suffix)]
    blocks += [Heading(level, "Samples"), *sample_blocks(group, truth)]
    blocks += [Heading(level, "Coordinate walk"), *walk_blocks(group, suffix)]
    blocks += [Heading(level, "Ablations"), *ablation_blocks(group, suffix)]
    blocks += [Heading(level, "Configurations, and how to reproduce them"), *configurations(group, level + 1)]
    return blocks


def score_blocks(group: Group, verdicts: Verdicts, truth: Truth, suffix: str) -> list[Block]:
    blocks: list[Block] = []
    if baseline_disagreement(group):
        blocks.append(
            Caution("The sweeps hold different scores of the same pixel median: were they made by different versions?")
        )
    blocks.append(Shown(score_table(group, verdicts, f"scores{suffix}")))
    blocks.append(
        Picture(
            f"scores{suffix}",
            plots.scores(group),
            "Test scores of each model beside the blind baselines; the numbers are in the table above.",
            "Test scores. Filled dots are means over seeds, strokes single seeds; hollow dots never look at the image, "
            "diamonds know how the data were made. The dotted line is the pixel median.",
        )
    )
    if verdicts.comparisons:
        caption = "The families on the same test images, two by two."
        blocks.append(Shown(comparison_table(verdicts.comparisons, caption, f"differences{suffix}")))
    distances = distance_table(group, f"distances{suffix}")
    blocks += [Shown(distances)] if distances.parts[0].rows else [Text(note) for note in distances.notes]
    blocks.append(Shown(cost_table(group, f"cost{suffix}")))
    categories = truth.categories or {}
    table = category_table(group, categories, f"categories{suffix}") if categories else None
    blocks += [Shown(table)] if table else []
    images = image_table(group, categories, f"images{suffix}")
    return [*blocks, Shown(images, aside=True), Text(f"Per image: `tables/{images.name}.csv`.")] if images else blocks


def curve_blocks(group: Group, suffix: str) -> list[Block]:
    caption = (
        "Above what was lowered, below the L1 of predictions on the tuning validation set, on one scale for all "
        "models, left in [−1, 1], right in [0, 1]."
    )
    single = [
        Picture(f"curves-{sweep.name}", plots.curves(group, [sweep]), curve_alt(group, sweep), "", beside=3)
        for sweep in group.sweeps
    ]
    together = Picture(
        f"curves{suffix}", plots.curves(group, group.sweeps), "Training curves of all models.", caption, aside=True
    )
    return [*single, together, Text(caption)]


def curve_alt(group: Group, sweep: Sweep) -> str:
    best = sweep.best
    levels = plots.series(best.history, "l1") if best else []
    told = f"; the winner's validation L1 goes from {levels[0][1]:.4f} to {levels[-1][1]:.4f}" if levels else ""
    return f"Training curves of {group.label(sweep)}: {len(sweep.trials)} trials{told}."


def sample_blocks(group: Group, truth: Truth) -> list[Block]:
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
        choice = f"the best, median and worst by L1 of {model}" if samples.rows[0].rank else "the first"
        caption = (
            f"Test images, {choice}. Maps: green is what people truly remember, red what they falsely do. "
            "Under each prediction its L1 in [−1, 1]; half of it is the L1 in [0, 1]."
        )
        alt = f"{len(samples.rows)} test images, {choice}, with {labels.listing(c.lower() for c in samples.columns)}."
        picture = Picture(f"samples-{files[model]}", plots.sample_grid(samples), alt, caption)
        blocks.append(Gallery(samples, picture))
        if not samples.rows[0].rank:
            break
    return blocks


def walk_blocks(group: Group, suffix: str) -> list[Block]:
    blocks: list[Block] = []
    shades = plots.colors(group.sweeps)
    blind = group.baselines("validation").get("pixel_median", {})
    for sweep in group.sweeps:
        if any(step.tried for step in sweep.walk):
            settled = sum(step.settled for step in sweep.walk)
            blocks.append(
                Picture(
                    f"walk-{sweep.name}",
                    plots.walk(sweep, group.label(sweep), shades[sweep.name], blind.get(sweep.metric)),
                    f"Coordinate walk of {group.label(sweep)}: {settled} coordinates settled, in the trial table.",
                    "",
                    beside=2,
                )
            )
    blocks.append(
        Text(
            "From top to bottom, one parameter at a time, the others held at what had won before. A filled dot won, a "
            "cross was stopped early, an arrow lies beyond the edge."
            if blocks
            else "No coordinate was tried yet."
        )
    )
    blocks.append(Shown(search_table(group, f"search{suffix}")))
    return [*blocks, *(Shown(trial_table(sweep), folded=True) for sweep in group.sweeps if sweep.trials)]


def ablation_blocks(group: Group, suffix: str) -> list[Block]:
    found = ablations(group)
    if not found:
        exp = group.sweeps[0].exp
        return [Text(f"None among these sweeps; `vmsbench ablate augment --exp {exp}` makes one of the augmentation.")]
    shades, baselines = plots.colors(group.sweeps), group.baselines("validation").get("pixel_median", {})
    blocks: list[Block] = [
        Picture(
            f"ablation-{one.sweep.name}",
            drawn(one, f"{one.sweep.family}: {one.param}", shades[one.sweep.name], baselines.get(one.sweep.metric)),
            f"Tuning score of each option of {one.param}; the numbers are in the table below.",
            "",
            beside=2,
        )
        for one in found
    ]
    told = "A stroke for each seed, a dot at their mean; the dotted line is the pixel median, blind to the image."
    return [*blocks, Text(told), Shown(ablation_table(group, found, f"ablations{suffix}"))]


def configurations(group: Group, level: int) -> list[Block]:
    blocks: list[Block] = []
    for sweep in group.sweeps:
        blocks.append(Heading(level, f"{sweep.family}: sweep {sweep.name}"))
        if sweep.space or sweep.winner:
            blocks.append(Shown(winner_table(sweep)))
        if again := contender_table(sweep):
            blocks.append(Shown(again[0]))
            caption = f"The best configurations of {sweep.name} on the same test images, two by two."
            blocks.append(Shown(comparison_table(again[1], caption, f"final-differences-{sweep.name}")))
        if sweep.command:
            blocks.append(Code(sweep.command))
        blocks.append(Facts(tuple(provenance(sweep))))
    return blocks


def provenance(sweep: Sweep) -> list[tuple[str, str]]:
    counts = (("train", sweep.data.train), ("validation", sweep.data.validation), ("test", sweep.data.test))
    splits = ", ".join(f"{count} {split}" for split, count in counts if count is not None)
    torch = ", ".join(dict.fromkeys(str(f.results["torch"]) for f in sweep.finals if f.results.get("torch")))
    facts = {
        "Commit": f"`{sweep.commit}`" if sweep.commit else "unknown",
        "Data": f"{sweep.data.title}, digest `{sweep.data.digest}`" + (f" ({splits})" if splits else ""),
        "Finals": labels.listing(
            f"`{f.id}`" + (f" (seed {f.seed})" if f.seed is not None else "") for f in sweep.finals
        ),
        "Epoch kept": labels.listing(
            f"{whole:.0f} of {f.results.get('epochs', '?')}"
            for f in sweep.scored
            if (whole := number(f.results.get("epoch_kept"))) is not None
        ),
        "PyTorch": torch,
        "Begun": sweep.created,
    }
    return [(name, fact) for name, fact in facts.items() if fact]


def pictures(blocks: Sequence[Block]) -> list[Picture]:
    found = [block.picture if isinstance(block, Gallery) else block for block in blocks]
    return [block for block in found if isinstance(block, Picture)]
