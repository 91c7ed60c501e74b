"""$default and onMessage: processes a frame from a client.

A chat message is stored once and then sent to all connections. It is acknowledged after that: an ack means
that the message is stored and on its way, and a message without one is sent when its client retries. The
response never has a body: an API with a route response (as in the sandbox) would send it to the client. The
status is 200 for a rejected frame as well, because the function itself did not fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import assert_never

from nwchat import cold_start, runtime
from nwchat.delivery.poster import Poster
from nwchat.invocation import Invocation, sender_of
from nwchat.log import Log
from nwchat.model import wire
from nwchat.model.bans import active_ban, ban_notice
from nwchat.model.budget import FRAME_PRICE, page_price, refusal_action
from nwchat.model.identity import Identity
from nwchat.model.ids import is_late, message_expiry, said_digest
from nwchat.model.limits import check_message
from nwchat.model.log_hash import caller_hashes
from nwchat.model.look_alikes import looks_like_any
from nwchat.model.paging import is_forward
from nwchat.model.rows import origin_of
from nwchat.model.wire import HistoryRequest, InvalidFrame, Message, MessageRequest, Ping, TextPing
from nwchat.room import post_to_room
from nwchat.runtime import Event, Response, Services
from nwchat.storage.budgets import Charge
from nwchat.storage.store import Appended, Dedup, Duplicate, Stored
from nwchat.values import replace

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
    sender = sender_of(request, services.now_ms())
    body = event.get("body")
    # In token mode only the token determines the sender's identity.
    frame = wire.parse(body if isinstance(body, str) else None, names=not services.config.tokens)
    invocation = Invocation(services, poster, deadline, log, sender, request)
    try:
        return dict(_dispatch(frame, invocation))
    except Exception:
        log.exception("message failed")
        invocation.reply(
            wire.error_frame("internal", "the chat could not take this; try again", frame.client_id)
        )
        return dict(_FAILED)


def _dispatch(frame: wire.Frame, invocation: Invocation) -> Response:
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
        case TextPing():
            invocation.reply(wire.HEARTBEAT_ANSWER)
        case HistoryRequest():
            if (ban_error := _ban_error(invocation, frame.client_id)) is not None:
                return _reject(ban_error, invocation)
            _send_page(frame, invocation)
        case _:
            assert_never(frame)
    return _OK


def _checked(frame: wire.Frame, invocation: Invocation) -> wire.Frame:
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


def _reject(invalid: InvalidFrame, invocation: Invocation) -> Response:
    hashes = caller_hashes(invocation.request, invocation.services.log_hash)
    invocation.log.info("refused", extra={"code": invalid.code, **hashes})
    invocation.reply(wire.error_frame(invalid.code, invalid.detail, invalid.client_id, invalid.retry_after))
    return _OK


def _over_budget(charge: Charge, invocation: Invocation, client_id: str | None) -> InvalidFrame | None:
    """The error for a sender that has spent its budget; None while it has not."""
    if (retry_after := charge.retry_after()) is None:
        return None
    limits = invocation.services.config.limits
    detail = f"at most {limits.sender_messages} frames of one sender in {limits.rate_seconds} seconds"
    return InvalidFrame("rate_limited", detail, client_id, retry_after)


def _refuse_excess(refusal: InvalidFrame, invocation: Invocation) -> Response:
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


def _send_page(request: HistoryRequest, invocation: Invocation) -> None:
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


def _ban_error(invocation: Invocation, client_id: str | None, **names: str) -> InvalidFrame | None:
    """The error for a banned sender; None when the sender is not banned."""
    ban = active_ban(
        invocation.request,
        invocation.services.store.bans,
        invocation.services.now_ms(),
        invocation.log,
        **names,
    )
    return None if ban is None else InvalidFrame("muted", ban_notice(ban), client_id)


def _store_and_send(request: MessageRequest, charge: Charge, invocation: Invocation) -> Response:
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


def _unsent_message(message: Message, appended: Appended, invocation: Invocation) -> Message | None:
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


def _acknowledge(dedup: Dedup, message_id: str, sent: Message | None, invocation: Invocation) -> None:
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


def _dedup(request: MessageRequest, invocation: Invocation) -> Dedup | None:
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


def _fan_out(message: Message, invocation: Invocation) -> bool:
    """Post a stored message to the room; whether it is on its way to all connections.

    The message is not rejected otherwise: clients get what they missed from the history.
    """
    # The rest of the time is for the answer.
    invocation = replace(invocation, deadline=invocation.deadline - _ANSWER_SECONDS)
    try:
        reason = post_to_room(message, invocation)
    except Exception:
        invocation.log.exception("fan-out broke off", extra={"message_id": message.id})
        return False
    if reason:
        invocation.log.error("fan-out incomplete", extra={"message_id": message.id, "reason": reason})
        return False
    return True


if cold_start.in_init_phase():
    runtime.services()
    runtime.poster()
