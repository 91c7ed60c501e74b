"""$default and onMessage: processes a frame from a client.

A chat message is stored once and then sent to all connections. It is acknowledged after that: an ack means
that the message is stored and on its way, and a message without one is sent when its client retries. The
response never has a body: an API with a route response (as in the sandbox) would send it to the client. The
status is 200 for a rejected frame as well, because the function itself did not fail.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, assert_never

from nwchat import runtime
from nwchat.delivery.outcome import Delivered
from nwchat.delivery.poster import Poster
from nwchat.delivery.prefetch import Prefetcher
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.tally import Counts
from nwchat.large_rooms.segments import split_room
from nwchat.log import Log
from nwchat.model import wire
from nwchat.model.bans import active_ban, ban_notice
from nwchat.model.budget import FRAME_PRICE, page_price, refusal_action, sender_room
from nwchat.model.identity import Identity, identity_of
from nwchat.model.ids import is_late, message_expiry, said_digest
from nwchat.model.limits import check_message
from nwchat.model.log_hash import caller_hashes
from nwchat.model.look_alikes import looks_like_any
from nwchat.model.paging import is_forward
from nwchat.model.rows import Recipient, origin_of, recipient
from nwchat.model.wire import HistoryRequest, InvalidFrame, Message, MessageRequest, Ping
from nwchat.runtime import Event, Response, Services
from nwchat.storage.budgets import Charge
from nwchat.storage.scan import ScanPage, ScanSegment, recipients_of
from nwchat.storage.store import Appended, Dedup, Duplicate, Stored

_OK: Response = {"statusCode": 200}
_FAILED: Response = {"statusCode": 500}
_ANSWER_SECONDS = 1.0
"""The part of the time that is kept for the ack and for noting that the message was sent."""


def handler(event: Event, context: object) -> Response:
    """Lambda handler. Returns 500 when an error occurs."""
    log = runtime.log_for(event, context)
    try:
        return message(event, runtime.services(), runtime.poster(), runtime.deadline_of(context), log)
    except Exception:
        log.exception("message failed")
        return dict(_FAILED)


def message(event: Event, services: Services, poster: Poster, deadline: float, log: Log) -> Response:
    """Process one frame and return 200, or 500 when an error occurred.

    The sender gets a reply or an error frame in both cases. `deadline` is in monotonic seconds.
    """
    request = runtime.request_of(event)
    sender = _sender(request, services.now_ms())
    body = event.get("body")
    # In token mode only the token determines the sender's identity.
    frame = wire.parse(body if isinstance(body, str) else None, names=not services.config.tokens)
    invocation = _Invocation(services, poster, deadline, log, sender, request)
    try:
        return dict(_dispatch(frame, invocation))
    except Exception:
        log.exception("message failed")
        invocation.reply(
            wire.error_frame("internal", "the chat could not take this; try again", frame.client_id)
        )
        return dict(_FAILED)


@dataclass(frozen=True, slots=True)
class _Invocation:
    """The dependencies and the request of one invocation.

    A test event from the console has no `sender`; it gets no reply.
    """

    services: Services
    poster: Poster
    deadline: float
    log: Log
    sender: Recipient | None
    request: Mapping[str, Any]

    @property
    def identity(self) -> Identity | None:
        """The sender's identity by its token; None in open mode.

        Also None for connections made before token mode was enabled.
        """
        return identity_of(self.request)

    def reply(self, frame: str) -> None:
        """Post a frame to the sender.

        Failures are logged and ignored, for example when the client has disconnected.
        """
        if self.sender is None:
            return
        try:
            outcome = self.poster.post(self.sender.connection_id, frame.encode(), self.deadline)
        except Exception:
            self.log.exception("reply failed")
            return
        if not isinstance(outcome, Delivered):
            self.log.warning("reply not delivered", extra={"outcome": repr(outcome)})

    def charge(self, price: int) -> Charge:
        """Begin to charge the sender's budget."""
        services = self.services
        return services.budgets.charge(
            sender_room(self.request), price, services.now_ms(), services.config.limits, self.log
        )


def _sender(request: Mapping[str, Any], now_ms: int) -> Recipient | None:
    connection_id, connected_at = request.get("connectionId"), request.get("connectedAt")
    if not connection_id:
        return None
    return recipient(str(connection_id), connected_at if isinstance(connected_at, int) else now_ms)


