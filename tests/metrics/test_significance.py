"""Intervals, tests and verdicts on simulated models whose truth is known."""

import itertools

import numpy as np
import pytest
from scipy import stats

from vmsbench.errors import UserError
from vmsbench.metrics.significance import (
    Interval,
    compare,
    crossed_test,
    difference_interval,
    holm,
    mean_interval,
    permutation_test,
    skill,
    student_tails,
)
from vmsbench.metrics.verdicts import verdict


def simulated(generator, seeds=1, images=80, mean=0.13, image_sd=0.09, seed_sd=0.0, noise=0.02, shared=None):
    """Errors S x N: a difficulty per image (`shared` between models where given), a shift per seed, noise."""
    difficulty = image_sd * generator.standard_normal(images) if shared is None else shared
    shift = seed_sd * generator.standard_normal((seeds, 1))
    return mean + difficulty + shift + noise * generator.standard_normal((seeds, images))


def coverage(interval, truth, trials=300):
    return np.mean([(found := interval(np.random.default_rng(i))).low <= truth <= found.high for i in range(trials)])


@pytest.mark.parametrize("seeds", [1, 5])
def test_intervals_of_the_mean_cover_it_19_times_in_20(seeds):
    covered = coverage(lambda g: mean_interval(simulated(g, seeds), resamples=1000), 0.13)
    assert 0.91 <= covered <= 0.98


def test_intervals_of_a_difference_cover_it_where_seeds_matter():
    """Two families whose seeds differ by more than the images' noise: one seed's interval would be far too narrow."""

    def interval(seeds):
        def found(generator):
            shared = 0.09 * generator.standard_normal(80)
            a = simulated(generator, seeds, mean=0.12, seed_sd=0.01, shared=shared)
            b = simulated(generator, seeds, mean=0.13, seed_sd=0.01, shared=shared)
            return difference_interval(a, b, resamples=1000)

        return found

    assert 0.88 <= coverage(interval(5), -0.01) <= 0.98
    assert coverage(interval(1), -0.01) < 0.6


def test_pairing_by_image_narrows_the_interval():
    generator = np.random.default_rng(0)
    shared = 0.09 * generator.standard_normal(320)
    a, b = (simulated(generator, 1, 320, shared=shared) for _ in range(2))
    width = [i.high - i.low for i in (difference_interval(a, b), difference_interval(a, b[:, ::-1]))]
    assert 3 * width[0] < width[1]


def test_the_interval_of_many_images_is_the_textbooks():
    errors = np.random.default_rng(1).standard_normal(2000)
    found = mean_interval(errors)
    low, high = errors.mean() + np.array([-1.96, 1.96]) * stats.sem(errors)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.003)
    assert found.value == pytest.approx(errors.mean())
    assert found == mean_interval(errors)


def test_skill_is_how_much_of_the_blind_error_is_gone():
    generator = np.random.default_rng(2)
    blind = np.abs(simulated(generator, images=300))
    assert skill(blind, blind) == Interval(0, 0, 0)
    half = skill(blind / 2, blind)
    assert (half.value, half.low, half.high) == pytest.approx((0.5, 0.5, 0.5))
    found = skill(0.9 * blind + 0.01 * generator.standard_normal((3, 300)), blind)
    assert found.low < 0.1 < found.high
    assert found.low > 0.05


@pytest.mark.parametrize("number", [1, 5, 10])
def test_the_permutation_test_enumerates_small_samples(number):
    a, b = np.random.default_rng(3).standard_normal((2, number))
    signs = itertools.product((-1, 1), repeat=number)
    sums = [abs(sum(s * d for s, d in zip(sign, a - b, strict=True))) for sign in signs]
    assert permutation_test(a, b) == pytest.approx(np.mean([s >= abs((a - b).sum()) - 1e-12 for s in sums]))


def test_random_signs_agree_with_the_exact_test():
    a, b = np.random.default_rng(4).normal([[0.6], [0]], 1, (2, 12))
    exact = permutation_test(a, b)
    assert permutation_test(a, b, permutations=4000) == pytest.approx(exact, abs=0.03)


def test_the_permutation_test_of_many_images_is_near_the_t_test():
    a, b = np.random.default_rng(5).normal([[0.15], [0]], 1, (2, 300))
    assert permutation_test(a, b) == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.02)


