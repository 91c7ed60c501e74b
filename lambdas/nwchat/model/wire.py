"""The wire protocol: parses and encodes frames. Pure, and the only module that knows their keys.

`parse` accepts any input and never raises. The encoders return text that can always be encoded as UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, NoReturn, TypeAlias

from nwchat.model.ids import is_ulid
from nwchat.values import dataclass

MAX_FRAME_BYTES = 32 * 1024
"""API Gateway closes a connection that sends a larger frame; a message of several frames may have up to 128
KB."""
MAX_PAYLOAD_BYTES = 128 * 1024
"""The maximum payload of PostToConnection."""
MAX_BODY_BYTES = MAX_PAYLOAD_BYTES
"""Maximum size of a page over HTTP, as over the socket: a larger one would be the cheapest way to make the
chat pay for reading and sending."""
MAX_CLIENT_ID_CHARS = 64
HEARTBEAT, HEARTBEAT_ANSWER = "ping", "pong"
DEFAULT_HISTORY = 50
MAX_HISTORY = 200

Code: TypeAlias = Literal[
    "empty", "too_long", "bad_request", "rate_limited", "muted", "unauthorized", "internal"
]
MessageType: TypeAlias = Literal["message", "announcement"]


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """A chat message as its client sent it, or cleaned by `limits.check_message`."""

    message: str
    uname: str = ""
    sender_id: str = ""
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ping:
    """A request for a pong frame."""

    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class TextPing:
    """The text `ping`, which heartbeats of browser libraries send. Its answer is the text `pong`."""

    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """A request for at most `limit` messages, older than the id `before` and newer than the id `after`."""

    limit: int = DEFAULT_HISTORY
    before: str | None = None
    after: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class InvalidFrame:
    """A rejected frame, with the contents of its error frame."""

    code: Code
    detail: str
    client_id: str | None = None
    retry_after: int | None = None
    """Seconds after which the same frame may be accepted."""


Frame: TypeAlias = MessageRequest | Ping | TextPing | HistoryRequest | InvalidFrame


@dataclass(frozen=True, slots=True)
class Message:
    """A stored message. `id` is a ULID, `date` epoch milliseconds."""

    id: str
    message: str
    uname: str
    sender_id: str
    date: int
    type: MessageType = "message"


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, oldest first, with the cursors of the neighboring pages.

    `before` is the cursor for older messages, `after` for newer ones; None when there were none.
    """

    messages: tuple[Message, ...] = ()
    before: str | None = None
    after: str | None = None


class _Integer(str):
    """A JSON integer kept as its digits: a huge one costs nothing, and `true` is not taken for 1."""

    __slots__ = ()


class _InvalidField(ValueError):
    """A field is invalid; the text is the error's detail."""


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_Integer, parse_constant=_not_json)