def _dispatch(frame: wire.Frame, invocation: _Invocation) -> Response:
    # Written while the frame is checked and counted: a sender within its budget does not wait for it.
    charge = invocation.charge(FRAME_PRICE)
    frame = _checked(frame, invocation)
    if isinstance(frame, MessageRequest):
        return _store_and_send(_with_identity(frame, invocation.identity), charge, invocation)
    if (refusal := _over_budget(charge, invocation, frame.client_id)) is not None:
        return _refuse_excess(refusal, invocation)
    match frame:
        case InvalidFrame():
            return _reject(frame, invocation)
        case Ping():
            invocation.reply(wire.pong_frame())
        case HistoryRequest():
            if (ban_error := _ban_error(invocation, frame.client_id)) is not None:
                return _reject(ban_error, invocation)
            _send_page(frame, invocation)
        case _:
            assert_never(frame)
    return _OK


def _checked(frame: wire.Frame, invocation: _Invocation) -> wire.Frame:
    """The frame, a message cleaned; InvalidFrame when it must be rejected."""
    config = invocation.services.config
    if config.tokens and invocation.identity is None:
        return InvalidFrame("unauthorized", "connect again, with a token", frame.client_id)
    checked = check_message(frame, config.limits) if isinstance(frame, MessageRequest) else frame
    # The site decides about the names in its tokens: its staff may have a reserved one.
    if isinstance(checked, MessageRequest) and invocation.identity is None:
        return _with_free_name(checked, config.reserved_names)
    return checked


def _with_free_name(request: MessageRequest, reserved: Sequence[str]) -> wire.Frame:
    """The request; InvalidFrame when its name looks like a reserved one, because others would believe it."""
    if looks_like_any(request.uname, reserved):
        return InvalidFrame("bad_request", "this name is reserved: choose another one", request.client_id)
    return request


def _with_identity(request: MessageRequest, identity: Identity | None) -> MessageRequest:
    """The request with the names of the token, if there is one, instead of the client's."""
    return (
        request if identity is None else replace(request, uname=identity.uname, sender_id=identity.sender_id)
    )


def _reject(invalid: InvalidFrame, invocation: _Invocation) -> Response:
    hashes = caller_hashes(invocation.request, invocation.services.log_hash)
    invocation.log.info("refused", extra={"code": invalid.code, **hashes})
    invocation.reply(wire.error_frame(invalid.code, invalid.detail, invalid.client_id, invalid.retry_after))
    return _OK


def _over_budget(charge: Charge, invocation: _Invocation, client_id: str | None) -> InvalidFrame | None:
    """The error for a sender that has spent its budget; None while it has not."""
    if (retry_after := charge.retry_after()) is None:
        return None
    limits = invocation.services.config.limits
    detail = f"at most {limits.sender_messages} frames of one sender in {limits.rate_seconds} seconds"
    return InvalidFrame("rate_limited", detail, client_id, retry_after)


def _refuse_excess(refusal: InvalidFrame, invocation: _Invocation) -> Response:
    """Refuse a frame beyond a budget: answer one in a window, then ignore some, then close the connection."""
    if invocation.sender is None:
        return _reject(refusal, invocation)
    connection_id, limits = invocation.sender.connection_id, invocation.services.config.limits
    count = invocation.services.budgets.count_refusal(connection_id, invocation.services.now_ms(), limits)
    match refusal_action(count, limits):
        case "answer":
            return _reject(refusal, invocation)
        case "ignore":
            return _OK
        case "close":
            outcome = invocation.poster.close(connection_id, invocation.deadline)
            invocation.log.warning(
                "closed: the client continued beyond its budget", extra={"outcome": repr(outcome)}
            )
            return _OK
        case action:
            assert_never(action)


def _send_page(request: HistoryRequest, invocation: _Invocation) -> None:
    """Reply with a page of history, and charge for what it has beyond the price of a frame."""
    services = invocation.services
    # A consistent read: a client asks after it has connected for what it will not be sent.
    page = services.store.page(
        request.limit, services.now_ms(), before=request.before, after=request.after, consistent=True
    )
    frame = wire.history_frame(page, forward=is_forward(request.after))
    rest = page_price(len(frame.encode())) - FRAME_PRICE
    charge = invocation.charge(rest) if rest else None
    invocation.reply(frame)
    if charge is not None:
        # Lambda suspends threads when the handler returns.
        charge.retry_after()


def _ban_error(invocation: _Invocation, client_id: str | None, **names: str) -> InvalidFrame | None:
    """The error for a banned sender; None when the sender is not banned."""
    ban = active_ban(
        invocation.request,
        invocation.services.store.bans,
        invocation.services.now_ms(),
        invocation.log,
        **names,
    )
    return None if ban is None else InvalidFrame("muted", ban_notice(ban), client_id)


