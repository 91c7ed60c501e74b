"""SIGTERM and --timeout end a command as Ctrl-C does: by an exception in the main thread, so that every
`finally` runs. They are KeyboardInterrupts because botocore turns an Exception into one of its own, and
asyncio lets no other kind out of a task.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from nwchatctl.errors import Exit

_ENDS = {
    signal.SIGINT: ("interrupted", Exit.INTERRUPTED),
    signal.SIGTERM: ("terminated", Exit.TERMINATED),
    signal.SIGALRM: ("timed out", Exit.FAILED),
}

AGAIN_SECONDS = 10.0
"""How long a command that has timed out may take to clean up, before it is interrupted once more."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


class TimedOut(KeyboardInterrupt):
    """The time of --timeout is over."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within, SIGTERM raises Terminated and the timer TimedOut. Outside the main thread, does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = (signal.signal(signal.SIGTERM, _terminate), signal.signal(signal.SIGALRM, _time_out))
    try:
        yield
    finally:
        stop_timer()
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGALRM, before[1])


@dataclass
class Stop:
    """Whether to stop, and as what the process then ends."""

    reason: str = ""
    """`interrupted`, `terminated` or `timed out`; "" while nobody wants it."""
    exit_code: int = 0


@contextmanager
def gently() -> Iterator[Stop]:
    """Within, the first Ctrl-C, SIGTERM or end of time only says so, for work that has something to tell
    of what it did; the second one raises as ever. Outside the main thread, does nothing."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in _ENDS}

    def note(number: int, frame: FrameType | None) -> None:
        handler = before[number]
        if stop.reason and callable(handler):
            handler(number, frame)
        stop.reason, stop.exit_code = _ENDS[signal.Signals(number)]

    for number in _ENDS:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_timer(seconds: float) -> None:
    """Raises TimedOut in the main thread in so many seconds, and again every AGAIN_SECONDS after that."""
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)


def stop_timer() -> None:
    """Nothing times out any more."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _time_out(number: int, frame: FrameType | None) -> None:
    raise TimedOut
