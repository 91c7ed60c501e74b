"""Posts a broadcast from this machine to the connections that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchat.delivery.prefetch import Prefetcher
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.model.wire import Message, message_frame
from nwchatctl.chat.connection_rows import PAGE_ROWS
from nwchatctl.operations.connections import roughly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nwchat.delivery.tally import Counts
    from nwchat.model.rows import Recipient
    from nwchat.storage.scan import Part
    from nwchatctl.chat.broadcast_progress import CheckpointTracker
    from nwchatctl.context import App
    from nwchatctl.operations.broadcast.lease import LeaseKeeper
    from nwchatctl.operations.broadcast.request import BroadcastRequest
    from nwchatctl.signals import Stop


def send(
    app: App,
    request: BroadcastRequest,
    message: Message,
    tracker: CheckpointTracker,
    stop: Stop,
    heartbeat: LeaseKeeper | None = None,
) -> Counts:
    """Sends to all that the ledger has left, read while it is sent."""
    parts = tracker.checkpoint().parts
    readers = [tracker.retries, *(_reader(app, request, part, tracker) for part in parts)]
    everybody: Prefetcher[Recipient] = Prefetcher(readers, depth=1)
    said = ""
    with app.bar("sent", roughly(app)) as bar:

        def tick(counts: Counts) -> str:
            nonlocal said
            failed = counts.failed + counts.refused
            said = f"{counts.delivered} delivered, {counts.gone} gone, {failed} failed"
            bar.update(counts.recipients, said)
            if heartbeat is not None:
                heartbeat.offer(tracker.checkpoint())
                if heartbeat.lost:
                    return "taken over"
            return stop.reason

        try:
            return app.poster.post_all(
                everybody,
                message_frame(message).encode(),
                rate_limiter=RateLimiter(request.rate),
                tick=tick,
                settled=tracker.record_outcome,
            )
        except Exception as error:
            if said:
                error.add_note(said)
            raise
        finally:
            everybody.close()


def _reader(
    app: App, request: BroadcastRequest, part: Part, tracker: CheckpointTracker
) -> Callable[[], Iterator[Sequence[Recipient]]]:
    return lambda: _read(app, request, part, tracker)


def _read(
    app: App, request: BroadcastRequest, part: Part, tracker: CheckpointTracker | None
) -> Iterator[Sequence[Recipient]]:
    # Consistently: whoever was there before the announcement hears it.
    pages = app.store.scan(part, app.now_ms(), consistent=True, user=request.to_user, page_size=PAGE_ROWS)
    for found in pages:
        yield found.recipients if tracker is None else tracker.add_page(found, part)
