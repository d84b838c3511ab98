"""Which parameters mattered: parallel parameters over all trials, and the importance of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.config.format import describe
from vmsbench.report import labels
from vmsbench.report.analysis.seed_noise import SeedNoise
from vmsbench.report.render.style import BLIND_LINE, INK, MUTED, PAPER, plain, shorten, style
from vmsbench.search.samplers.ped_anova import ped_anova
from vmsbench.search.space import Parameter
from vmsbench.store.experiments import TrialRecord
from vmsbench.store.records import SweepRecord
from vmsbench.store.values import mapping

BEHIND = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.2}


@dataclass(frozen=True)
class Importance:
    """How far apart the tuning scores of a parameter's best and worst option are, and its share by PED-ANOVA.

    walked      at its step of the walk, all else being equal; otherwise means over the trials with each option
    options     how many of them were trained to their end; stopped and failed ones are left out
    share       of what the best tenth of the trials have in common (vmsbench.search.samplers.ped_anova); None for a
                walk, which varies one parameter at a time, and where Optuna or trials are missing
    """

    param: str
    spread: float
    options: int
    walked: bool
    share: float | None = None


def complete(sweep: SweepRecord) -> list[TrialRecord]:
    return [trial for trial in sweep.trials if trial.state == "complete" and trial.score is not None]


def value_of(sweep: SweepRecord, trial: TrialRecord, param: str) -> Any:
    """The trial's option of a parameter: what was chosen, or where the sweep started; None where it has none."""
    if param in trial.params:
        return trial.params[param]
    value: Any = trial.config or sweep.config
    for key in param.split("."):
        value = mapping(value).get(key)
    return value


def importances(sweep: SweepRecord) -> list[Importance]:
    """The parameters with two or more complete options, the most important first."""
    found = []
    steps = {step.parameter: step for step in sweep.parameters if step.settled}
    shares = {} if steps else shares_of(sweep)
    for param in dict.fromkeys(str(entry["param"]) for entry in sweep.space):
        if param in steps:
            scores = [o.score for o in steps[param].options if o.score is not None and o.state == "complete"]
        else:
            by_option: dict[str, list[float]] = {}
            for trial in complete(sweep):
                option = describe(value_of(sweep, trial, param))
                by_option.setdefault(option, []).append(trial.score or 0.0)
            scores = [fmean(values) for values in by_option.values()]
        if len(scores) > 1:
            spread = max(scores) - min(scores)
            found.append(
                Importance(param, spread, len(scores), param in steps, shares.get(param, 0.0) if shares else None)
            )
    return sorted(found, key=lambda one: (-(one.share or 0.0), -one.spread))


def shares_of(sweep: SweepRecord) -> dict[str, float]:
    """The parameters' shares by PED-ANOVA over all complete trials; empty where it cannot be had."""
    parameters = [Parameter.read(entry) for entry in sweep.space]
    scored = [(trial.params, sweep.sign * (trial.score or 0.0)) for trial in complete(sweep)]
    return ped_anova(parameters, scored)


def bars(sweep: SweepRecord, found: Sequence[Importance], title: str, color: str, noise: SeedNoise | None) -> Figure:
    """A bar per parameter: its share, or how far its options are apart; then the dotted line is what two seeds of one
    configuration are apart one time in twenty, where there are enough to say."""
    shared = all(one.share is not None for one in found)
    noise = noise if noise is not None and noise.known and not shared else None
    lengths = [(one.share or 0.0) if shared else one.spread for one in found]
    short = labels.parameters(one.param for one in found)
    with style():
        figure = Figure(figsize=(5.4, 1.0 + 0.3 * len(found)), layout="constrained")
        axes = figure.subplots()
        axes.barh(range(len(found)), lengths, height=0.55, color=color)
        far = max(lengths)
        apart = noise.apart(sweep.repeats) if noise is not None else 0.0
        if 0 < apart < 2.5 * far:
            axes.axvline(apart, **BLIND_LINE)
            tell(axes, "seeds alone", apart, (3, 0), "left")
            far = max(far, apart)
        elif apart:
            tell(axes, f"seeds alone: {apart:.4f}, beyond the edge →", 1.15 * far, (0, 0), "right")
        axes.set_xlim(0, 1.15 * far or 1)
        axes.set_yticks(range(len(found)), [short[one.param] for one in found])
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        axes.set_title(title)
        spread = f"{labels.metric(sweep.metric)} between best and worst option"
        axes.set_xlabel("share by PED-ANOVA" if shared else spread)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
    return figure


