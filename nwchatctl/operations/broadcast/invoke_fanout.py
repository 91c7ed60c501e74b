"""Sends a broadcast by the chat's own function `fanout`: AWS posts to the connections, not this machine."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nwchat.delivery.tally import NUMBERS, Counts
from nwchat.large_rooms.segments import SegmentProgress, split_room
from nwchat.model.wire import Message, message_frame
from nwchat.storage.scan import ScanSegment
from nwchatctl.aws.awslambda.invoke import invoke_segments
from nwchatctl.operations.broadcast.post import send
from nwchatctl.operations.connections import approximate_count
from nwchatctl.report import Line, Mark, counted

if TYPE_CHECKING:
    from nwchatctl.aws.dynamodb.broadcasts import Broadcasts
    from nwchatctl.chat.broadcast_progress import CheckpointTracker
    from nwchatctl.context import App
    from nwchatctl.operations.broadcast.lease import HeldLease
    from nwchatctl.operations.broadcast.request import BroadcastRequest
    from nwchatctl.signals import Stop

_LOOK_SECONDS = 0.5
SILENT_SECONDS = 240.0
"""How long the segments may make no progress: Lambda tries one that failed again after one minute, and
after two more (asynchronous invocation, Lambda developer guide)."""


def run_by_function(
    app: App,
    request: BroadcastRequest,
    message: Message,
    tracker: CheckpointTracker,
    stop: Stop,
    rows: Broadcasts,
    lease: HeldLease,
) -> Counts:
    """Invokes the function for each segment, and waits until all of them have ended. Segments that Lambda
    does not accept are sent from here, and stay in `tracker` until then. Raises boto3's errors."""
    segments = split_room(
        message_frame(message),
        message.id,
        rows=app.store.item_count(),
        segment_size=app.settings.fanout.segment_size,
        rate=request.rate,
        report=rows.room,
        report_rows=True,
    )
    function = app.names.function("fanout")
    missed = invoke_segments(app.aws.client("lambda"), function, segments)
    handed = len(segments) - len(missed)
    app.say(Line(f"{handed} of {counted(len(segments), 'segment')} with {function}", Mark.DIM))
    tracker.delegate([ScanSegment(each.segment.segment, each.segment.segments) for each in missed])
    lease.offer(tracker.checkpoint())
    own = None
    if missed:
        app.warn(f"sent from here: {counted(len(missed), 'segment')}, {missed[0].reason}")
        own = send(app, request, message, tracker, stop, lease)
    done = _watch(app, rows, message.id, handed, stop)
    return _together(done.counts, own, finished=done.finished >= handed)


def _watch(app: App, rows: Broadcasts, message_id: str, segments: int, stop: Stop) -> SegmentProgress:
    """Waits until all segments have ended, make no progress for too long, or the operator stops it."""
    changed_at, before = time.monotonic(), None
    with app.bar("sent", approximate_count(app)) as bar:
        while True:
            done = rows.fanout_progress(message_id)
            counts = done.counts
            text = f"{done.finished} of {segments} segments, {counts.delivered} delivered, {counts.gone} gone"
            bar.update(counts.recipients, text)
            if done != before:
                changed_at, before = time.monotonic(), done
            if done.finished >= segments or stop.reason or time.monotonic() - changed_at > SILENT_SECONDS:
                return done
            time.sleep(_LOOK_SECONDS)


def _together(done: Counts, own: Counts | None, *, finished: bool) -> Counts:
    reasons = list(done.reasons)
    if not finished:
        reasons.append(("not all segments are at their end; `nwchatctl status` shows those given up", 1))
    if own is None:
        return replace(done, cut_short=not finished, reasons=tuple(reasons))
    return replace(
        done,
        cut_short=own.cut_short or not finished,
        broken_off=own.broken_off,
        reasons=(*reasons, *own.reasons),
        **{each: getattr(done, each) + getattr(own, each) for each in NUMBERS},
    )
