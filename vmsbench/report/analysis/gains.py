"""An entry of a track under any of its scores: how good, and how much better than the best blind predictor under it."""

import numpy as np

from vmsbench.metrics.references import gain_under, skill_under
from vmsbench.metrics.significance import Interval, mean_interval
from vmsbench.report.analysis.tracks import Entry, Errors, blind_errors, blind_predictor
from vmsbench.store.records import SweepGroup


def level_of(entry: Entry, score: str) -> Interval | None:
    """The mean score with its 95 % interval over images and seeds; None without scores per image."""
    images = entry.images(score)
    return mean_interval(entry.per_image(score, images)) if len(images) > 1 else None


def skill_of(entry: Entry, group: SweepGroup, score: str) -> Interval | None:
    """(score - reference) / (perfect - reference), with its interval; None without scores per image."""
    found = paired(entry, group, score)
    return skill_under(score, {score: found[0]}, {score: found[1]}) if found else None


def gain_of(entry: Entry, group: SweepGroup, score: str) -> Interval | None:
    """By how much the score is better than the reference's, in its own unit; None without scores per image."""
    found = paired(entry, group, score)
    return gain_under(score, {score: found[0]}, {score: found[1]}) if found else None


def paired(entry: Entry, group: SweepGroup, score: str) -> tuple[Errors, Errors] | None:
    """The entry's scores, seeds x N, and its blind reference's, N, on the images that have both."""
    blind = blind_errors(group, blind_predictor(score, group), score)
    images = [name for name in entry.images(score) if name in blind]
    if len(images) < 2:
        return None
    return entry.per_image(score, images), np.array([blind[name] for name in images])
