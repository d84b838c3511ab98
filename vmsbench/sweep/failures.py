"""Failures by kind: what went wrong with a trial, and which failures are the same."""

import hashlib
import traceback
from dataclasses import dataclass

from vmsbench.errors import NO_ROOM, ConfigurationError, DataError, StorageError
from vmsbench.files import PASSING
from vmsbench.training.out_of_memory import GPU, HOST, lacking
from vmsbench.training.trainer import Diverged

HOST_MEMORY, GPU_MEMORY = f"out of memory ({HOST})", f"out of memory ({GPU})"
NAN, CONFIGURATION, DATA, CODE = "not a number", "bad configuration", "data error", "code error"
LOST, TIMED_OUT, STORAGE = "lost node or process", "timed out", "disk error"
MEMORY, SAME_FOR_ALL = (HOST_MEMORY, GPU_MEMORY), (CODE, DATA)


@dataclass(frozen=True)
class Failure:
    """Why a trial failed.

    kind    one of the names above
    cause   one line
    trace   the traceback, where there is one
    mark    equal for the same error raised at the same place of the code; empty where there is no traceback
    """

    kind: str
    cause: str
    trace: str = ""
    mark: str = ""

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        frames = [(frame.filename, frame.lineno, frame.name) for frame in traceback.extract_tb(error.__traceback__)]
        mark = hashlib.sha256(repr((type(error).__name__, frames)).encode()).hexdigest()[:8]
        first = next(iter(str(error).splitlines()), "")
        cause = first if isinstance(error, StorageError) else f"{type(error).__name__}: {first}"
        trace = "".join(traceback.format_exception(error))
        return cls(kind_of(error), cause, trace, mark)


def kind_of(error: BaseException) -> str:
    where = lacking(error)
    if where is not None:
        return f"out of memory ({where})"
    if isinstance(error, OSError) and (error.errno in NO_ROOM or (error.errno in PASSING and error.filename)):
        return STORAGE
    kinds = {
        StorageError: STORAGE,
        Diverged: NAN,
        ConfigurationError: CONFIGURATION,
        DataError: DATA,
        TimeoutError: TIMED_OUT,
    }
    return next((kind for error_type, kind in kinds.items() if isinstance(error, error_type)), CODE)
