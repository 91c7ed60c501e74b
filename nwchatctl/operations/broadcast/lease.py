"""The lease of a broadcast: which run sends it, and how far it has come, saved while it is sent."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from nwchatctl.aws.dynamodb.broadcasts import Broadcasts, CheckpointNotSaved
from nwchatctl.chat.broadcast_progress import TERMS, BroadcastLease, BroadcastRecord, Checkpoint
from nwchatctl.operations.heartbeat import Heartbeat
from nwchatctl.process_id import host, this_process

if TYPE_CHECKING:
    from nwchatctl.context import App


class HeldLease:
    """The lease of one run. Before `hold`, it is only offered to the row (`new`). While it is held, a
    heartbeat renews it and saves the newest checkpoint, so that posting never waits for that."""

    def __init__(self, app: App, rows: Broadcasts) -> None:
        self._app = app
        self._rows = rows
        # One for each run, so that a run knows its own lease in the row when an answer was lost.
        self._process = f"{this_process()}/{secrets.token_hex(8)}"
        self._owner = f"{app.cloud.caller.name} on {host()}"
        self._record = BroadcastRecord("")
        self._heartbeat = Heartbeat(self._renew, TERMS, name="broadcast lease")
        self._lost = False

    def new(self) -> BroadcastLease:
        """This run's lease, valid from now on."""
        self._heartbeat = Heartbeat(self._renew, TERMS, name="broadcast lease")
        return self._lease()

    def is_own(self, lease: BroadcastLease | None) -> bool:
        """Whether the lease is this run's."""
        return lease is not None and lease.process == self._process

    def hold(self, record: BroadcastRecord) -> HeldLease:
        """Starts to renew the lease, which `record` has, in a `with` block."""
        self._record = record
        return self

    def __enter__(self) -> HeldLease:
        self._heartbeat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._heartbeat.stop()

    @property
    def lost(self) -> bool:
        """Whether another run has taken the broadcast over, or may do so because the lease was not
        renewed."""
        self._lost = self._lost or self._heartbeat.lost
        return self._lost

    def offer(self, checkpoint: Checkpoint) -> None:
        """Has the checkpoint saved with the next renewal."""
        self._record = replace(self._record, checkpoint=checkpoint)

    def close(self, checkpoint: Checkpoint) -> bool:
        """Saves the last checkpoint and releases the lease; whether this run held it until then. If AWS
        cannot be reached, a warning says so: what was sent since the last renewal may be sent again."""
        self._heartbeat.stop()
        self._heartbeat.join()
        self.offer(checkpoint)
        try:
            saved = self._rows.finish(self._record, self._lease())
        except CheckpointNotSaved as error:
            self._app.warn(f"how far it came could not be written down: {error}")
            saved = True
        return saved and (checkpoint.finished or not self._lost)

    def _lease(self) -> BroadcastLease:
        return BroadcastLease(self._process, self._owner, self._app.now_ms() + TERMS.valid_ms)

    def _renew(self) -> bool | None:
        try:
            return self._rows.renew(self._record, self._lease())
        except CheckpointNotSaved:
            return None