def _store_and_send(request: MessageRequest, charge: Charge, invocation: _Invocation) -> Response:
    config, store, sender = invocation.services.config, invocation.services.store, invocation.sender
    limits, now_ms = config.limits, invocation.services.now_ms()
    if sender is not None:
        since = sender.connected_at or now_ms
        if not store.record_activity(
            sender.connection_id,
            since,
            request.uname,
            request.sender_id,
            now_ms,
            limits,
            origin=origin_of(invocation.request, proven=invocation.identity is not None),
        ):
            detail = f"at most {limits.rate_messages} messages in {limits.rate_seconds} seconds"
            refusal = InvalidFrame("rate_limited", detail, request.client_id, limits.rate_seconds)
            return _refuse_excess(refusal, invocation)
    if (over_budget := _over_budget(charge, invocation, request.client_id)) is not None:
        return _refuse_excess(over_budget, invocation)
    # The rate is checked first, so that a banned client that floods costs no more than any other.
    if (
        ban_error := _ban_error(
            invocation, request.client_id, sender_id=request.sender_id, uname=request.uname
        )
    ) is not None:
        return _reject(ban_error, invocation)
    message = Message(invocation.services.new_id(), request.message, request.uname, request.sender_id, now_ms)
    dedup = _dedup(request, invocation)
    appended = store.append(
        message,
        message_expiry(now_ms, config.retention_days),
        dedup,
        renew=partial(_renewed, services=invocation.services),
    )
    unsent = _unsent_message(message, appended, invocation)
    if unsent is not None and not _fan_out(unsent, invocation):
        # Not acknowledged, so that the client sends it again.
        if request.client_id is not None:
            invocation.reply(wire.error_frame("internal", _UNSENT, request.client_id))
        return _FAILED
    if dedup is not None:
        _acknowledge(dedup, appended.id, unsent, invocation)
    return _OK


_UNSENT = "the message is stored, but may not have reached everyone; send it again with the same client_id"


def _renewed(message: Message, services: Services) -> Message:
    """The message, with a new id if its own was made too long ago to be stored."""
    return replace(message, id=services.new_id()) if is_late(message.id, services.now_ms()) else message


def _unsent_message(message: Message, appended: Appended, invocation: _Invocation) -> Message | None:
    """The message to send, as it is stored; None when it is already on its way or has been deleted."""
    match appended:
        case Stored():
            return replace(message, id=appended.id)
        case Duplicate(sent=True):
            invocation.log.info("sent before", extra={"message_id": appended.id})
            return None
        case Duplicate():
            # The function died before it had sent the message, or another invocation is sending it now.
            invocation.log.info("stored before", extra={"message_id": appended.id})
            return invocation.services.store.message(appended.id)
        case _:
            assert_never(appended)


