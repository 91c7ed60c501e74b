"""A thread that renews a lease while its holder works."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Heartbeat(threading.Thread):
    """Calls `renew` every `seconds`, until `stop` is called or the lease is lost.

    `renew` returns whether the lease is still ours, and raises nothing: a call that failed is repeated at
    the next turn. The first call is `seconds` after the start. `lost` is whether `renew` has returned False.
    """

    def __init__(
        self,
        renew: Callable[[], bool],
        seconds: float,
        *,
        name: str,
        stopped: threading.Event | None = None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.lost = False
        self._renew = renew
        self._seconds = seconds
        self._stopped = stopped or threading.Event()

    def run(self) -> None:
        while not self.lost and not self._stopped.wait(self._seconds):
            self.lost = not self._renew()

    def stop(self) -> None:
        """Ends the thread after the call that is under way; `join` waits for that."""
        self._stopped.set()
