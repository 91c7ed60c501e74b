"""Runs a broadcast: stores it and sends it to all connections. With an id, each connection gets it once,
whichever process sends it and however often it is started."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nwchat.delivery.tally import Counts
from nwchat.model.ids import message_expiry
from nwchat.model.wire import Message, from_json_dict, to_json_dict
from nwchat.storage.store import Dedup
from nwchatctl.aws.awslambda.invoke import require_function
from nwchatctl.aws.dynamodb.broadcasts import Broadcasts
from nwchatctl.chat.broadcast_message import ID_SECONDS, BroadcastResult
from nwchatctl.chat.broadcast_progress import (
    TERMS,
    BroadcastRecord,
    Checkpoint,
    CheckpointTracker,
    difference,
)
from nwchatctl.errors import ChatError, Exit, error_note
from nwchatctl.lease import LeaseWatch
from nwchatctl.operations.broadcast import invoke_fanout
from nwchatctl.operations.broadcast.lease import HeldLease
from nwchatctl.operations.broadcast.post import read_recipients, send
from nwchatctl.operations.connections import no_connection
from nwchatctl.process_id import is_dead
from nwchatctl.report import Line, Mark
from nwchatctl.signals import Stop, graceful_stop

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.operations.broadcast.request import BroadcastRequest

_WAIT_SECONDS = 900.0
_LOOK_SECONDS = 0.5
_TRIES = 5


def run(app: App, request: BroadcastRequest) -> BroadcastResult:
    """Sends it. Raises ChatError, and boto3's errors."""
    if request.via == "lambda":
        # Where there is no such function, before anything is stored.
        require_function(app.aws.client("lambda"), app.names.function("fanout"))
        # Under an id in any case: what the function's invocations have done is written into that row.
        return _run_once(app, request if request.key else replace(request, key=request.message.id))
    # Where connections cannot be reached, before anything is stored.
    app.connections_url  # noqa: B018 - for its errors
    if request.to_user:
        _require_recipient(app, request)
    if request.key:
        return _run_once(app, request)
    if not request.ephemeral:
        # Before anybody hears it: what a socket misses, history has.
        app.store.append(request.message, _expiry(app, request.message))
    # Sent again it would be a second message.
    stored = "" if request.ephemeral else f"it is in the history, as {request.message.id}"
    with graceful_stop() as stop, error_note(lambda: stored):
        counts = send(app, request, request.message, CheckpointTracker(Checkpoint()), stop)
    return BroadcastResult(request.message.id, counts, stopped=_stopped(stop, counts))


def preview(app: App, request: BroadcastRequest) -> BroadcastResult:
    """What `run` would do now; `recipients` is how many it would be sent to. Raises as `run`."""
    record = _rows(app, request).read(app.now_ms()) if request.key else None
    if record is not None:
        _refuse_another(request, record)
    if record is not None and record.checkpoint.finished:
        return BroadcastResult(record.message_id, already_sent=True)
    progress = Checkpoint() if record is None else record.checkpoint
    pages = (page for part in progress.parts for page in read_recipients(app, request, part, None))
    counts = Counts(recipients=len(progress.retries) + sum(map(len, pages)))
    if record is None and request.to_user and not counts.recipients:
        raise _nobody(app, request)
    return BroadcastResult(
        request.message.id if record is None else record.message_id, counts, resumed=record is not None
    )


def _require_recipient(app: App, request: BroadcastRequest) -> None:
    """Raises ChatError `no_connection`, exit 4, if no connection is of the user and nothing was sent under
    the id: the announcement would be nowhere."""
    if request.key and _rows(app, request).read(app.now_ms()) is not None:
        return
    parts = Checkpoint().parts
    if not any(found for part in parts for found in read_recipients(app, request, part, None)):
        raise _nobody(app, request)


def _nobody(app: App, request: BroadcastRequest) -> ChatError:
    return no_connection(app, f"no connection is known to be of {request.to_user}, so nothing was sent")


def _rows(app: App, request: BroadcastRequest) -> Broadcasts:
    client = app.aws.client("dynamodb", retries=False)
    return Broadcasts(client, app.names.messages, Dedup("broadcast", request.key, ID_SECONDS))