def well_formed(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD, so that it can be encoded as UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def parse(body: str | None, *, names: bool = True) -> Frame:
    """Parse a client's text frame. Never raises; InvalidFrame says why a frame is rejected.

    Without `names`, the client's `uname` and `sender_id` are ignored.
    """
    text = well_formed(body or "")
    if text == HEARTBEAT:
        return TextPing()
    if not text.strip():
        return InvalidFrame("empty", "the frame is empty")
    size = len(text.encode())
    fields = _fields(text) if size <= MAX_PAYLOAD_BYTES else None
    client_id: str | None = None
    try:
        if fields is not None:
            client_id = _client_id(fields)
        if size > MAX_FRAME_BYTES:
            return InvalidFrame("too_long", f"a frame is at most {MAX_FRAME_BYTES} bytes", client_id)
        if fields is None:
            return MessageRequest(text)
        return _frame(fields if names else {**fields, "uname": "", "sender_id": ""}, client_id)
    except _InvalidField as invalid:
        return InvalidFrame("bad_request", str(invalid), client_id)


def _fields(text: str) -> dict[str, object] | None:
    """The JSON object in the text; None for anything else, including nesting that is too deep."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _frame(fields: Mapping[str, object], client_id: str | None) -> Frame:
    match fields.get("action"):
        case "ping":
            return Ping(client_id)
        case "history":
            return _history_request(fields, client_id)
        case action:
            return _message_request(fields, action, client_id)


def _history_request(fields: Mapping[str, object], client_id: str | None = None) -> HistoryRequest:
    return HistoryRequest(_limit(fields), _cursor(fields, "before"), _cursor(fields, "after"), client_id)


def parse_query(query: Mapping[str, str]) -> HistoryRequest | InvalidFrame:
    """Parse the query string of `GET /messages`. Never raises; the limits are those of a frame.

    A parameter that is given twice has both values joined by a comma (HTTP API, payload format 2.0), and so
    is invalid. Unknown parameters are ignored: some clients add one to bypass caches.
    """
    fields: dict[str, object] = {
        name: _Integer(text) if text.isascii() and text.isdigit() else text for name, text in query.items()
    }
    try:
        return _history_request(fields)
    except _InvalidField as invalid:
        return InvalidFrame("bad_request", str(invalid))


def _message_request(fields: Mapping[str, object], action: object, client_id: str | None) -> MessageRequest:
    message = fields.get("message")
    if not isinstance(message, str) or isinstance(message, _Integer):
        known = action is None or action == "onMessage"
        raise _InvalidField("message must be a string" if known else "unknown action and no message")
    return MessageRequest(well_formed(message), _name(fields, "uname"), _name(fields, "sender_id"), client_id)


def _client_id(fields: Mapping[str, object]) -> str | None:
    """The client's id of the message.

    An empty one counts as none: all messages would be duplicates of the first.
    """
    value = fields.get("client_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or isinstance(value, _Integer) or len(value) > MAX_CLIENT_ID_CHARS:
        raise _InvalidField(f"client_id must be a string of at most {MAX_CLIENT_ID_CHARS} characters")
    return well_formed(value)


def _name(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _InvalidField(f"{key} must be a string")
    return well_formed(str(value))


def _limit(fields: Mapping[str, object]) -> int:
    value = fields.get("limit")
    if value is None:
        return DEFAULT_HISTORY
    if not isinstance(value, _Integer) or len(value) > 4 or not 1 <= int(value) <= MAX_HISTORY:
        raise _InvalidField(f"limit must be a whole number from 1 to {MAX_HISTORY}")
    return int(value)


def _cursor(fields: Mapping[str, object], key: str) -> str | None:
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not is_ulid(value):
        raise _InvalidField(f"{key} must be the id of a message")
    return str(value)


def to_json_dict(message: Message) -> dict[str, str]:
    """The keys of a message frame; `date` is text, as existing clients expect."""
    return {
        "type": message.type,
        "id": message.id,
        "message": message.message,
        "uname": message.uname,
        "sender_id": message.sender_id,
        "date": str(message.date),
    }


def from_json_dict(fields: Mapping[str, object]) -> Message:
    """The message in an object made by `to_json_dict`. Raises ValueError that names the invalid key."""
    texts = {key: fields.get(key) for key in ("id", "message", "uname", "sender_id", "date")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"{key} must be a string")
    if not is_ulid(str(texts["id"])):
        raise ValueError("id must be a ULID")
    date = str(texts["date"])
    if not (date.isascii() and date.isdigit() and len(date) <= 15):
        raise ValueError("date must be epoch milliseconds")
    kind = fields.get("type", "message")
    if kind not in ("message", "announcement"):
        raise ValueError("type must be message or announcement")
    return Message(
        id=str(texts["id"]),
        message=str(texts["message"]),
        uname=str(texts["uname"]),
        sender_id=str(texts["sender_id"]),
        date=int(date),
        type="announcement" if kind == "announcement" else "message",
    )


def message_frame(message: Message) -> str:
    """The frame of a chat message or, depending on its type, of an announcement."""
    return _encode(to_json_dict(message))


def ack_frame(client_id: str, message_id: str) -> str:
    """The frame that acknowledges a stored message."""
    return _encode({"type": "ack", "client_id": client_id, "id": message_id})


def pong_frame() -> str:
    """The response to a ping."""
    return _encode({"type": "pong"})


def error_frame(code: Code, detail: str, client_id: str | None = None, retry_after: int | None = None) -> str:
    """The frame that reports a rejected frame. `retry_after` is in seconds."""
    frame: dict[str, object] = {"type": "error", "code": code, "detail": detail}
    if client_id is not None:
        frame["client_id"] = client_id
    return _encode(frame if retry_after is None else {**frame, "retry_after": retry_after})


def history_frame(page: Page, *, forward: bool, max_bytes: int = MAX_PAYLOAD_BYTES) -> str:
    """The response to a history request over the WebSocket; as `history_body`, plus its type."""
    return '{"type":"history",' + history_body(page, forward=forward, max_bytes=max_bytes)[1:]


def history_body(page: Page, *, forward: bool, max_bytes: int = MAX_BODY_BYTES) -> str:
    """The response to a history request over HTTP, at most `max_bytes` of UTF-8.

    Messages that do not fit are omitted at the far end of the paging (`forward`: the newest, as with `after`;
    otherwise the oldest), and that end's cursor requests them next. A message too large for any frame is
    skipped, because a client would otherwise request it forever.
    """
    near_first = page.messages if forward else page.messages[::-1]
    encoded = [message_frame(message) for message in near_first]
    fitting = _count_fitting([len(text.encode()) + 1 for text in encoded], max_bytes - 128)
    before, after = page.before, page.after
    if fitting < len(encoded):
        last = near_first[max(fitting, 1) - 1].id
        before, after = (before, last) if forward else (last, after)
    chosen: Sequence[str] = encoded[:fitting] if forward else encoded[:fitting][::-1]
    cursors = f'"before":{_encode(before)},"after":{_encode(after)}'
    return f'{{"messages":[{",".join(chosen)}],{cursors}}}'


def error_body(code: Code, detail: str) -> str:
    """The body of an HTTP error response."""
    return _encode({"code": code, "detail": detail})


def health_body(version: str) -> str:
    """The body of the response to `GET /health`."""
    return _encode({"status": "ok", "version": version})


def _count_fitting(sizes: Sequence[int], remaining: int) -> int:
    for count, size in enumerate(sizes):
        remaining -= size
        if remaining < 0:
            return count
    return len(sizes)


def _encode(value: object) -> str:
    return well_formed(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
