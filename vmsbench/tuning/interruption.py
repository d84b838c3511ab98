"""Being asked to stop: SIGINT, SIGTERM and SIGUSR1 all mean: let the trials save, and leave with "not finished"."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block each of the signals raises KeyboardInterrupt."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with handled(dict.fromkeys(SIGNALS, stop)):
        yield


STOPPING = b"\nstopping: the trials save; Ctrl-C again stops at once\n"


@contextmanager
def left_to_ray() -> Iterator[None]:
    """Within the block SIGTERM and the first SIGINT are SIGUSR1, for which Ray Tune has a handler that stops in order;
    a second SIGINT raises KeyboardInterrupt. Ray must have been told to leave SIGINT alone."""
    again = signal.getsignal(signal.SIGINT)

    def first(*_: Any) -> None:
        signal.signal(signal.SIGINT, again)
        os.write(2, STOPPING)  # print may be what was interrupted
        os.kill(os.getpid(), signal.SIGUSR1)

    with handled({signal.SIGINT: first, signal.SIGTERM: lambda *_: os.kill(os.getpid(), signal.SIGUSR1)}):
        yield


@contextmanager
def handled(handlers: dict[signal.Signals, Callable[..., Any]]) -> Iterator[None]:
    """Within the block signals are handled so; after it as before it, whoever else changed that. Only the main thread
    may set handlers: in others nothing happens."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in handlers.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def deferred(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Within the block these signals wait; processes started within it never see them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
