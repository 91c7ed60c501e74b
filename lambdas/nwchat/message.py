"""$default and onMessage: a frame from a client. A chat message is stored once, then sent to everybody.

The answer has never a body: an API with a route response, as the sandbox always has, would send it on.
It is 200 for a refused frame as well: the frame is at fault then, not the socket.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, assert_never

from nwchat import runtime, wire
from nwchat.ahead import Ahead
from nwchat.bans import ban_on, told
from nwchat.identity import Identity, identity_of
from nwchat.keys import message_expiry
from nwchat.limits import check_message
from nwchat.outcome import Delivered
from nwchat.pace import Pace
from nwchat.paging import is_forward
from nwchat.post import Poster
from nwchat.rows import Recipient, recipient
from nwchat.runtime import Answer, Event, Log, Tools
from nwchat.scanning import Found, Part, named
from nwchat.segments import cut
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
    request = runtime.request_of(event)
    sender = _sender(request, tools.now_ms())
    body = event.get("body")
    # With a token it is the token alone that says who somebody is.
    frame = wire.parse(body if isinstance(body, str) else None, names=not tools.config.tokens)
    desk = _Desk(tools, poster, deadline, log, sender, request)
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
    request: Mapping[str, Any]

    @property
    def who(self) -> Identity | None:
        """The sender by the handshake's token; None in open mode, and for sockets from before token mode."""
        return identity_of(self.request)

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
    if desk.tools.config.tokens and desk.who is None:
        return _refuse(Bad("unauthorized", "connect again, with a token", frame.client_id), desk)
    match frame:
        case Say():
            checked = check_message(frame, desk.tools.config.limits)
            return (
                _say(_owned(checked, desk.who), desk) if isinstance(checked, Say) else _refuse(checked, desk)
            )
        case Bad():
            return _refuse(frame, desk)
        case Ping():
            desk.reply(wire.pong())
        case HistoryRequest():
            if (muted := _muted(desk, frame.client_id)) is not None:
                return _refuse(muted, desk)
            page = desk.tools.store.page(
                frame.limit, desk.tools.now_ms(), before=frame.before, after=frame.after
            )
            desk.reply(wire.history(page, forward=is_forward(frame.after)))
        case _:
            assert_never(frame)
    return _OK


def _owned(say: Say, who: Identity | None) -> Say:
    """With the names of the token, where there was one, whatever the client claims."""
    return say if who is None else replace(say, uname=who.uname, sender_id=who.sender_id)


def _refuse(bad: Bad, desk: _Desk) -> Answer:
    desk.log.info("refused", extra={"code": bad.code})
    desk.reply(wire.error(bad.code, bad.detail, bad.client_id))
    return _OK


def _muted(desk: _Desk, client_id: str | None, **names: str) -> Bad | None:
    """What a banned one is answered; None for whoever is not."""
    ban = ban_on(desk.request, desk.tools.store.bans, desk.tools.now_ms(), desk.log, **names)
    return None if ban is None else Bad("muted", told(ban), client_id)


def _say(say: Say, desk: _Desk) -> Answer:
    config, store, sender = desk.tools.config, desk.tools.store, desk.sender
    limits, now_ms = config.limits, desk.tools.now_ms()
    if sender is not None:
        since = sender.connected_at or now_ms
        if not store.seen(sender.connection_id, since, say.uname, say.sender_id, now_ms, limits):
            detail = f"at most {limits.rate_messages} messages in {limits.rate_seconds} seconds"
            return _refuse(Bad("rate_limited", detail, say.client_id), desk)
    # After the rate: a banned one who floods costs no more than anybody else who does.
    if (muted := _muted(desk, say.client_id, sender_id=say.sender_id, uname=say.uname)) is not None:
        return _refuse(muted, desk)
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
    try:
        _send(message, desk)
    except Exception:
        desk.log.exception("fan-out broke off", extra={"message_id": message.id})
        return _BROKEN
    desk.log.debug("said", extra={"text": message.message})
    return _OK


def _send(message: Message, desk: _Desk) -> None:
    tools, config, frame = desk.tools, desk.tools.config, wire.message_frame(message)
    now_ms = tools.now_ms()
    threshold = config.fan_out.threshold if config.fan_out.function else None
    pages = tools.store.scan(Part(), now_ms, page_size=None if threshold is None else threshold + 1)
    room = _Room(pages, threshold)
    sender = () if desk.sender is None else (desk.sender,)
    echo = config.echo_to_sender
    everybody: Ahead[Recipient] = Ahead(() if room.large else (room.pages,))
    try:
        counts = desk.poster.spread(
            everybody,
            frame.encode(),
            # The sender's own row needn't be readable yet: scans are eventually consistent.
            first=sender if echo else (),
            skip=frozenset() if echo else frozenset(each.connection_id for each in sender),
            deadline=desk.deadline,
        )
    finally:
        everybody.close()
    level = logging.WARNING if counts.refused or counts.failed or counts.cut_short else logging.INFO
    desk.log.log(level, "sent", extra={"message_id": message.id, **asdict(counts)})
    if room.large:
        _hand_over(frame, message.id, room.seen, desk)


class _Room:
    """The pages of a room, of which some are read at once to tell whether more than `threshold` are there.

    With None it is never large, and nothing is read. An error of reading comes when the pages are wanted.
    """

    def __init__(self, pages: Iterator[Found], threshold: int | None) -> None:
        self._rest = pages
        self._read: list[Sequence[Recipient]] = []
        self._error: Exception | None = None
        self.seen = 0
        self.large = False
        if threshold is not None:
            self._look(threshold)

    def _look(self, threshold: int) -> None:
        try:
            while not self.large and (page := next(self._rest, None)) is not None:
                self._read.append(page.recipients)
                self.seen += len(page.recipients)
                self.large = self.seen > threshold
        except Exception as error:
            self._error = error

    def pages(self) -> Iterator[Sequence[Recipient]]:
        yield from self._read
        if self._error is not None:
            raise self._error
        yield from named(self._rest)


def _hand_over(frame: str, message_id: str, seen: int, desk: _Desk) -> None:
    """To everybody but the sender, who is seen to; what nobody takes is sent from here, while there is time.

    The rate is that of one message: of several at once, each one's segments find the others' 429s.
    """
    tools, config = desk.tools, desk.tools.config
    segments = cut(
        frame,
        message_id,
        rows=tools.size(seen),
        segment_size=config.fan_out.segment_size,
        rate=config.fan_out.rate,
        skip=() if desk.sender is None else (desk.sender.connection_id,),
    )
    missed = tools.hand_over(segments)
    handed = {"message_id": message_id, "segments": len(segments), "missed": len(missed)}
    desk.log.log(logging.WARNING if missed else logging.INFO, "handed over", extra=handed)
    now_ms = tools.now_ms()
    for each in missed:
        part = Part(each.segment.segment, each.segment.segments)
        others: Ahead[Recipient] = Ahead([partial(named, tools.store.scan(part, now_ms))])
        try:
            counts = desk.poster.spread(
                others,
                frame.encode(),
                skip=frozenset(each.segment.skip),
                pace=Pace(each.segment.rate),
                deadline=desk.deadline,
            )
        finally:
            others.close()
        about = {"message_id": message_id, "segment": part.number, "why": each.reason}
        desk.log.warning("sent from here", extra={**about, **asdict(counts)})


if runtime.is_warming():
    runtime.tools()
    runtime.poster()
