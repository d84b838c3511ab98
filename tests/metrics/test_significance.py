"""Intervals, tests and verdicts on simulated models whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from vmsbench.errors import UserError
from vmsbench.metrics.significance import (
    Interval,
    compare,
    compare_with_blind,
    difference_interval,
    estimate,
    holm,
    mean_interval,
    skill,
    student_point,
    student_tails,
)
from vmsbench.metrics.verdicts import verdict


def simulated(generator, seeds=1, images=80, mean=0.13, image_sd=0.09, seed_sd=0.0, noise=0.02, shared=None):
    """Errors S x N: a difficulty per image (`shared` between models where given), a shift per seed, noise."""
    difficulty = image_sd * generator.standard_normal(images) if shared is None else shared
    shift = seed_sd * generator.standard_normal((seeds, 1))
    return mean + difficulty + shift + noise * generator.standard_normal((seeds, images))


def intervals(seeds, images_sd, seed_sd, trials, blind=False):
    """The estimates of a difference of two equal families (or of a family from a blind predictor), so often."""
    found = []
    for trial in range(trials):
        generator = np.random.default_rng(trial)
        shared = 0.09 * generator.standard_normal(60)
        first = simulated(generator, seeds, 60, seed_sd=seed_sd, noise=images_sd, shared=shared)
        second = (
            0.13 + shared + images_sd * generator.standard_normal(60)
            if blind
            else simulated(generator, seeds, 60, seed_sd=seed_sd, noise=images_sd, shared=shared)
        )
        found.append(estimate(first, second))
    return found


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize(("seeds", "seed_sd"), [(1, 0), (2, 0), (2, 0.003), (3, 0.01), (5, 0.01)])
def test_intervals_hold_the_truth_19_times_in_20_and_p_is_uniform_where_nothing_differs(seeds, seed_sd, blind):
    """As long as seeds do not differ far more than images do; from two seeds p is larger than it need be."""
    found = intervals(seeds, 0.02, seed_sd, 600, blind)
    p = np.array([one.p for one in found])
    assert np.mean([not one.interval.excludes(0) for one in found]) >= 0.92
    for level in (0.05, 0.2, 0.5, 0.8):
        assert np.mean(p < level) <= level + 0.05
        assert seeds == 2 or np.mean(p < level) >= level - 0.08


@pytest.mark.parametrize(("seeds", "least"), [(2, 0.85), (3, 0.90), (5, 0.92)])
def test_where_seeds_differ_far_more_than_images_the_worst_coverage_is_as_documented(seeds, least):
    found = intervals(seeds, 0.005, 0.003, 1000, blind=True)
    assert np.mean([not one.interval.excludes(0) for one in found]) >= least


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_interval_skill_and_p_agree_whether_there_is_a_difference(seeds):
    """Interval and skill leave out 0 exactly where p, before any correction, is below 0.05: on near calls too."""
    called = []
    for trial in range(60):
        generator = np.random.default_rng(trial)
        shared = np.abs(0.09 * generator.standard_normal(40))
        first = simulated(generator, seeds, 40, mean=0.13 - 0.0001 * trial, seed_sd=0.003, shared=shared)
        blind = 0.13 + shared
        (one,) = compare_with_blind({"a": first}, {"b": blind})
        gained = skill(first, blind)
        assert one.difference.excludes(0) == gained.excludes(0) == (one.p_alone < 0.05) == one.shown
        called.append(one.shown)
    assert 5 < sum(called) < 55


def test_with_two_seeds_that_differ_much_an_interval_is_as_wide_as_its_test_is_unsure():
    """The demo's UNet and diffusion: an interval of [-0.026, -0.007] stood next to p = 0.35."""
    images = 0.02 * np.random.default_rng(13).standard_normal(96)
    unet, diffusion = 0.09 + np.array([[0.0002], [-0.0002]]) + images, 0.107 + np.array([[0.0065], [-0.0065]]) + images
    one = compare({"unet": unet, "diffusion": diffusion})[0]
    assert one.p_alone > 0.1
    assert not one.difference.excludes(0)
    few = difference_interval(unet[:1], diffusion[:1])
    assert few.excludes(0), "of the two networks alone it is certain"