def test_identical_models_are_called_different_no_more_often_than_alpha():
    generator = np.random.default_rng(6)
    p = [permutation_test(*generator.standard_normal((2, 40)), permutations=999) for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert permutation_test([1, 2, 3], [1, 2, 3]) == 1


@pytest.mark.parametrize("freedom", [1, 2.5, 4, 30, 300])
def test_the_tails_of_t_are_those_of_scipy(freedom):
    for t in (0, 0.3, 1, 2.5, 6):
        assert student_tails(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-3)


def test_over_many_seeds_of_one_image_effect_the_crossed_test_is_welchs():
    """Images that all differ by the same amount leave the seeds alone: Welch's test of the seeds' means."""
    generator = np.random.default_rng(10)
    a, b = generator.normal(0, 1, (6, 1)), generator.normal(0.7, 2, (9, 1))
    shared = generator.standard_normal((1, 50))
    expected = stats.ttest_ind(a[:, 0], b[:, 0], equal_var=False).pvalue
    assert crossed_test(a + shared, b + shared) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("seeds", "spread"), [(2, 0.01), (3, 0.002), (3, 0.01), (5, 0.01)])
def test_families_that_are_the_same_are_seldom_called_different(seeds, spread):
    """Whatever the seeds' spread and number: of three equal families any difference is shown 5 times in 100."""
    generator = np.random.default_rng(11)
    called = 0
    for _ in range(200):
        shared = 0.09 * generator.standard_normal(80)
        errors = [simulated(generator, seeds, 80, seed_sd=spread, shared=shared) for _ in range(3)]
        p = holm([crossed_test(a, b) for a, b in itertools.combinations(errors, 2)])
        called += min(p) < 0.05
    assert called / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_one_training_of_each_says_so():
    generator = np.random.default_rng(12)
    shared = 0.09 * generator.standard_normal(160)
    errors = {name: simulated(generator, 1, 160, mean=mean, shared=shared) for name, mean in (("a", 0.1), ("b", 0.2))}
    assert compare(errors)[0].verdict == "a is better in the one training of each"


def test_holm_on_an_example_by_hand():
    """Sorted .005 .01 .03 .04 times 4 3 2 1 is .02 .03 .06 .04, made monotone .02 .03 .06 .06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_a_null_sweep_of_identical_models_shows_no_difference():
    """Six configurations that are the same but for their seeds: nothing may be shown between any two."""
    generator = np.random.default_rng(7)
    shared = 0.09 * generator.standard_normal(160)
    errors = {f"model {i}": simulated(generator, 3, 160, seed_sd=0.002, shared=shared) for i in range(6)}
    found = compare(errors, resamples=2000)
    assert len(found) == 15
    assert {comparison.verdict for comparison in found} == {"no difference shown"}


def test_a_true_difference_is_shown_and_named():
    generator = np.random.default_rng(8)
    shared = 0.09 * generator.standard_normal(160)
    unet = simulated(generator, 3, 160, mean=0.12, shared=shared)
    gan = simulated(generator, 3, 160, mean=0.13, shared=shared)
    (one,) = compare({"unet": unet, "gan": gan})
    (other,) = compare({"gan": gan, "unet": unet})
    assert one.verdict == other.verdict == "unet is better"
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one.p < 0.01


BLIND = 0.1327


@pytest.mark.parametrize(
    ("skill_interval", "train", "validation", "expected"),
    [
        (Interval(0.03, -0.01, 0.06), 0.107, 0.129, "no skill"),
        (Interval(-0.2, -0.3, -0.1), 0.16, 0.16, "no skill"),
        (Interval(0.02, 0.0, 0.04), 0.02, 0.13, "no skill"),
        (Interval(0.035, 0.01, 0.06), 0.107, 0.128, "ok"),
        (Interval(0.03, 0.01, 0.06), 0.02, 0.129, "overfit"),
        (Interval(0.03, 0.01, 0.06), 0.130, 0.129, "underfit"),
        (Interval(0.03, 0.01, 0.06), None, 0.129, "ok"),
        (Interval(0.03, 0.01, 0.06), None, None, "ok"),
    ],
)
def test_verdicts_follow_the_rule(skill_interval, train, validation, expected):
    assert verdict(skill_interval, BLIND, validation, train) == expected


def test_a_constant_has_no_gap_and_still_no_skill():
    generator = np.random.default_rng(9)
    blind = np.abs(simulated(generator, images=320))
    assert verdict(skill(blind, blind), blind.mean(), blind.mean(), blind.mean()) == "no skill"


def test_what_cannot_be_compared_is_named():
    with pytest.raises(UserError, match="on 3 and on 4 images"):
        difference_interval(np.ones(3), np.ones(4))
    with pytest.raises(UserError, match="NaN"):
        mean_interval([1.0, np.nan])
    with pytest.raises(UserError, match="at least one"):
        mean_interval([])
    with pytest.raises(UserError, match="no error"):
        skill(np.ones(3), np.zeros(3))
