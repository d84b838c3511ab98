"""Memory that does not suffice, told with the setting that would do."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vmsbench.errors import UserError

HOST, CUDA = "host", "CUDA"


class OutOfMemory(UserError, MemoryError):
    """What was asked for does not fit. `where`: HOST or CUDA."""

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where = where

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (str(self), self.where)


def lacking(error: BaseException) -> str | None:
    """Which memory an error speaks of; None for another error."""
    if isinstance(error, OutOfMemory):
        return error.where
    text = str(error).lower()
    if isinstance(error, torch.cuda.OutOfMemoryError) or "cuda out of memory" in text:
        return CUDA
    if isinstance(error, MemoryError) or "can't allocate memory" in text or "not enough memory" in text:
        return HOST
    return None


@contextmanager
def fitting(what: str, remedy: str) -> Iterator[None]:
    """Within the block a lack of memory is an OutOfMemory that says what did not fit, and what would help."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        where = lacking(error)
        if where is None or isinstance(error, OutOfMemory):
            raise
        raise OutOfMemory(f"out of memory ({where}): {what} does not fit; {remedy}", where) from error
