"""An announcement that the chat's own function `fanout` sends, so that a million sockets are AWS's work."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nwchat.delivery.tally import NUMBERS, Counts
from nwchat.large_rooms.segments import Progress, cut
from nwchat.model.wire import Message, message_frame
from nwchat.storage.scan import Part
from nwchatctl.aws.awslambda.invoke import invoke_segments
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.operations.broadcast.post import send
from nwchatctl.operations.connections import roughly
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from nwchatctl.aws.dynamodb.broadcasts import Broadcasts
    from nwchatctl.chat.broadcast_progress import CheckpointTracker
    from nwchatctl.context import App
    from nwchatctl.operations.broadcast.lease import LeaseKeeper
    from nwchatctl.operations.broadcast.request import BroadcastRequest
    from nwchatctl.signals import Stop

_LOOK_SECONDS = 0.5
SILENT_SECONDS = 240.0
"""How long nothing may be heard of the segments: Lambda tries one that failed again after one minute, and
after two more (asynchronous invocation, Lambda developer guide)."""


def run_by_function(
    app: App,
    request: BroadcastRequest,
    message: Message,
    tracker: CheckpointTracker,
    stop: Stop,
    rows: Broadcasts,
    heartbeat: LeaseKeeper,
) -> Counts:
    """Has it sent, and watches until all segments are at their end. What Lambda does not take is sent from
    here, and stays in `ledger` until it is. Raises boto3's errors."""
    segments = cut(
        message_frame(message),
        message.id,
        rows=app.store.size(),
        segment_size=app.settings.fanout.segment_size,
        rate=request.rate,
        report=rows.room,
    )
    function = ResourceNames(app.settings.chat.name).function("fanout")
    missed = invoke_segments(app.aws.client("lambda"), function, segments)
    handed = len(segments) - len(missed)
    app.say(Line(f"{handed} of {len(segments)} segments are with {function}", Mark.DIM))
    tracker.delegate([Part(each.segment.segment, each.segment.segments) for each in missed])
    heartbeat.offer(tracker.checkpoint())
    own = None
    if missed:
        app.warn(f"{len(missed)} segments are sent from here: {missed[0].reason}")
        own = send(app, request, message, tracker, stop, heartbeat)
    done = _watch(app, rows, handed, stop)
    return _together(done.counts, own, finished=done.finished >= handed)


def _watch(app: App, rows: Broadcasts, segments: int, stop: Stop) -> Progress:
    """Until all segments are at their end, nothing was heard for too long, or somebody stops it."""
    heard, before = time.monotonic(), None
    with app.bar("sent", roughly(app)) as bar:
        while True:
            done = rows.fanout_progress()
            counts = done.counts
            said = f"{done.finished} of {segments} segments, {counts.delivered} delivered, {counts.gone} gone"
            bar.update(counts.recipients, said)
            if done != before:
                heard, before = time.monotonic(), done
            if done.finished >= segments or stop.reason or time.monotonic() - heard > SILENT_SECONDS:
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
