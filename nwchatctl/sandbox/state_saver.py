"""Saves the emulator's state soon after it changes; ministack itself saves only when it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger("nwchatctl.sandbox")

SETTLE_SECONDS = 0.5
REST_SECONDS = 1.5
# A save blocks the server (it takes the interpreter lock) and writes everything, which after many deploys is
# some hundred MB: at most a fiftieth of the time is spent on saves.
REST_FACTOR = 49.0


class StateSaver:
    """Calls `save` in a thread, SETTLE_SECONDS after `touch` and at most once in REST_SECONDS.

    `save` returns False if the state changed during the save and should be saved again. Not thread-safe: call
    `touch` and `stop` from the event loop's thread.
    """

    def __init__(self, save: Callable[[], bool]) -> None:
        self._save = save
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-save")
        self._timer: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None
        self._again = False
        self._not_before = 0.0
        self._stopped = False

    def touch(self) -> None:
        """Schedules a save, because the state may have changed."""
        if self._running is not None:
            self._again = True
        elif self._timer is None and not self._stopped:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time() + SETTLE_SECONDS, self._not_before), self._start)

    async def stop(self) -> None:
        """Waits for a save in progress, and starts no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            await asyncio.shield(self._running)
        self._worker.shutdown(wait=False)

    def _start(self) -> None:
        self._timer = None
        self._again = False
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            if not await loop.run_in_executor(self._worker, self._save):
                self._again = True
        except Exception:
            logger.exception("the state could not be saved")
        ended = loop.time()
        self._not_before = ended + max(REST_SECONDS, REST_FACTOR * (ended - started))
        self._running = None
        if self._again:
            self.touch()
