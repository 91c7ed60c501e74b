"""Who is at an announcement, and how far it has come, written down while it is sent."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from nwchatctl.aws.dynamodb.broadcasts import Broadcasts, CheckpointNotSaved
from nwchatctl.chat.broadcast_progress import (
    LEASE_MS,
    SAVE_SECONDS,
    BroadcastLease,
    BroadcastRecord,
    Checkpoint,
)
from nwchatctl.process_id import host, this_process

if TYPE_CHECKING:
    from nwchatctl.context import App


def own_lease(app: App) -> BroadcastLease:
    """This process, as the one who is at it from now on."""
    return BroadcastLease(this_process(), f"{app.cloud.caller.name} on {host()}", app.now_ms() + LEASE_MS)


class LeaseKeeper:
    """Writes down how far it is, and that somebody is at it, from a thread: so posting never waits for it."""

    def __init__(self, app: App, rows: Broadcasts, state: BroadcastRecord) -> None:
        self.lost = False
        self._app = app
        self._rows = rows
        self._state = state
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.set()

    def offer(self, progress: Checkpoint) -> None:
        self._state = replace(self._state, checkpoint=progress)

    def close(self, progress: Checkpoint) -> None:
        """Writes the last word, and lets go of it. What can't be written costs a repetition, no more."""
        self._wake.set()
        self._thread.join()
        self._state = replace(self._state, checkpoint=progress)
        holder = self._state.lease
        assert holder is not None
        if self.lost:
            return
        try:
            self._rows.save(replace(self._state, lease=None), holder)
        except CheckpointNotSaved as error:
            self._app.warn(f"how far it came could not be written down: {error}")

    def _keep(self) -> None:
        while not self._wake.wait(SAVE_SECONDS):
            holder = own_lease(self._app)
            try:
                self.lost = not self._rows.save(replace(self._state, lease=holder), holder)
            except CheckpointNotSaved:
                continue
            if self.lost:
                return
