"""VISCHEMA PLUS as released: images and their Visual Memory Schema maps, with the official lists.

The official validation list is the test set; the validation set of a study is carved out of the training list.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vmsbench.data.folder import load
from vmsbench.data.layout import existing_root, vischema_layout
from vmsbench.data.pairs import Coding, Dataset
from vmsbench.errors import DataError

HOW = (
    "ask its authors for the VISCHEMA PLUS dataset (University of York, Visual Memory Schemas, "
    "https://www.cs.york.ac.uk/vischema/), then set data.root=PATH or VMSBENCH_DATA=PATH; "
    "or use synthetic data: data=standin"
)


def vischema(
    root: str | Path | None = None,
    size: int = 64,
    coding: Coding | Literal["auto"] = "auto",
    cache: str | Path | None = None,
    validation_fraction: float = 0.12,
    split_seed: int = 0,
    digest: str | None = None,
    scale: float = 1,
    verify: bool = False,
    repeats: Sequence[str] | None = None,
    folds: int | None = None,
    fold: int = 0,
) -> Dataset:
    """VISCHEMA PLUS in the folder `root` (without one: $VMSBENCH_DATA); the settings are those of `folder`.

    Raises DataError saying how to get the data where no folder is given, what is there instead where it is another, and
    with all bad files where some are bad.
    """
    root = root or os.environ.get("VMSBENCH_DATA") or None
    if root is None:
        raise DataError(f"no data: {HOW}")
    layout = vischema_layout(existing_root(root))
    return load(
        layout,
        size,
        coding,
        cache,
        validation_fraction,
        split_seed=split_seed,
        digest=digest,
        scale=scale,
        verify=verify,
        repeats=repeats,
        folds=folds,
        fold=fold,
    )
