"""Posts a broadcast from this machine to the connections that are left."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nwchat.delivery.prefetch import Prefetcher
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.model.wire import Message, message_frame
from nwchatctl.chat.connection_rows import PAGE_ROWS
from nwchatctl.operations.connections import approximate_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nwchat.delivery.tally import Counts
    from nwchat.model.rows import Recipient
    from nwchat.storage.scan import ScanSegment
    from nwchatctl.chat.broadcast_progress import CheckpointTracker
    from nwchatctl.context import App
    from nwchatctl.operations.broadcast.lease import HeldLease
    from nwchatctl.operations.broadcast.request import BroadcastRequest
    from nwchatctl.signals import Stop


def send(
    app: App,
    request: BroadcastRequest,
    message: Message,
    tracker: CheckpointTracker,
    stop: Stop,
    lease: HeldLease | None = None,
) -> Counts:
    """Posts to all connections that `tracker` still has to reach, and reads the next ones meanwhile."""
    parts = tracker.checkpoint().parts
    readers: list[Callable[[], Iterator[Sequence[Recipient]]]] = [tracker.retries]
    readers += [partial(read_recipients, app, request, part, tracker) for part in parts]
    recipients: Prefetcher[Recipient] = Prefetcher(readers, depth=1)
    progress = ""
    with app.bar("sent", approximate_count(app)) as bar:

        def tick(counts: Counts) -> str:
            nonlocal progress
            failed = counts.failed + counts.refused
            progress = f"{counts.delivered} delivered, {counts.gone} gone, {failed} failed"
            bar.update(counts.recipients, progress)
            if lease is not None:
                lease.offer(tracker.checkpoint())
                if lease.lost:
                    return "taken over"
            return stop.reason

        try:
            return app.poster.post_all(
                recipients,
                message_frame(message).encode(),
                rate_limiter=RateLimiter(request.rate),
                on_progress=tick,
                on_outcome=tracker.record_outcome,
            )
        except Exception as error:
            if progress:
                error.add_note(progress)
            raise
        finally:
            recipients.close()


def read_recipients(
    app: App, request: BroadcastRequest, part: ScanSegment, tracker: CheckpointTracker | None
) -> Iterator[Sequence[Recipient]]:
    """The connections of one part of the table, page by page; `tracker` notes each page."""
    # A consistent read, so that a connection made before the broadcast receives it.
    pages = app.store.scan(
        part,
        app.now_ms(),
        consistent=True,
        user=request.to_user,
        # Without tokens an id is what a client claims.
        proven=app.settings.auth.mode == "token",
        page_size=PAGE_ROWS,
    )
    for found in pages:
        yield found.recipients if tracker is None else tracker.add_page(found, part)
