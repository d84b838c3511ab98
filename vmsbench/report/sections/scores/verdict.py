"""The verdict: what can be said of the models, in each track by itself."""

from vmsbench.report.blocks import Block, Facts, Heading, Items, Text
from vmsbench.report.topic import Topic

APART = (
    "A score of one track says nothing about the other: CRPS rewards any honest spread, also that of a model that "
    "never looks at the image, and L1 punishes it."
)


def verdict_blocks(topic: Topic) -> list[Block]:
    blocks: list[Block] = []
    for title, sentences in topic.verdicts.sentences.items():
        blocks.append(Heading(topic.level + 1, title))
        blocks += [Text(sentence, lead=True) for sentence in sentences]
    blocks += [Heading(topic.level + 1, "Each model"), Facts(tuple(topic.verdicts.families.items()))]
    tuned = [Items(topic.verdicts.tuned)] if topic.verdicts.tuned else []
    return [*blocks, *tuned, Text(APART)]
