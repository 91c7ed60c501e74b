"""The lease of a broadcast: which process sends it, and how far it has come, saved while it is sent."""

from __future__ import annotations

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
from nwchatctl.operations.heartbeat import Heartbeat
from nwchatctl.process_id import host, this_process

if TYPE_CHECKING:
    from nwchatctl.context import App


def own_lease(app: App) -> BroadcastLease:
    """A lease for this process, from now on."""
    return BroadcastLease(this_process(), f"{app.cloud.caller.name} on {host()}", app.now_ms() + LEASE_MS)


class HeldLease:
    """The lease while this process holds it: a heartbeat renews it and saves the newest checkpoint, so that
    posting never waits for that."""

    def __init__(self, app: App, rows: Broadcasts, record: BroadcastRecord) -> None:
        self._app = app
        self._rows = rows
        self._record = record
        self._heartbeat = Heartbeat(self._save, SAVE_SECONDS, name="broadcast lease")

    def __enter__(self) -> HeldLease:
        self._heartbeat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._heartbeat.stop()

    @property
    def lost(self) -> bool:
        """Whether another process has taken the broadcast over."""
        return self._heartbeat.lost

    def offer(self, checkpoint: Checkpoint) -> None:
        """Has the checkpoint saved with the next renewal."""
        self._record = replace(self._record, checkpoint=checkpoint)

    def close(self, checkpoint: Checkpoint) -> None:
        """Saves the last checkpoint and releases the lease. A failure costs a repetition, no more."""
        self._heartbeat.stop()
        self._heartbeat.join()
        self.offer(checkpoint)
        lease = self._record.lease
        assert lease is not None
        if self.lost:
            return
        try:
            self._rows.save(replace(self._record, lease=None), lease)
        except CheckpointNotSaved as error:
            self._app.warn(f"how far it came could not be written down: {error}")

    def _save(self) -> bool:
        lease = own_lease(self._app)
        try:
            return self._rows.save(replace(self._record, lease=lease), lease)
        except CheckpointNotSaved:
            return True
