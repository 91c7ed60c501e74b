"""Conversion between table rows (DynamoDB's typed JSON) and values. Pure.

Readers require only a row's key: any other attribute may be missing or of another type, because adopted
tables and console edits produce such rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from nwchat.model.identity import address_in
from nwchat.model.ids import ROOM, is_ulid, ulid_time
from nwchat.model.limits import Window
from nwchat.model.wire import Message, well_formed
from nwchat.values import dataclass

Row: TypeAlias = Mapping[str, Any]

_MAX_USER_AGENT = 256

CONNECTION_KEYS = ("connection_id", "connected_at", "last_seen_at", "expires_at")
"""The attributes of a connection that a fan-out reads."""


class Recipient(NamedTuple):
    """A connection of a fan-out: its id, and its row as read (at least `CONNECTION_KEYS`).

    `note` is for the reader's own use.
    """

    connection_id: str
    row: Row = MappingProxyType({})
    note: Any = None

    @property
    def connected_at(self) -> int | None:
        """Epoch ms; None when the row has no readable time."""
        return number_in(self.row, "connected_at")


def recipient(connection_id: str, connected_at: int) -> Recipient:
    """A recipient whose row was not read, from the data of an event."""
    return Recipient(connection_id, {"connected_at": {"N": str(connected_at)}})


@dataclass(frozen=True, slots=True)
class Connection:
    """A row of the connections table. `*_at` are epoch ms, except `expires_at` in epoch seconds.

    `proven`: `uname` and `sender_id` come from a token; otherwise they are the client's claims.
    """

    connection_id: str
    connected_at: int | None = None
    expires_at: int | None = None
    source_ip: str = ""
    user_agent: str = ""
    uname: str = ""
    sender_id: str = ""
    last_seen_at: int | None = None
    proven: bool = False


def connection_row(connection: Connection) -> dict[str, Any]:
    """The attributes to store; those without a value are omitted."""
    row: dict[str, Any] = {"connection_id": {"S": connection.connection_id}}
    for name in ("source_ip", "user_agent", "uname", "sender_id"):
        if value := getattr(connection, name):
            row[name] = {"S": value}
    for name in ("connected_at", "expires_at", "last_seen_at"):
        if (number := getattr(connection, name)) is not None:
            row[name] = {"N": str(number)}
    if connection.proven:
        row["proven"] = {"BOOL": True}
    return row


def connection_of(row: Row) -> Connection:
    return Connection(
        connection_id=text_in(row, "connection_id"),
        connected_at=number_in(row, "connected_at"),
        expires_at=number_in(row, "expires_at"),
        source_ip=text_in(row, "source_ip"),
        user_agent=text_in(row, "user_agent"),
        uname=text_in(row, "uname"),
        sender_id=text_in(row, "sender_id"),
        last_seen_at=number_in(row, "last_seen_at"),
        proven=row.get("proven") == {"BOOL": True},
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """What API Gateway knows of a connection: its address, its user agent, and whether a token proved its
    names."""

    source_ip: str = ""
    user_agent: str = ""
    proven: bool = False


@dataclass(frozen=True, slots=True)
class KeptAttributes:
    """The end of an UpdateItem's SET clause, and its values."""

    update: str
    values: dict[str, Any]


def kept_attributes(origin: Origin) -> KeptAttributes:
    """The update that gives a row its origin where it has none.

    `proven` always follows the message that sets the names: names that a client claims never keep the mark of
    a token.
    """
    texts = {name: text for name in ("source_ip", "user_agent") if (text := getattr(origin, name))}
    update = "".join(f", {name} = if_not_exists({name}, :{name})" for name in texts)
    values: dict[str, Any] = {f":{name}": {"S": text} for name, text in texts.items()}
    if origin.proven:
        return KeptAttributes(f"{update}, proven = :proven", {**values, ":proven": {"BOOL": True}})
    return KeptAttributes(f"{update} REMOVE proven", values)


def origin_of(request: Mapping[str, Any], *, proven: bool, user_agent: str = "") -> Origin:
    """The origin in an event's `requestContext`; `user_agent` is that of the headers, which only $connect
    has."""
    caller_fields = request.get("identity")
    caller = caller_fields if isinstance(caller_fields, Mapping) else {}
    agent = well_formed(str(caller.get("userAgent") or user_agent))
    return Origin(address_in(request), agent[:_MAX_USER_AGENT], proven)


def window_of(row: Row) -> Window | None:
    """The rate window in a connection's row; None when it has none."""
    started_at, count = number_in(row, "rate_started_at"), number_in(row, "rate_count")
    return None if started_at is None or count is None else Window(started_at, count)


def message_row(message: Message, expires_at: int) -> dict[str, Any]:
    """The attributes to store."""
    return {
        "room": {"S": ROOM},
        "id": {"S": message.id},
        "message": {"S": message.message},
        "uname": {"S": message.uname},
        "sender_id": {"S": message.sender_id},
        "date": {"N": str(message.date)},
        "type": {"S": message.type},
        "expires_at": {"N": str(expires_at)},
    }


def message_of(row: Row) -> Message:
    """A row as a message. A row without a date gets the time in its id."""
    key, date = text_in(row, "id"), number_in(row, "date")
    if date is None:
        date = ulid_time(key) if is_ulid(key) else 0
    return Message(
        id=key,
        message=text_in(row, "message"),
        uname=text_in(row, "uname"),
        sender_id=text_in(row, "sender_id"),
        date=date,
        type="announcement" if text_in(row, "type") == "announcement" else "message",
    )


def expiry_of(row: Row) -> int | None:
    """When the row expires, in epoch seconds; None for never."""
    return number_in(row, "expires_at")


def range_query(*, after: str | None, before: str | None) -> dict[str, Any]:
    """The Query parameters for the room's messages between two ids; None for no bound.

    BETWEEN includes its bounds, so the reader must drop them.
    """
    bounds = {":after": after, ":before": before}
    values = {name: {"S": bound} for name, bound in bounds.items() if bound is not None}
    condition = {
        (False, False): "room = :room",
        (True, False): "room = :room AND id > :after",
        (False, True): "room = :room AND id < :before",
        (True, True): "room = :room AND id BETWEEN :after AND :before",
    }[after is not None, before is not None]
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {":room": {"S": ROOM}, **values},
    }


def text_in(row: Row, name: str) -> str:
    """An attribute as text; "" when it is missing or neither a string nor a number."""
    attribute = row.get(name, {})
    value = attribute.get("S", attribute.get("N", "")) if isinstance(attribute, Mapping) else ""
    return value if isinstance(value, str) else ""


def number_in(row: Row, name: str) -> int | None:
    """An attribute as an integer; None when it is not one."""
    try:
        return int(text_in(row, name))
    except ValueError:
        return None
