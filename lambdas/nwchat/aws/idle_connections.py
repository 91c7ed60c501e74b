"""Drops connections that were idle for long, before they are used again.

A function is frozen between invocations, and a network may drop idle connections without telling: a request
on one of them would wait for its timeout. Times are those of the wall clock, because the monotonic clock may
stand still in a frozen environment; a clock that was set back counts as a long time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

MAX_IDLE_SECONDS = 20.0
"""How long a connection may be idle. NAT gateways keep an idle connection for 350 s; others for less."""


def is_idle_too_long(used_at: float, now: float) -> bool:
    """Whether a connection last used at `used_at` must not be used at `now` (epoch seconds)."""
    return not 0.0 <= now - used_at <= MAX_IDLE_SECONDS


def drop_idle_connections(client: Any, clock: Callable[[], float] = time.time) -> None:
    """Make a boto3 client close its connections before a request when it was idle for long.

    botocore keeps connections without a limit of time, and notices only those that the server has closed.
    """
    used_at = clock()

    def before_send(**_: object) -> None:
        nonlocal used_at
        now = clock()
        if is_idle_too_long(used_at, now):
            # The client stays usable: the next request connects.
            client.close()
        used_at = now

    client.meta.events.register("before-send", before_send)
