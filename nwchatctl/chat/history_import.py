"""Reads messages from files: lines of `history export`, or the site's `{"new_chats": {"chats": […]}}`.

Nothing in a file is trusted, and a bad line affects no other. A message keeps its id; one without gets an id
derived from its content, so that the same file gives the same ids at every import.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import BinaryIO, TypeAlias

from nwchat.model.ids import RANDOM_BYTES, is_ulid, ulid, ulid_time
from nwchat.model.wire import Message, well_formed
from nwchatctl.chat.history_export import MAX_LINE_BYTES
from nwchatctl.errors import ChatError, Exit
from nwchatctl.timestamps import LAST_MS, parse_ms

MAX_SITE_BYTES = 16 * 1024 * 1024
"""The maximum of bytes of a file that is one object, which is read as a whole: some 80,000 chats."""

MAX_ITEM_BYTES = 400 * 1024 - 512
"""The maximum of bytes of a message and its names: DynamoDB's limit of an item, less keys, numbers and
attribute names."""


_MAX_REMEMBERED = 4096
"""The number of messages without an id that are remembered, to distinguish identical ones."""

_UNAMES, _SENDERS, _NUMBERS = ("uname", "username", "name"), ("sender_id", "user_id"), ("chat_id", "id")


@dataclass(frozen=True, slots=True)
class InvalidLine:
    """A line that cannot be imported: `number` is that of the line (of the chat, in the site's object)."""

    number: int
    reason: str


ReadResult: TypeAlias = Message | InvalidLine


class InvalidMessage(ValueError):
    """The reason why an object is no message."""


# What a file holds ----------------------------------------------------------------------------


def read(source: BinaryIO, latest_ms: int = LAST_MS) -> Iterator[ReadResult]:
    """Every message of `source`, and every invalid line; reads line by line except for the site's object.

    A message later than `latest_ms` (epoch ms) is invalid: a client that asks for messages after it would get
    none until then.
    """
    lines = _lines(source)
    first = next((each for each in lines if each[1] is None or each[1].strip()), None)
    if first is None:
        return
    site_content = _site(first[1], source) if first[1] is not None else None
    parse = partial(_read, make_id=IdGenerator(), latest_ms=latest_ms)
    match site_content:
        case list():
            for number, chat in enumerate(site_content, 1):
                yield parse(number, chat)
            # If the object was a single line, others may follow.
            yield from _read_lines(lines, parse)
        case bytes():
            # It is not the site's object.
            yield from _read_lines(enumerate(site_content.splitlines(keepends=True), first[0]), parse)
        case None:
            yield from _read_lines(chain((first,), lines), parse)


def _lines(source: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None for one that is longer than any message."""
    number = 0
    # The first line may be the site's whole object.
    while text := source.readline(MAX_LINE_BYTES + 1 if number else MAX_SITE_BYTES + 1):
        number += 1
        if len(text) > (MAX_LINE_BYTES if number > 1 else MAX_SITE_BYTES):
            while not text.endswith(b"\n") and (text := source.readline(MAX_LINE_BYTES)):
                continue
            yield number, None
        else:
            yield number, text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text


def _site(first: bytes, source: BinaryIO) -> list[object] | bytes | None:
    """The chats of the site's object, if `first` begins one; the bytes read so far, if it turns out to be
    none; None if the line itself shows that it is none."""
    try:
        return chats_of(json.loads(first))
    except (ValueError, RecursionError):
        start = first.strip()
    if start not in (b"{", b"[") and not re.match(rb'\{\s*"(new_chats|chats)"', start):
        return None
    text = first + source.read(MAX_SITE_BYTES + 1)
    if len(text) > MAX_SITE_BYTES:
        raise ChatError(
            f"an object of several lines is at most {MAX_SITE_BYTES // 1024 // 1024} MB",
            hint="give one message a line (jq -c '.new_chats.chats[]')",
            code="import_too_large",
            exit_code=Exit.USAGE,
        )
    try:
        found = chats_of(json.loads(text))
    except (ValueError, RecursionError):
        found = None
    return text if found is None else found


def chats_of(value: object) -> list[object] | None:
    """The list in `{"new_chats": {"chats": […]}}`, in `{"chats": […]}` or by itself; None without one."""
    for key in ("new_chats", "chats"):
        if isinstance(value, dict) and key in value and "message" not in value:
            value = value[key]
    return value if isinstance(value, list) else None


def _read_lines(
    lines: Iterable[tuple[int, bytes | None]], parse: Callable[[int, object], ReadResult]
) -> Iterator[ReadResult]:
    for number, text in lines:
        if text is None:
            yield InvalidLine(number, f"longer than {MAX_LINE_BYTES} bytes")
            continue
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            yield InvalidLine(number, "not JSON" if text.endswith(b"\n") else "not JSON, or cut off")
            continue
        chats = chats_of(value)
        for each in [value] if chats is None else chats:
            yield parse(number, each)


def _read(number: int, value: object, make_id: IdGenerator, latest_ms: int) -> ReadResult:
    if not isinstance(value, dict):
        return InvalidLine(number, "not an object")
    try:
        message = message_of(value, make_id)
    except InvalidMessage as unfit:
        return InvalidLine(number, str(unfit))
    if max(message.date, ulid_time(message.id)) > latest_ms:
        return InvalidLine(number, "its time is yet to come")
    return message


# What a message is ----------------------------------------------------------------------------


def message_of(fields: Mapping[str, object], make_id: Callable[[Message, int | None], str]) -> Message:
    """A message in the export's, the site's or a client's spelling; `make_id` makes an id for one without.
    Raises InvalidMessage."""
    text = fields.get("message")
    if not isinstance(text, str):
        raise InvalidMessage("message must be a string")
    key = fields.get("id")
    given_id = key if isinstance(key, str) and is_ulid(key) else ""
    if not given_id and not text.strip():
        raise InvalidMessage("the message is empty")
    message = Message(
        id=given_id,
        message=well_formed(text),
        uname=_name(fields, _UNAMES),
        sender_id=_name(fields, _SENDERS),
        date=_date(fields.get("date"), given_id),
        type="announcement" if fields.get("type") == "announcement" else "message",
    )
    if (
        sum(len(each.encode()) for each in (message.message, message.uname, message.sender_id))
        > MAX_ITEM_BYTES
    ):
        raise InvalidMessage("larger than the 400 KB that DynamoDB takes")
    if given_id:
        return message
    return Message(
        make_id(message, _number(fields)),
        message.message,
        message.uname,
        message.sender_id,
        message.date,
        message.type,
    )


def _name(fields: Mapping[str, object], keys: tuple[str, ...]) -> str:
    for key in keys:
        match fields.get(key):
            case None:
                continue
            case str() as text:
                return well_formed(text)
            case int() as number if not isinstance(number, bool):
                return str(number)
            case _:
                raise InvalidMessage(f"{key} must be a string")
    return ""


def _number(fields: Mapping[str, object]) -> int | None:
    """The message's number in the site's database."""
    for key in _NUMBERS:
        value = str(fields.get(key, ""))
        if re.fullmatch(r"[0-9]{1,12}", value):
            return int(value)
    return None


def _date(value: object, key: str) -> int:
    """Epoch ms from epoch ms, epoch seconds or ISO 8601, which is UTC without an offset: a file means the
    same on every machine. Beside one of the chat's own ids it is always ms, and optional."""
    if value is None and key:
        return ulid_time(key)
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    ms = int(text) if key and re.fullmatch(r"[0-9]{1,15}", text) else parse_ms(text)
    if ms is None or not 0 <= ms <= LAST_MS:
        raise InvalidMessage("date must be epoch milliseconds or ISO 8601")
    return ms


class IdGenerator:
    """Makes the same ids for the same messages: from the time, the content, and the number of identical
    messages before. The site's number, if any, precedes the content and so keeps the order of messages with
    the same time."""

    def __init__(self) -> None:
        self._alike: OrderedDict[bytes, int] = OrderedDict()

    def __call__(self, message: Message, number: int | None) -> str:
        said = [message.date, message.type, message.message, message.uname, message.sender_id, number]
        content = json.dumps(said).encode()
        digest = hashlib.sha256(content).digest()
        times = self._alike.pop(digest, -1) + 1
        self._alike[digest] = times
        if len(self._alike) > _MAX_REMEMBERED:
            self._alike.popitem(last=False)
        unique = hashlib.sha256(content + str(times).encode()).digest()
        if number is None:
            return ulid(message.date, unique[:RANDOM_BYTES])
        return ulid(message.date, number.to_bytes(5, "big") + unique[: RANDOM_BYTES - 5])
