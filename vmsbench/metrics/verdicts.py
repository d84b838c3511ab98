"""The rule by which a model is called ok, overfit, underfit or without skill."""

from vmsbench.metrics.significance import Interval

UNDERFIT = 0.05
OVERFIT = 0.25
NO_SKILL = "no skill shown"


def verdict(
    skill: Interval,
    reference: float,
    validation: float | None = None,
    train: float | None = None,
    shown: bool = True,
) -> str:
    """A word or three for a model, by rule, from its skill and its errors on its training and on unseen images.

    skill               of the test (or validation) images, against the blind reference
    reference           the blind reference's error, on the scale of the next two
    validation, train   the model's error on images it has not and has learned from; None where not known
    shown               whether the difference from the blind reference is still shown after Holm's correction, where it
                        is one of several

        "no skill shown"  the interval of the skill touches 0 (or lies below), or the difference is not shown
        "overfit"         the gap (validation - train) / reference exceeds 0.25: much of it does not carry over
        "underfit"        1 - train / reference is below 0.05: hardly better than a constant map even where it learned
        "ok"              none of these, or errors not known

    Losses that are close together do not make a fit good: a constant has no gap either, which is why skill comes first.
    """
    if not (skill.low > 0 and shown):
        return NO_SKILL
    if train is None or not reference > 0:
        return "ok"
    if validation is not None and (validation - train) / reference > OVERFIT:
        return "overfit"
    return "underfit" if 1 - train / reference < UNDERFIT else "ok"
