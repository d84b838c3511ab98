"""Out of memory: the error, with the setting that fixes it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vmsbench.accelerators import KINDS
from vmsbench.errors import UserError

HOST, GPU = "host", "GPU"
SAID = (*KINDS, "hip", "mps backend")


class OutOfMemory(UserError, MemoryError):
    """Something does not fit into memory. `where`: HOST or GPU."""

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where = where

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (str(self), self.where)


def lacking(error: BaseException) -> str | None:
    """Which memory an error is about; None for another error."""
    if isinstance(error, OutOfMemory):
        return error.where
    text = str(error).lower()
    said = "out_of_device_memory" in text or any(f"{kind} out of memory" in text for kind in SAID)
    if said or isinstance(error, torch.cuda.OutOfMemoryError):
        return GPU
    if isinstance(error, MemoryError) or "can't allocate memory" in text or "not enough memory" in text:
        return HOST
    return None


@contextmanager
def fitting(what: str, remedy: str) -> Iterator[None]:
    """Within the block an out-of-memory error becomes an OutOfMemory that says what does not fit, and what helps."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        where = lacking(error)
        if where is None or isinstance(error, OutOfMemory):
            raise
        raise OutOfMemory(f"out of memory ({where}): {what} does not fit; {remedy}", where) from error
