"""Connects to a chat that may have been deployed a moment ago, and does not accept connections yet.

API Gateway may refuse handshakes for some seconds after a stage was created, and a new domain name may not
resolve yet (reports of users). Pure: the clock, sleep and what connects are passed in.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import cached_property
from typing import Generic, TypeVar

from nwchatctl.chat.smoke_test import SocketClosed

T = TypeVar("T")

RETRY_SECONDS = 20.0
"""How long a connection is retried."""
NEW_STAGE_SECONDS = 30.0
"""A stage that is older accepts connections everywhere: its refusals are final."""
SAY_AFTER_SECONDS = 3.0
_PAUSE_SECONDS = 0.5


class UnresolvedName(OSError):
    """The chat's own domain name does not resolve."""


class FirstConnect(Generic[T]):
    """Connects like `connect`, again while the refusal may be one of a new stage or a new name.

    `stage_age` returns the age of the stage in seconds; it is called only after a refusal, and once. `say`
    gets one sentence when the wait becomes noticeable. Raises the last error of `connect`: OSError or
    SocketClosed.
    """

    def __init__(
        self,
        connect: Callable[[], T],
        stage_age: Callable[[], float],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        say: Callable[[str], None],
    ) -> None:
        self._connect = connect
        self._stage_age = stage_age
        self._clock = clock
        self._sleep = sleep
        self._say = say
        self._refused_at: float | None = None
        self._said = False

    @cached_property
    def _is_stage_new(self) -> bool:
        return self._stage_age() < NEW_STAGE_SECONDS

    def __call__(self) -> T:
        """A connection. All calls together retry for `RETRY_SECONDS`."""
        while True:
            try:
                return self._connect()
            except (OSError, SocketClosed) as error:
                waited = self._waited()
                if waited + _PAUSE_SECONDS > RETRY_SECONDS or not self._may_pass(error):
                    raise
                if waited >= SAY_AFTER_SECONDS and not self._said:
                    self._said = True
                    self._say(f"{error}: retrying for up to {RETRY_SECONDS:.0f} s, as the chat may be new")
            self._sleep(_PAUSE_SECONDS)

    def _waited(self) -> float:
        now = self._clock()
        if self._refused_at is None:
            self._refused_at = now
        return now - self._refused_at

    def _may_pass(self, error: OSError | SocketClosed) -> bool:
        """Whether the error is one that a new stage or a new name has for a moment."""
        match error:
            case SocketClosed():
                status = error.status or 0
                return (status in (403, 404, 429) or status >= 500) and self._is_stage_new
            case UnresolvedName():
                return True
        return isinstance(error, socket.gaierror) and self._is_stage_new