def test_one_image_bounds_nothing():
    assert mean_interval([0.5]) == Interval(0.5, -np.inf, np.inf)
    assert estimate([[0.5], [0.6]], [0.1]).p == 1
    assert skill([0.5], [1.0]) == Interval(0.5, -np.inf, 1.0)


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


def test_skill_is_how_much_of_the_blind_error_is_gone():
    generator = np.random.default_rng(2)
    blind = np.abs(simulated(generator, images=300))
    assert skill(blind, blind) == Interval(0, 0, 0)
    half = skill(blind / 2, blind)
    assert (half.value, half.low, half.high) == pytest.approx((0.5, 0.5, 0.5))
    found = skill(0.9 * blind + 0.01 * generator.standard_normal((3, 300)), blind)
    assert found.low < 0.1 < found.high
    assert found.low > 0.05


def test_over_images_alone_the_test_is_the_paired_t_test():
    a, b = np.random.default_rng(5).normal([[0.15], [0]], 1, (2, 300))
    expected = stats.ttest_rel(a, b)
    found = estimate(a, b)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-3)
    low, high = expected.confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), rel=1e-4)
    assert estimate([1, 2, 3], [1, 2, 3]).p == 1


@pytest.mark.parametrize("freedom", [1, 2.5, 4, 30, 300])
def test_the_tails_of_t_are_those_of_scipy(freedom):
    for t in (0, 0.3, 1, 2.5, 6):
        assert student_tails(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-3)
    for p in (0.5, 0.05, 0.01):
        assert student_point(p, freedom) == pytest.approx(stats.t.isf(p / 2, freedom), rel=1e-4)


def test_over_many_seeds_of_one_image_effect_the_test_is_welchs():
    """Images that all differ by the same amount leave the seeds alone: Welch's test of the seeds' means."""
    generator = np.random.default_rng(10)
    a, b = generator.normal(0, 1, (6, 1)), generator.normal(0.7, 2, (9, 1))
    shared = generator.standard_normal((1, 50))
    expected = stats.ttest_ind(a[:, 0], b[:, 0], equal_var=False).pvalue
    assert estimate(a + shared, b + shared).p == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("seeds", "spread"), [(2, 0.01), (3, 0.002), (3, 0.01), (5, 0.01)])
def test_families_that_are_the_same_are_seldom_called_different(seeds, spread):
    """Whatever the seeds' spread and number: of three equal families any difference is shown 5 times in 100."""
    generator = np.random.default_rng(11)
    called = 0
    for _ in range(200):
        shared = 0.09 * generator.standard_normal(80)
        errors = [simulated(generator, seeds, 80, seed_sd=spread, shared=shared) for _ in range(3)]
        called += any(one.shown for one in compare(dict(zip("abc", errors, strict=True))))
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
    found = compare(errors)
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
        (Interval(0.03, -0.01, 0.06), 0.107, 0.129, "no skill shown"),
        (Interval(-0.2, -0.3, -0.1), 0.16, 0.16, "no skill shown"),
        (Interval(0.02, 0.0, 0.04), 0.02, 0.13, "no skill shown"),
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
    assert verdict(skill(blind, blind), blind.mean(), blind.mean(), blind.mean()) == "no skill shown"


def test_what_cannot_be_compared_is_named():
    with pytest.raises(UserError, match="on 3 and on 4 images"):
        difference_interval(np.ones(3), np.ones(4))
    with pytest.raises(UserError, match="NaN"):
        mean_interval([1.0, np.nan])
    with pytest.raises(UserError, match="at least one"):
        mean_interval([])
    with pytest.raises(UserError, match="no error"):
        skill(np.ones(3), np.zeros(3))


def test_skill_leaves_out_0_exactly_where_the_difference_does_however_odd_the_errors():
    """The variance changes with the ratio of the two, so the ratios that the test does not reject may have gaps."""
    draws = np.random.default_rng(0)
    for _ in range(600):
        count, seeds = draws.integers(3, 41), draws.integers(1, 4)
        blind = draws.gamma(0.3, size=count)
        model = blind * draws.uniform(0, 2) + draws.gamma(0.3, size=(seeds, count)) * draws.uniform(0, 2, (seeds, 1))
        found, apart = skill(model, blind), difference_interval(model, blind)
        assert found.excludes(0) == apart.excludes(0)
        assert found.low <= found.value <= found.high
