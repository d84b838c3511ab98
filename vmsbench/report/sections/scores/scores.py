"""The scores in both tracks, each with its table, its figure and its differences; and what the models cost."""

from itertools import pairwise

from vmsbench.report.analysis.ranking import Ranking
from vmsbench.report.analysis.tracks import ANSWER
from vmsbench.report.blocks import Block, Caution, FigureBlock, Heading, TableBlock
from vmsbench.report.gaps import cannot_be_known
from vmsbench.report.sections.scores.agreement import agreement_table
from vmsbench.report.sections.scores.answers import answer_table
from vmsbench.report.sections.scores.cost import cost_table
from vmsbench.report.sections.scores.differences import ranking_table
from vmsbench.report.sections.scores.distributions import distribution_table
from vmsbench.report.sections.scores.figures import track_figure
from vmsbench.report.sections.scores.fixated import fixation_metrics, fixation_table
from vmsbench.report.topic import Topic
from vmsbench.store.records import SweepGroup

FIGURES = {
    "answer": "Test scores as one answer. Filled dots are means over seeds, ticks single seeds; hollow dots are maps "
    "that never look at the image, diamonds an oracle that knows how the data were made. Dotted: the best predictor "
    "under that score that never looks at the image. Dashed, where something is known of people: how well half of them "
    "agree with the other half, and the ceiling which that sets.",
    "distribution": "Test scores as a distribution. Filled dots are samplers, circles in the same colour a model's one "
    "answer, dressed; grey circles never look at the image, diamonds are samples of the law that made the data. "
    "Dotted: the best predictor under that score that never looks at the image.",
}


def score_blocks(topic: Topic) -> list[Block]:
    group = topic.group
    blocks: list[Block] = []
    if baseline_disagreement(group):
        blocks.append(
            Caution(
                "The sweeps have different scores for the same pixel median; different versions of vmsbench "
                "may have made them."
            )
        )
    blocks += [Caution(text) for text in cannot_be_known(group)]
    for ranking in topic.rankings.both:
        blocks += track_blocks(topic, ranking)
    return [*blocks, Heading(topic.level + 1, "Cost"), TableBlock(cost_table(group, f"cost{topic.suffix}"))]


def track_blocks(topic: Topic, ranking: Ranking) -> list[Block]:
    group, suffix, track = topic.group, topic.suffix, ranking.track
    stem = "answers" if track is ANSWER else "distributions"
    made = answer_table if track is ANSWER else distribution_table
    tables = [made(group, ranking, f"{stem}{suffix}")]
    if track is ANSWER:
        tables.append(agreement_table(group, ranking, f"agreement{suffix}"))
    if track is ANSWER and fixation_metrics(group):
        tables.append(fixation_table(group, ranking, f"fixations{suffix}"))
    blocks: list[Block] = [Heading(topic.level + 1, f"Scores {track.words}"), *map(TableBlock, tables)]
    if any(part.rows for part in tables[0].parts):
        alt = f"Test scores {track.words} of each predictor; the numbers are in the tables above."
        blocks.append(FigureBlock(f"{stem}{suffix}", track_figure(group, ranking), alt, FIGURES[track.name]))
    if ranking.comparisons or ranking.blind:
        caption = f"Differences {track.words}, on the same test images, two by two."
        blocks.append(TableBlock(ranking_table(ranking, caption, f"differences-{stem}{suffix}")))
    return blocks


def baseline_disagreement(group: SweepGroup) -> bool:
    """Whether the sweeps of one group wrote different scores for the same pixel median of the same images."""
    found = [s.baselines.get("test", {}).get("pixel_median", {}).get("l1") for s in group.sweeps]
    known = sorted(value for value in found if value is not None)
    return any(high - low > 1e-4 for low, high in pairwise(known))
