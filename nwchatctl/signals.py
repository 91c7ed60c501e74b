"""Signals. SIGTERM and --timeout end a command as Ctrl-C does: by an exception in the main thread, so that
every `finally` runs. They are KeyboardInterrupts because botocore converts an Exception into one of its own,
and asyncio lets no other kind out of a task."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from nwchatctl.errors import Exit

TIMED_OUT = "timed out"

_REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGALRM: TIMED_OUT}

_EXIT_CODES = {"interrupted": Exit.INTERRUPTED, "terminated": Exit.TERMINATED}

_LONGEST_SECONDS = 1e9
"""30 years; the kernel's timer overflows at 292."""

REPEAT_SECONDS = 10.0
"""How long a command may clean up after --timeout before it is interrupted again."""


def stopped_exit_code(reason: str, *, partly: bool) -> Exit:
    """The exit code of a command that was stopped for `reason`; `partly` is whether it had done a part."""
    if reason == TIMED_OUT and partly:
        return Exit.PARTLY
    return _EXIT_CODES.get(reason, Exit.FAILED)


class Terminated(KeyboardInterrupt):
    """SIGTERM was received."""


class TimedOut(KeyboardInterrupt):
    """The time of --timeout has passed."""


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Within the block, SIGTERM raises Terminated and the timer TimedOut. Outside the main thread, does
    nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = (signal.signal(signal.SIGTERM, _terminate), signal.signal(signal.SIGALRM, _time_out))
    try:
        yield
    finally:
        stop_timer()
        signal.signal(signal.SIGTERM, handlers[0])
        signal.signal(signal.SIGALRM, handlers[1])


@dataclass
class Stop:
    """A request to stop: `reason` is one of the texts in `_REASONS`, "" without a request."""

    reason: str = ""


@contextmanager
def graceful_stop() -> Iterator[Stop]:
    """Within the block, the first Ctrl-C, SIGTERM or timeout only sets `Stop.reason`, so that the command can
    report what it did; the second one raises as usual. Outside the main thread, does nothing."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    handlers = {int(number): signal.getsignal(number) for number in _REASONS}

    def note(number: int, frame: FrameType | None) -> None:
        handler = handlers[number]
        if stop.reason and callable(handler):
            handler(number, frame)
        stop.reason = _REASONS[signal.Signals(number)]

    for number in _REASONS:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


def start_timer(seconds: float) -> None:
    """Raises TimedOut in the main thread in so many seconds, and again every REPEAT_SECONDS after that."""
    signal.setitimer(signal.ITIMER_REAL, min(seconds, _LONGEST_SECONDS), REPEAT_SECONDS)


def stop_timer() -> None:
    """Stops the timer."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _time_out(number: int, frame: FrameType | None) -> None:
    raise TimedOut
