"""The split into training, tuning validation and test pairs."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from vmsbench.data.pairs import Dataset
from vmsbench.errors import ConfigurationError


def carve(
    names: Sequence[str], fraction: float, seed: int, categories: Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Split names into (kept, carved): round(fraction * N) carved, at least one of each, stratified by category.

    A name's place in the draw depends on the seed and the name alone, so one more file moves few others. Every
    category gives its share of the carved, the largest remainders rounded up. Both parts keep the order of `names`.

    Raises ConfigurationError where the fraction is not in (0, 1) or there are fewer than two names.
    """
    if not 0 < fraction < 1:
        raise ConfigurationError(
            f"a fraction of {fraction} cannot be carved out: give one between 0 and 1, such as 0.12"
        )
    if len(names) < 2:
        raise ConfigurationError(f"cannot split {len(names)} pair(s): at least two are needed")
    strata: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names, key=lambda name: draw(seed, name)):
        strata[(categories or {}).get(name, "")].append(name)
    total = min(max(round(fraction * len(names)), 1), len(names) - 1)
    shares = {stratum: total * len(members) / len(names) for stratum, members in strata.items()}
    counts = {stratum: int(share) for stratum, share in shares.items()}
    by_remainder = sorted(strata, key=lambda stratum: (counts[stratum] - shares[stratum], draw(seed, stratum)))
    for stratum in by_remainder[: total - sum(counts.values())]:
        counts[stratum] += 1
    carved = {name for stratum, members in strata.items() for name in members[: counts[stratum]]}
    return [name for name in names if name not in carved], [name for name in names if name in carved]


def fold_of(
    names: Sequence[str], folds: int, fold: int, seed: int, categories: Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Split names into (the other folds, the fold of that number, from 0), stratified by category.

    Each name is in one fold; folds differ in size by one at most. Both parts keep the order of `names`.

    Raises ConfigurationError where there is one fold or more than there are names, and for a number that is none of a
    fold.
    """
    if not 2 <= folds <= len(names):
        raise ConfigurationError(
            f"data.folds={folds}: from 2 to {len(names)}, the number of training pairs with those for tuning; "
            "data.folds=5 is usual"
        )
    if not 0 <= fold < folds:
        raise ConfigurationError(f"data.fold={fold} is none of the {folds} folds, which are 0 to {folds - 1}")
    known = categories or {}
    dealt = sorted(names, key=lambda name: (known.get(name, ""), draw(seed, name)))
    held_out = set(dealt[fold::folds])
    return [name for name in names if name not in held_out], [name for name in names if name in held_out]


def draw(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def splits(dataset: Dataset) -> dict[str, Any]:
    """The names of each split and the digest, as plain JSON."""
    return {
        "train": list(dataset.train.names),
        "validation": list(dataset.validation.names),
        "test": list(dataset.test.names),
        "digest": dataset.digest,
    }