def _acknowledge(dedup: Dedup, message_id: str, sent: Message | None, invocation: _Invocation) -> None:
    """Send the ack of a message that is on its way, and note at the same time that it was sent.

    Without the note, the message is sent again when its client retries, which does no harm: clients show each
    id once. `sent` is None when there is nothing to note.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="mark") as pool:
        noted = None if sent is None else pool.submit(invocation.services.store.mark_sent, sent, dedup)
        invocation.reply(wire.ack_frame(dedup.key, message_id))
    try:
        if noted is not None:
            noted.result()
    except Exception:
        invocation.log.exception("not marked as sent", extra={"message_id": message_id})


def _dedup(request: MessageRequest, invocation: _Invocation) -> Dedup | None:
    """The message's deduplication key; None when it has no `client_id`.

    It belongs to the player, not the connection: clients resend unacknowledged messages after reconnecting.
    The text is part of it, so that a message under the `client_id` of another one is not taken for that one.
    """
    if request.client_id is None:
        return None
    sender = invocation.sender.connection_id if invocation.sender else ""
    digest = said_digest(request.message, request.uname, request.sender_id)
    if invocation.identity is not None:
        return Dedup("proven", request.client_id, owner=request.sender_id, digest=digest)
    if request.sender_id:
        return Dedup("claimed", request.client_id, owner=request.sender_id, digest=digest)
    return Dedup("socket", request.client_id, owner=sender, digest=digest)


def _fan_out(message: Message, invocation: _Invocation) -> bool:
    """Post a stored message to the room; whether it is on its way to all connections.

    The message is not rejected otherwise: clients get what they missed from the history.
    """
    # The rest of the time is for the answer.
    invocation = replace(invocation, deadline=invocation.deadline - _ANSWER_SECONDS)
    try:
        reason = _post_to_room(message, invocation)
    except Exception:
        invocation.log.exception("fan-out broke off", extra={"message_id": message.id})
        return False
    if reason:
        invocation.log.error("fan-out incomplete", extra={"message_id": message.id, "reason": reason})
        return False
    return True


def _incomplete_reason(counts: Counts) -> str:
    """Why a fan-out must be repeated; "" when it need not be.

    A few failed posts do not justify a second copy to all recipients.
    """
    failed = counts.refused + counts.failed
    if failed > counts.delivered + counts.gone:
        return f"{failed} of {counts.recipients} posts failed"
    return counts.broken_off or ("the time ended before all connections were posted to" * counts.cut_short)


def _post_to_room(message: Message, invocation: _Invocation) -> str:
    """Post to the connections, or invoke `fanout` for them; "" when all are posted to, otherwise why not.

    Raises errors of reading the connections.
    """
    services, config, frame = invocation.services, invocation.services.config, wire.message_frame(message)
    now_ms = services.now_ms()
    threshold = config.fan_out.threshold if config.fan_out.function else None
    # Consistent: a connection that has just been made, and has read the history before this message was
    # stored, receives it in no other way.
    pages = services.store.scan(
        ScanSegment(), now_ms, consistent=True, page_size=None if threshold is None else threshold + 1
    )
    room = _Room(pages, threshold)
    sender = () if invocation.sender is None else (invocation.sender,)
    echo = config.echo_to_sender
    recipients: Prefetcher[Recipient] = Prefetcher(() if room.large else (room.pages,))
    try:
        counts = invocation.poster.post_all(
            recipients,
            frame.encode(),
            # The sender's echo does not wait for the others.
            priority=sender if echo else (),
            skip=frozenset() if echo else frozenset(each.connection_id for each in sender),
            rate_limiter=RateLimiter(config.fan_out.rate),
            deadline=invocation.deadline,
        )
    finally:
        recipients.close()
    level = logging.WARNING if counts.refused or counts.failed or counts.cut_short else logging.INFO
    invocation.log.log(level, "sent", extra={"message_id": message.id, **asdict(counts)})
    if room.large:
        return _invoke_fanout(frame, message.id, room.row_count, invocation)
    return _incomplete_reason(counts)


class _Room:
    """The connections of the room, partly read ahead to tell whether there are more than `threshold`.

    With `threshold` None nothing is read ahead and the room is never large. An error of reading ahead is
    raised by `pages`.
    """

    def __init__(self, pages: Iterator[ScanPage], threshold: int | None) -> None:
        self._remaining = pages
        self._read_pages: list[Sequence[Recipient]] = []
        self._error: Exception | None = None
        self.row_count = 0
        self.large = False
        if threshold is not None:
            self._read_until(threshold)

    def _read_until(self, threshold: int) -> None:
        try:
            while not self.large and (page := next(self._remaining, None)) is not None:
                self._read_pages.append(page.recipients)
                self.row_count += len(page.recipients)
                self.large = self.row_count > threshold
        except Exception as error:
            self._error = error

    def pages(self) -> Iterator[Sequence[Recipient]]:
        yield from self._read_pages
        if self._error is not None:
            raise self._error
        yield from recipients_of(self._remaining)


def _invoke_fanout(frame: str, message_id: str, row_count: int, invocation: _Invocation) -> str:
    """Invoke `fanout` for each segment of the room; post to segments that Lambda did not accept from here.

    Lambda keeps the event that it has accepted and retries it, so such a segment is on its way. Returns "",
    or why another segment is not. The sender is skipped: it has been posted to already. The rate applies to
    one message: segments of concurrent messages slow down when they are throttled.
    """
    services, config = invocation.services, invocation.services.config
    segments = split_room(
        frame,
        message_id,
        rows=services.estimated_size(row_count),
        segment_size=config.fan_out.segment_size,
        rate=config.fan_out.rate,
        skip=() if invocation.sender is None else (invocation.sender.connection_id,),
    )
    failed = services.invoke_fanout(segments)
    fields = {"message_id": message_id, "segments": len(segments), "missed": len(failed)}
    invocation.log.log(logging.WARNING if failed else logging.INFO, "handed over", extra=fields)
    now_ms, reason = services.now_ms(), ""
    for each in failed:
        scan_segment = ScanSegment(each.segment.segment, each.segment.segments)
        recipients: Prefetcher[Recipient] = Prefetcher(
            [partial(recipients_of, services.store.scan(scan_segment, now_ms, consistent=True))]
        )
        try:
            counts = invocation.poster.post_all(
                recipients,
                frame.encode(),
                skip=frozenset(each.segment.skip),
                rate_limiter=RateLimiter(each.segment.rate),
                deadline=invocation.deadline,
            )
        finally:
            recipients.close()
        about = {"message_id": message_id, "segment": scan_segment.number, "why": each.reason}
        invocation.log.warning("sent from here", extra={**about, **asdict(counts)})
        reason = reason or _incomplete_reason(counts)
    return reason


if runtime.in_init_phase():
    runtime.services()
    runtime.poster()
