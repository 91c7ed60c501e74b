"""A thread that renews a lease while its holder works: of the deploy lock and of a broadcast."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from nwchatctl.lease import LeaseTerms


class Heartbeat(threading.Thread):
    """Calls `renew` every `terms.renew_seconds`, until `stop` is called or the lease is lost.

    `renew` returns whether the lease is still ours: None if AWS did not say, and then it is called again at
    the next turn. It raises nothing. The first call is one interval after the start. `clock` returns
    monotonic seconds; the lease was acquired or renewed at its value when this object is made."""

    def __init__(
        self,
        renew: Callable[[], bool | None],
        terms: LeaseTerms,
        *,
        name: str,
        stopped: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._renew = renew
        self._terms = terms
        self._stopped = stopped or threading.Event()
        self._clock = clock
        self._taken = False
        self._renewed_at = clock()

    @property
    def lost(self) -> bool:
        """Whether another process has the lease, or may take it because it was not renewed for too long."""
        return self._taken or self._clock() - self._renewed_at > self._terms.holder_seconds

    def run(self) -> None:
        while not self._taken and not self._stopped.wait(self._terms.renew_seconds):
            # Of the moment before the call: it is unknown when AWS carries it out.
            began = self._clock()
            renewed = self._renew()
            if renewed:
                self._renewed_at = began
            self._taken = renewed is False

    def stop(self) -> None:
        """Ends the thread after the call that is under way; `join` waits for that."""
        self._stopped.set()
