"""How often 95 % intervals hold the truth, over many simulated studies whose truth is known: nominally 19 in 20."""

import numpy as np
import pytest
import torch

from tests.support.data.known_law import drawn, true_laws
from vmsbench.metrics.calibration import calibration
from vmsbench.metrics.references import skill_under
from vmsbench.metrics.scores import measure
from vmsbench.metrics.significance import Interval
from vmsbench.metrics.tracks.dressed import dressed

torch.set_num_threads(1)
STUDIES, IMAGES = 200, 60


def held(intervals: list[Interval], truth: float) -> float:
    """The share of the intervals that hold the truth; of 200 at 0.95, between 0.90 and 0.99 by chance."""
    return float(np.mean([one.low <= truth <= one.high for one in intervals]))


@pytest.mark.parametrize(
    ("name", "blind", "perfect"), [("crps", "crps", 0), ("crps_dressed", "crps", 0), ("cc_true_mean", "cc_true", 1)]
)
def test_the_interval_of_skill_holds_the_true_skill_in_either_track_whichever_way_is_up(name, blind, perfect):
    """Each image is hard for both; the model leaves 0.8 of what the blind reference leaves on average."""
    found = []
    for study in range(STUDIES):
        draws = np.random.default_rng(study)
        hard = 0.1 * draws.gamma(4, 0.25, IMAGES)
        mine, theirs = (abs(perfect - hard * part * draws.gamma(50, 1 / 50, IMAGES)) for part in (0.8, 1.0))
        gained = skill_under(name, {name: mine}, {blind: theirs})
        assert gained is not None
        found.append(gained)
    assert 0.9 <= held(found, 0.2) <= 0.99
    assert np.mean([one.value for one in found]) == pytest.approx(0.2, abs=0.01)


def test_the_intervals_of_coverage_and_of_spread_over_error_hold_what_is_true_of_the_right_sampler():
    """Samples and truth are draws of one law around a middle that differs between images, by a spread that does too."""
    kept: dict[str, list[Interval]] = {"50": [], "90": [], "spread": []}
    for study in range(STUDIES):
        draws = np.random.default_rng(study)
        middle, spread = draws.uniform(0.4, 0.6, (IMAGES, 1, 1, 1, 1)), draws.uniform(0.02, 0.1, (IMAGES, 1, 1, 1, 1))
        maps = torch.from_numpy((middle + spread * draws.standard_normal((IMAGES, 17, 1, 6, 6))).clip(0, 1)).float()
        found = dict(measure(maps[:, 1:], maps[:, 0], light=True))
        judged = calibration({name: values.numpy() for name, values in found.items()})
        assert judged.spread_skill is not None
        kept["spread"].append(judged.spread_skill)
        for level in (50, 90):
            kept[str(level)].append(judged.coverage[level])
    assert 0.89 <= held(kept["spread"], 1) <= 0.99
    assert 0.9 <= held(kept["50"], 0.5) <= 0.99
    assert 0.9 <= held(kept["90"], 0.9) <= 0.99


@pytest.mark.parametrize("pairs", [2, 8, 40])
def test_a_dressed_answer_never_beats_the_true_law_however_few_or_many_pairs_it_is_dressed_by(pairs):
    """The truth is uniform on 0..s, the answer tells s: over 30 studies of each size, by CRPS and by energy score, on
    the same 50 images as the true law, whose maps are draws of every pixel alone."""
    missed = []
    for study in range(30):
        (seen, told), (test, signal) = drawn(pairs, 2 * study), drawn(50, 2 * study + 1)
        found = dressed(signal.byte(), test, told.byte(), seen)
        best = true_laws().crps[signal.flatten(), test.maps.flatten().long()].mean().item()
        missed.append(found.per_image["crps_dressed_unit"].mean().item() - best)
        chance = torch.rand(50, 16, 1, 16, 16, generator=torch.Generator().manual_seed(study))
        samples = (chance * (signal[:, None] + 1)).floor() / 255
        whole = measure(samples, test.maps.float() / 255, light=True)["energy_unit"].mean()
        assert found.per_image["energy_dressed_unit"].mean() > whole
    assert np.mean(missed) > 2 * np.std(missed) / 30**0.5
    assert min(missed) > -0.001
