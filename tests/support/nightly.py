"""Tests of many cases that take minutes together: a few of the cases in every run, all of them at night."""

from collections.abc import Iterable
from typing import Any

import pytest


def few_by_day(cases: Iterable[Any], *by_day: Any) -> list[Any]:
    """The cases as parameters of a test: those of `by_day` are run by `make test`, the rest by `make test-nightly`.

    Raises ValueError for one by day that is none of the cases.
    """
    known = list(cases)
    if strangers := [case for case in by_day if case not in known]:
        raise ValueError(f"{strangers} are none of the cases {known}")
    return [case if case in by_day else pytest.param(case, marks=pytest.mark.nightly) for case in known]