def _run_once(app: App, request: BroadcastRequest) -> BroadcastResult:
    rows = _rows(app, request)
    lease = HeldLease(app, rows)
    record = _begin(app, rows, request, lease)
    if record.checkpoint.finished:
        return BroadcastResult(record.message_id, already_sent=True)
    resumed = record.message_id != request.message.id
    message = from_json_dict(json.loads(record.frame)) if resumed else request.message
    tracker = CheckpointTracker(record.checkpoint)
    held = False
    with graceful_stop() as stop, lease.hold(record):
        try:
            # Of what was begun before, the rest is no more than this machine can send.
            if request.via == "lambda" and record.checkpoint == Checkpoint():
                counts = invoke_fanout.run_by_function(app, request, message, tracker, stop, rows, lease)
            else:
                counts = send(app, request, message, tracker, stop, lease)
        finally:
            held = lease.close(tracker.checkpoint())
    if not held:
        raise _taken_over(request)
    return BroadcastResult(record.message_id, counts, resumed=resumed, stopped=_stopped(stop, counts))


def _begin(app: App, rows: Broadcasts, request: BroadcastRequest, lease: HeldLease) -> BroadcastRecord:
    """The record of the broadcast: a new one, the one that is taken over, or a finished one. Raises ChatError
    as `_wait_or_take_over`."""
    frame = json.dumps(to_json_dict(request.message), ensure_ascii=False)
    expires_at = None if request.ephemeral else _expiry(app, request.message)
    for _ in range(_TRIES):
        new = BroadcastRecord(request.message.id, frame, request.to_user, lease=lease.new())
        if rows.begin(new, request.message, expires_at, app.now_ms()):
            return new
        if (record := _wait_or_take_over(app, rows, request, lease)) is not None:
            return record
        # The row expired between the two.
    raise _still_sending(request)


def _wait_or_take_over(
    app: App, rows: Broadcasts, request: BroadcastRequest, lease: HeldLease
) -> BroadcastRecord | None:
    """The record of the broadcast that was started under this id before, once no other run sends it.

    It is taken over, unless it is finished; None where there is none. Raises ChatError where another run
    sends it for too long, or where the id was used for another announcement."""
    began, watch = time.monotonic(), LeaseWatch(TERMS)
    waiting = False
    while True:
        record = rows.read(app.now_ms())
        if record is None:
            return None
        _refuse_another(request, record)
        if record.checkpoint.finished or lease.is_own(record.lease):
            # Its own lease: the answer to the write was lost.
            return record
        if _may_take_over(app, watch, record):
            own = lease.new()
            if rows.take_over(record, own):
                app.say(Line(f"going on with {record.message_id}, which was begun before", Mark.DIM))
                return replace(record, lease=own)
        elif record.lease is not None and not waiting:
            waiting = True
            app.say(Line(f"{record.lease.owner} is sending it already: waiting", Mark.DIM))
        if time.monotonic() - began > _WAIT_SECONDS:
            raise _still_sending(request)
        time.sleep(_LOOK_SECONDS)


def _may_take_over(app: App, watch: LeaseWatch, record: BroadcastRecord) -> bool:
    seen = record.lease
    return seen is None or watch.may_take_over(
        seen, expires_at=seen.until, now_ms=app.now_ms(), now=time.monotonic(), dead=is_dead(seen.process)
    )


def _expiry(app: App, message: Message) -> int:
    return message_expiry(message.date, app.settings.tables.retention_days)


def _stopped(stop: Stop, counts: Counts) -> str:
    return stop.reason if counts.cut_short else ""


def _still_sending(request: BroadcastRequest) -> ChatError:
    return ChatError(
        f"announcement {request.key} is still being sent by another process",
        hint="run the command again later: it goes on if that one has died",
        code="still_sending",
    )


def _taken_over(request: BroadcastRequest) -> ChatError:
    return ChatError(
        f"announcement {request.key} was taken over by another process, or AWS was out of reach for too long",
        hint="run the command again: it waits for the other one, or sends what is left",
        code="taken_over",
    )


def _refuse_another(request: BroadcastRequest, record: BroadcastRecord) -> None:
    """Raises ChatError `id_taken`, exit 2, if the id was used for another announcement."""
    different = difference(request.message, request.to_user, record)
    if different:
        recipients = f"user {record.to_user}" if record.to_user else "everybody"
        raise ChatError(
            f"id {request.key} was used for an announcement to {recipients}, {record.message_id}: "
            f"{different} differs",
            hint="give another --id; an id is free again a day after its first use",
            code="id_taken",
            exit_code=Exit.USAGE,
        )