def tell(axes: Axes, text: str, at: float, offset: tuple[float, float], side: Literal["left", "right"]) -> None:
    axes.annotate(text, (at, -0.5), offset, textcoords="offset points", color=MUTED, fontsize=7.5, va="center", ha=side)


def parallel(sweep: SweepRecord, title: str, color: str) -> Figure:
    """An axis per parameter and one for the score; a line per complete trial, the best on top and bold."""
    params = list(dict.fromkeys(str(entry["param"]) for entry in sweep.space))
    trials = sorted(complete(sweep), key=lambda trial: -sweep.sign * (trial.score or 0.0))
    short = labels.parameters(params)
    values = {p: [describe(value_of(sweep, trial, p)) for trial in trials] for p in params}
    levels = {p: ordered([value_of(sweep, trial, p) for trial in trials]) for p in params}
    scores = [trial.score or 0.0 for trial in trials]
    low, high = min(scores), max(scores)
    share = [(score - low) / (high - low) if high > low else 0.5 for score in scores]
    good = [1 - one if sweep.sign > 0 else one for one in share]
    with style():
        figure = Figure(figsize=(max(5.0, 1.55 * (len(params) + 1)), 3.1), layout="constrained")
        axes = figure.subplots()
        for at, trial in enumerate(trials):
            places = [*(height(levels[p], values[p][at]) for p in params), good[at]]
            best = trial is sweep.best
            alpha, width = (1, 2.4) if best else (0.15 + 0.6 * good[at], 1.1)
            axes.plot(range(len(places)), places, color=color, lw=width, alpha=alpha, zorder=4 if best else 2)
        for at, param in enumerate(params):
            axes.axvline(at, color=MUTED, lw=0.7, zorder=1)
            for option in levels[param]:
                axes.annotate(
                    shorten(option, 16), (at, height(levels[param], option)), (4, 4), textcoords="offset points",
                    fontsize=7.5, color=INK, zorder=6, bbox=BEHIND,
                )  # fmt: skip
        score_axis(axes, len(params), *((high, low) if sweep.sign > 0 else (low, high)))
        axes.set_xticks(
            range(len(params) + 1),
            [*(shorten(short[param], 18) for param in params), f"tuning {labels.metric(sweep.metric)}"],
        )
        axes.set_xlim(-0.15, len(params) + 0.45)
        axes.set_ylim(-0.08, 1.12)
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.tick_params(axis="x", length=0, labelcolor=INK)
        axes.set_title(title)
    return figure


def score_axis(axes: Axes, at: int, worst: float, best: float) -> None:
    axes.axvline(at, color=MUTED, lw=0.7, zorder=1)
    for level, value in ((0.0, worst), (0.5, (worst + best) / 2), (1.0, best)):
        axes.annotate(
            f"{value:.4g}".replace("-", "−"),
            (at, level),
            (5, 0),
            textcoords="offset points",
            fontsize=7.5,
            color=INK,
            va="center",
        )


def ordered(values: Sequence[Any]) -> list[str]:
    """The options there are, numbers by size, others as they came."""
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return list(dict.fromkeys(describe(value) for value in (sorted(values) if numeric else values)))


def height(levels: Sequence[str], option: str) -> float:
    return 0.5 if len(levels) < 2 else levels.index(option) / (len(levels) - 1)
