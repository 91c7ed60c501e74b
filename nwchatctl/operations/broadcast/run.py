"""An announcement on its way: stored, sent to all who are connected, and under an id, to each of them once
whoever is at it and however often it begins anew."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nwchat.delivery.tally import Counts
from nwchat.model.ids import message_expiry
from nwchat.model.wire import Message, from_json_dict, to_json_dict
from nwchat.storage.store import Dedup
from nwchatctl.aws.awslambda.invoke import require_function
from nwchatctl.aws.dynamodb.broadcasts import Broadcasts
from nwchatctl.chat.broadcast_message import ID_SECONDS, SCOPE, BroadcastResult
from nwchatctl.chat.broadcast_progress import (
    BroadcastLease,
    BroadcastRecord,
    Checkpoint,
    CheckpointTracker,
    is_lease_free,
)
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.errors import ChatError, Exit
from nwchatctl.operations.broadcast import invoke_fanout
from nwchatctl.operations.broadcast.lease import LeaseKeeper, own_lease
from nwchatctl.operations.broadcast.post import _read, send
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
        require_function(app.aws.client("lambda"), ResourceNames(app.settings.chat.name).function("fanout"))
        # Under an id in any case: what the function's invocations have done is written into that row.
        return _run_once(app, request if request.key else replace(request, key=request.message.id))
    if request.key:
        return _run_once(app, request)
    if not request.ephemeral:
        # Before anybody hears it: what a socket misses, history has.
        app.store.append(request.message, _expiry(app, request.message))
    with graceful_stop() as stop:
        try:
            counts = send(app, request, request.message, CheckpointTracker(Checkpoint()), stop)
        except BaseException as error:
            if not request.ephemeral:
                # Sent again it would be a second message.
                error.add_note(f"it is in the history, as {request.message.id}")
            raise
    return BroadcastResult(request.message.id, counts, stopped=_stopped(stop, counts))


def preview(app: App, request: BroadcastRequest) -> BroadcastResult:
    """What `announce` would do at this moment, `recipients` those it would be sent to. Raises as it does."""
    state = _rows(app, request).read(app.now_ms()) if request.key else None
    if state is not None and state.to_user != request.to_user:
        raise _of_another(request, state)
    if state is not None and state.checkpoint.finished:
        return BroadcastResult(state.message_id, already_sent=True)
    progress = Checkpoint() if state is None else state.checkpoint
    pages = (page for part in progress.parts for page in _read(app, request, part, None))
    counts = Counts(recipients=len(progress.retries) + sum(map(len, pages)))
    return BroadcastResult(
        request.message.id if state is None else state.message_id, counts, resumed=state is not None
    )


def _rows(app: App, request: BroadcastRequest) -> Broadcasts:
    table = ResourceNames(app.settings.chat.name).messages
    return Broadcasts(app.aws.client("dynamodb"), table, Dedup(SCOPE, request.key, ID_SECONDS))


def _run_once(app: App, request: BroadcastRequest) -> BroadcastResult:
    rows = _rows(app, request)
    new = BroadcastRecord(request.message.id, _kept(request.message), request.to_user, lease=own_lease(app))
    expires_at = None if request.ephemeral else _expiry(app, request.message)
    state: BroadcastRecord | None = None
    for _ in range(_TRIES):
        began = rows.begin(new, request.message, expires_at, app.now_ms())
        if state := new if began else _wait_or_take_over(app, rows, request):
            break
        # Two that began at the same moment have both been sent away.
        time.sleep(random.random())  # noqa: S311 - no secret
    if state is None:
        raise _again(request)
    if state.checkpoint.finished:
        return BroadcastResult(state.message_id, already_sent=True)
    resumed = state.message_id != new.message_id
    message = _message(state) if resumed else request.message
    tracker = CheckpointTracker(state.checkpoint)
    heartbeat = LeaseKeeper(app, rows, state)
    with graceful_stop() as stop, heartbeat:
        try:
            # Of what was begun before, the rest is no more than this machine can send.
            if request.via == "lambda" and state.checkpoint == Checkpoint():
                counts = invoke_fanout.run_by_function(app, request, message, tracker, stop, rows, heartbeat)
            else:
                counts = send(app, request, message, tracker, stop, heartbeat)
        finally:
            heartbeat.close(tracker.checkpoint())
    if heartbeat.lost:
        raise ChatError(
            f"another process took announcement {request.key} over",
            hint="run the command again: it waits for the other one",
            code="taken_over",
        )
    return BroadcastResult(state.message_id, counts, resumed=resumed, stopped=_stopped(stop, counts))


def _wait_or_take_over(app: App, rows: Broadcasts, request: BroadcastRequest) -> BroadcastRecord | None:
    """The announcement that was begun under the id before, once nobody else is at it: taken up, unless it is
    finished; None when there is none. Raises ChatError when somebody is at it for too long, or it was meant
    for somebody else."""
    began = heard = time.monotonic()
    before: BroadcastLease | None = None
    while True:
        state = rows.read(app.now_ms())
        if state is None:
            return None
        if state.to_user != request.to_user:
            raise _of_another(request, state)
        holder = own_lease(app)
        if state.checkpoint.finished or (state.lease and state.lease.process == holder.process):
            return state
        now = time.monotonic()
        if state.lease != before:
            if before is None and state.lease is not None:
                app.say(Line(f"{state.lease.owner} is sending it already: waiting", Mark.DIM))
            before, heard = state.lease, now
        dead = state.lease is not None and is_dead(state.lease.process)
        if is_lease_free(state, app.now_ms(), dead=dead, silent_ms=round((now - heard) * 1000)):
            if rows.take_over(state, holder):
                app.say(Line(f"going on with {state.message_id}, which was begun before", Mark.DIM))
                return replace(state, lease=holder)
        elif now - began > _WAIT_SECONDS:
            raise _again(request)
        time.sleep(_LOOK_SECONDS)


def _kept(message: Message) -> str:
    return json.dumps(to_json_dict(message), ensure_ascii=False)


def _message(state: BroadcastRecord) -> Message:
    return from_json_dict(json.loads(state.frame))


def _expiry(app: App, message: Message) -> int:
    return message_expiry(message.date, app.settings.tables.retention_days)


def _stopped(stop: Stop, counts: Counts) -> str:
    return stop.reason if counts.cut_short else ""


def _again(request: BroadcastRequest) -> ChatError:
    return ChatError(
        f"announcement {request.key} is still being sent by another process",
        hint="run the command again later: it goes on if that one has died",
        code="still_sending",
    )


def _of_another(request: BroadcastRequest, state: BroadcastRecord) -> ChatError:
    whom = f"user {state.to_user}" if state.to_user else "everybody"
    return ChatError(
        f"id {request.key} was used for an announcement to {whom}",
        hint="give another --id",
        code="id_taken",
        exit_code=Exit.USAGE,
    )
