"""The timer that ends a WebSocket connection which is idle, or open, for too long. Pure: times are seconds
of a monotonic clock.

API Gateway closes a connection without a message in either direction for 10 minutes, and every connection
after 2 hours (API Gateway developer guide, quotas for WebSocket APIs). Ping and pong frames of the protocol
are no messages: users report that only messages keep a connection open (andyrichardson/subscriptionless#3,
hotsock.io on keep-alive).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from nwchatctl.sandbox import limits


class TimerHandle(Protocol):
    """A timer that was started."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], TimerHandle]
"""Calls a function once after that many seconds, as `asyncio.AbstractEventLoop.call_later`."""


class SocketTimer:
    """Calls `end` once, when the connection has been idle or open for too long.

    There is one timer for each connection: a message only stores its time, which the timer compares when it
    fires. So a message costs next to nothing, and thousands of open connections do too.
    """

    def __init__(self, end: Callable[[], None], *, clock: Callable[[], float], call_later: CallLater) -> None:
        self._end = end
        self._clock = clock
        self._call_later = call_later
        self._handle: TimerHandle | None = None
        self.opened_at = self.active_at = clock()
        """When the connection was accepted, and when its last message was sent or received."""

    def start(self) -> None:
        """Starts with the connection, once it is accepted."""
        self.opened_at = self.active_at = self._clock()
        self._wait(self.opened_at)

    def record_message(self) -> None:
        """Record a message in either direction."""
        self.active_at = self._clock()

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _wait(self, now: float) -> None:
        due = self._due()
        if due < math.inf:
            self._handle = self._call_later(due - now, self._check)

    def _due(self) -> float:
        held = limits.current()
        idle, lifetime = held.value("idle_timeout"), held.value("connection_lifetime")
        return min(
            math.inf if idle is None else self.active_at + idle,
            math.inf if lifetime is None else self.opened_at + lifetime,
        )

    def _check(self) -> None:
        self._handle, now = None, self._clock()
        if now >= self._due():
            self._end()
        else:
            self._wait(now)
