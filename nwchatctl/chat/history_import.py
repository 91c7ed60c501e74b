"""Reads messages from files: lines of `history export`, arrays of any layout, or the site's
`{"new_chats": {"chats": […]}}`.

Nothing in a file is trusted, and what is no message affects no other. A message keeps its id; one without
gets an id derived from its content, so that the same file gives the same ids at every import.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias

from nwchat.model.ids import RANDOM_BYTES, is_ulid, ulid, ulid_time
from nwchat.model.wire import Message, well_formed
from nwchatctl.chat.json_values import InvalidJson, read_values
from nwchatctl.timestamps import LAST_MS, parse_ms

MAX_ITEM_BYTES = 400 * 1024 - 512
"""The maximum of bytes of a message and its names: DynamoDB's limit of an item, less keys, numbers and
attribute names."""


_MAX_REMEMBERED = 4096
"""The number of messages without an id that are remembered, to distinguish identical ones."""

_LISTS = ("new_chats", "chats")
_UNAMES, _SENDERS, _NUMBERS = ("uname", "username", "name"), ("sender_id", "user_id"), ("chat_id", "id")


@dataclass(frozen=True, slots=True)
class FileMessage:
    """A message as it is in the file. `line` is where it begins, `item` its number in an array, 0 outside of
    one."""

    message: Message
    line: int = field(default=0, compare=False)
    item: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class InvalidLine:
    """What cannot be imported, in the line `number`; `item` as in FileMessage. `keys` are those of an object
    that is none of ours."""

    number: int
    reason: str
    item: int = field(default=0, compare=False)
    keys: tuple[str, ...] = field(default=(), compare=False)

    @property
    def place(self) -> str:
        """`line 3`, or `line 1, item 17` in an array."""
        return f"line {self.number}" + (f", item {self.item}" if self.item else "")


ReadResult: TypeAlias = FileMessage | InvalidLine


class InvalidMessage(ValueError):
    """The reason why an object is no message."""


# What a file holds ----------------------------------------------------------------------------


def read(source: BinaryIO, latest_ms: int = LAST_MS) -> Iterator[ReadResult]:
    """Every message of `source`, and everything that is none. The memory does not grow with the file.

    A message later than `latest_ms` (epoch ms) is invalid: a client that asks for messages after it would get
    none until then.
    """
    make_id = IdGenerator()
    for each in read_values(source, _LISTS):
        if isinstance(each, InvalidJson):
            yield InvalidLine(each.line, each.reason, each.item)
            continue
        try:
            message = _message(each.value, make_id, latest_ms)
        except InvalidMessage as unfit:
            keys = tuple(each.value) if isinstance(each.value, dict) else ()
            yield InvalidLine(each.line, str(unfit), each.item, keys)
        else:
            yield FileMessage(message, each.line, each.item)


def _message(value: object, make_id: IdGenerator, latest_ms: int) -> Message:
    if not isinstance(value, dict):
        raise InvalidMessage("not an object")
    message = message_of(value, make_id)
    if max(message.date, ulid_time(message.id)) > latest_ms:
        raise InvalidMessage("its time is yet to come")
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
