"""$default and onMessage: a frame from a client. A chat message is stored once, then sent to everybody.

The answer has never a body: an API with a route response, as the sandbox always has, would send it on.
It is 200 for a refused frame as well: the frame is at fault then, not the socket.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, assert_never

from nwchat import runtime, wire
from nwchat.ahead import Ahead
from nwchat.keys import message_expiry
from nwchat.limits import check_message
from nwchat.outcome import Delivered
from nwchat.paging import is_forward
from nwchat.post import Poster
from nwchat.rows import Recipient, recipient
from nwchat.runtime import Answer, Event, Log, Tools
from nwchat.scanning import Part
from nwchat.store import Dedup, Duplicate, Stored
from nwchat.wire import Bad, HistoryRequest, Message, Ping, Say

_OK: Answer = {"statusCode": 200}
_BROKEN: Answer = {"statusCode": 500}


def handler(event: Event, context: object) -> Answer:
    log = runtime.log_for(event, context)
    try:
        return message(event, runtime.tools(), runtime.poster(), runtime.deadline_of(context), log)
    except Exception:
        log.exception("message failed")
        return dict(_BROKEN)


def message(event: Event, tools: Tools, poster: Poster, deadline: float, log: Log) -> Answer:
    """200 when the frame was dealt with, 500 when something of ours broke; the sender is told of both."""
    sender = _sender(runtime.request_of(event), tools.now_ms())
    body = event.get("body")
    frame = wire.parse(body if isinstance(body, str) else None)
    desk = _Desk(tools, poster, deadline, log, sender)
    try:
        return dict(_take(frame, desk))
    except Exception:
        log.exception("message failed")
        desk.reply(wire.error("internal", "the chat could not take this; try again", frame.client_id))
        return dict(_BROKEN)


@dataclass(frozen=True, slots=True)
class _Desk:
    """One invocation. A test event from the console has no `sender`: nobody is answered then."""

    tools: Tools
    poster: Poster
    deadline: float
    log: Log
    sender: Recipient | None

    def reply(self, frame: str) -> None:
        """Best effort: whoever left before the answer doesn't miss it."""
        if self.sender is None:
            return
        try:
            outcome = self.poster.post(self.sender.connection_id, frame.encode(), self.deadline)
        except Exception:
            self.log.exception("reply failed")
            return
        if not isinstance(outcome, Delivered):
            self.log.warning("reply not delivered", extra={"outcome": repr(outcome)})


def _sender(request: Mapping[str, Any], now_ms: int) -> Recipient | None:
    connection_id, connected_at = request.get("connectionId"), request.get("connectedAt")
    if not connection_id:
        return None
    return recipient(str(connection_id), connected_at if isinstance(connected_at, int) else now_ms)


def _take(frame: wire.Frame, desk: _Desk) -> Answer:
    match frame:
        case Say():
            checked = check_message(frame, desk.tools.config.limits)
            return _say(checked, desk) if isinstance(checked, Say) else _refuse(checked, desk)
        case Bad():
            return _refuse(frame, desk)
        case Ping():
            desk.reply(wire.pong())
        case HistoryRequest():
            page = desk.tools.store.page(
                frame.limit, desk.tools.now_ms(), before=frame.before, after=frame.after
            )
            desk.reply(wire.history(page, forward=is_forward(frame.after)))
        case _:
            assert_never(frame)
    return _OK


def _refuse(bad: Bad, desk: _Desk) -> Answer:
    desk.log.info("refused", extra={"code": bad.code})
    desk.reply(wire.error(bad.code, bad.detail, bad.client_id))
    return _OK


def _say(say: Say, desk: _Desk) -> Answer:
    config, store, sender = desk.tools.config, desk.tools.store, desk.sender
    limits, now_ms = config.limits, desk.tools.now_ms()
    if sender is not None:
        since = sender.connected_at or now_ms
        if not store.seen(sender.connection_id, since, say.uname, say.sender_id, now_ms, limits):
            detail = f"at most {limits.rate_messages} messages in {limits.rate_seconds} seconds"
            return _refuse(Bad("rate_limited", detail, say.client_id), desk)
    message = Message(desk.tools.new_id(), say.message, say.uname, say.sender_id, now_ms)
    appended = store.append(message, message_expiry(now_ms, config.retention_days), _dedup(say, sender))
    # Before the fan-out: an ack says "stored", and a large room would keep the sender waiting.
    if say.client_id is not None:
        desk.reply(wire.ack(say.client_id, appended.id))
    match appended:
        case Stored():
            return _spread(message, desk)
        case Duplicate():
            desk.log.info("sent before", extra={"message_id": appended.id})
            return _OK
        case _:
            assert_never(appended)


def _dedup(say: Say, sender: Recipient | None) -> Dedup | None:
    """By the player and not by the socket: unacked messages are sent again after reconnecting."""
    if say.client_id is None:
        return None
    return Dedup(say.sender_id or (sender.connection_id if sender else ""), say.client_id)


def _spread(message: Message, desk: _Desk) -> Answer:
    """Once stored, a message isn't refused any more: whom the fan-out misses has the history."""
    tools, data = desk.tools, wire.message_frame(message).encode()
    sender = () if desk.sender is None else (desk.sender,)
    echo = tools.config.echo_to_sender
    now_ms = tools.now_ms()
    everybody = Ahead([lambda: (found.recipients for found in tools.store.scan(Part(), now_ms))])
    try:
        counts = desk.poster.spread(
            everybody,
            data,
            # The sender's own row needn't be readable yet: scans are eventually consistent.
            first=sender if echo else (),
            skip=frozenset() if echo else frozenset(each.connection_id for each in sender),
            deadline=desk.deadline,
        )
    except Exception:
        desk.log.exception("fan-out broke off", extra={"message_id": message.id})
        return _BROKEN
    finally:
        everybody.close()
    level = logging.WARNING if counts.refused or counts.failed or counts.cut_short else logging.INFO
    desk.log.log(level, "sent", extra={"message_id": message.id, **asdict(counts)})
    desk.log.debug("said", extra={"text": message.message})
    return _OK


if runtime.is_warming():
    runtime.tools()
    runtime.poster()
