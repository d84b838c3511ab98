"""Signals: on SIGINT, SIGTERM and SIGUSR1 the trials save, and the command exits with "not finished"."""

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


STOPPING = b"\nstopping: saving at the next step; Ctrl-C again stops at once\n"
GRACE = {signal.SIGTERM: 10.0, signal.SIGINT: 60.0, signal.SIGUSR1: 60.0}
"""Seconds in which trials may finish their step, save and end; after that Ray Tune stops without them. After SIGTERM a
cluster kills soon; SIGUSR1 comes well before the job's time limit."""


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Within the block the first signal sets the yielded flag; a second SIGINT stops at once."""
    again, signals = signal.getsignal(signal.SIGINT), []

    def note(number: int, _: Any) -> None:
        signals.append(number)
        signal.signal(signal.SIGINT, again)
        os.write(2, STOPPING)

    with handled(dict.fromkeys(SIGNALS, note)):
        yield lambda: bool(signals)


class Interruption:
    """The signal handlers while Ray Tune runs. The first signal calls `drain`, which lets the trials save and end;
    after the time limit, or on a second signal, Ray Tune's own handler for SIGUSR1 stops them at their last epochs. A
    second SIGINT raises KeyboardInterrupt.

    Ray must be configured to ignore SIGINT. `arm` is called once Ray Tune has installed its handler; a signal before
    that goes to it at once.
    """

    def __init__(self, drain: Callable[[], None]) -> None:
        self.drain = drain
        self.rays: Callable[..., Any] | None = None
        self.timer: threading.Timer | None = None
        self.again = signal.getsignal(signal.SIGINT)

    @contextmanager
    def handling(self) -> Iterator[None]:
        with handled({signal.SIGINT: self.asked, signal.SIGTERM: self.asked}):
            try:
                yield
            finally:
                if self.timer:
                    self.timer.cancel()

    def arm(self) -> None:
        if self.rays is None and threading.current_thread() is threading.main_thread():
            self.rays = signal.signal(signal.SIGUSR1, self.asked)  # type: ignore[assignment]

    def asked(self, number: int, frame: Any) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, self.again)
            os.write(2, STOPPING)  # print is not safe in a signal handler
        if self.rays is None:
            os.kill(os.getpid(), signal.SIGUSR1)
        elif self.timer is None:
            self.timer = threading.Timer(GRACE[signal.Signals(number)], os.kill, (os.getpid(), signal.SIGUSR1))
            self.timer.daemon = True
            self.timer.start()
            self.drain()
        else:
            self.rays(number, frame)


@contextmanager
def handled(handlers: dict[signal.Signals, Callable[..., Any]]) -> Iterator[None]:
    """Within the block signals are handled so; after it as before, whatever changed them in between. Only the main
    thread may set handlers: in others nothing happens."""
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
