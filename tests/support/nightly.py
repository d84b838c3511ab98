"""Tests of many cases that take minutes together: a few of the cases in every run, all of them at night."""

from collections.abc import Iterable
from typing import Any

import pytest


def few_by_day(cases: Iterable[Any], *by_day: Any) -> list[Any]:
    """The cases as parameters of a test: those of `by_day` are run by `make test`, the rest by `make test-nightly`.

    A case that is a tuple has a value for each of the parameters.
    Raises ValueError for one by day that is none of the cases.
    """
    known = list(cases)
    if strangers := [case for case in by_day if case not in known]:
        raise ValueError(f"{strangers} are none of the cases {known}")
    values = [case if isinstance(case, tuple) else (case,) for case in known]
    marks = [() if case in by_day else pytest.mark.nightly for case in known]
    return [pytest.param(*value, marks=mark) for value, mark in zip(values, marks, strict=True)]
