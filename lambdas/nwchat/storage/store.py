"""The two tables. Takes a DynamoDB client, so the functions and the CLI share every query.

Raises the client's errors, except failed conditions, which are results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeAlias

from nwchat.model import bans, rows
from nwchat.model.ids import (
    DEDUP_ID,
    DEDUP_SECONDS,
    DedupKind,
    connection_expiry,
    dedup_room,
    is_expired,
)
from nwchat.model.limits import Limits, rate_window
from nwchat.model.paging import page_of
from nwchat.model.rows import Connection, Origin
from nwchat.model.wire import Message, Page
from nwchat.storage.batch_get import read_rows
from nwchat.storage.conflicts import retry_conflicts
from nwchat.storage.scan import ScanPage, ScanSegment, scan
from nwchat.values import dataclass

if TYPE_CHECKING:
    from nwchat.storage.dynamodb_client import DynamoDb

_ATTEMPTS = 5
# Another transaction on the same item, or a throttled partition: a retry may succeed.
_TRANSIENT = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


@dataclass(frozen=True, slots=True)
class Stored:
    """The message was stored under `id`."""

    id: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The message had been stored before, under `id`. `sent`: and it is known to be on its way."""

    id: str
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Dedup:
    """A deduplication key: within `seconds`, `owner` stores what has `digest` once under `key`.

    See `nwchat.model.ids.dedup_room`.
    """

    kind: DedupKind
    key: str
    seconds: int = DEDUP_SECONDS
    owner: str = ""
    digest: str = ""

    @property
    def room(self) -> str:
        """The partition key of the row."""
        return dedup_room(self.kind, self.key, self.owner, self.digest)


Appended: TypeAlias = Stored | Duplicate


class Store:
    """Queries of the connections and messages tables.

    `sleep` takes seconds and `jitter` returns [0, 1); both are used only to retry.
    """

    def __init__(
        self,
        client: DynamoDb,
        connections_table: str,
        messages_table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = SystemRandom().random,
    ) -> None:
        self._client = client
        self._connections = connections_table
        self._messages = messages_table
        self._sleep = sleep
        self._jitter = jitter

    def add_connection(self, connection: Connection) -> None:
        """Store a new connection."""
        self._client.put_item(TableName=self._connections, Item=rows.connection_row(connection))

    def remove_connection(self, connection_id: str) -> None:
        """Delete the connection's row, if it exists. Connection ids are never reused."""
        self._client.delete_item(TableName=self._connections, Key={"connection_id": {"S": connection_id}})

    def record_activity(
        self,
        connection_id: str,
        connected_at: int,
        uname: str,
        sender_id: str,
        now_ms: int,
        limits: Limits,
        *,
        origin: Origin = Origin(),
    ) -> bool:
        """Count one message of the connection; False when it exceeds the rate, and then nothing is written.

        One write for the first message of a rate window (the usual case), two otherwise. A missing row is
        created again, with its `origin`, so that a client that can send also receives. Concurrent messages
        are all counted."""
        span = limits.rate_seconds * 1000
        common: dict[str, Any] = {
            ":lo": now_ms - span + 1,
            ":hi": now_ms + span,
            ":now": now_ms,
            ":connected": connected_at,
            ":expires": connection_expiry(connected_at),
            ":one": 1,
        }
        values = {name: {"N": str(value)} for name, value in common.items()}
        values |= {":uname": {"S": uname}, ":sender": {"S": sender_id}}
        keep = rows.kept_attributes(origin)
        values |= keep.values
        opening = True
        for _ in range(_ATTEMPTS):
            wanted = values if opening else {**values, ":max": {"N": str(limits.rate_messages)}}
            old = self._count(connection_id, wanted, opening, keep.update)
            if old is None:
                return True
            window = rate_window(rows.window_of(old), now_ms, limits)
            if window is None:
                return False
            opening = window.count == 1
        # Concurrent messages of the connection have won every time: it is sending far too many.
        return False

    def _count(self, connection_id: str, values: dict[str, Any], opening: bool, keep: str) -> rows.Row | None:
        """None when the message was counted, otherwise the row that failed the condition."""
        if opening:
            count = "rate_started_at = :now, rate_count = :one"
            condition = (
                "attribute_not_exists(rate_started_at) OR attribute_not_exists(rate_count) "
                "OR NOT (rate_started_at BETWEEN :lo AND :hi)"
            )
        else:
            count = "rate_count = rate_count + :one"
            condition = "rate_started_at BETWEEN :lo AND :hi AND rate_count < :max"
        try:
            self._client.update_item(
                TableName=self._connections,
                Key={"connection_id": {"S": connection_id}},
                UpdateExpression=(
                    f"SET {count}, last_seen_at = :now, uname = :uname, sender_id = :sender, "
                    f"connected_at = if_not_exists(connected_at, :connected), expires_at = :expires{keep}"
                ),
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as failed:
            response: Any = failed.response
            old: rows.Row = response.get("Item", {})
            return old
        return None

    def connections(
        self,
        now_ms: int,
        *,
        full: bool = False,
        page_size: int | None = None,
    ) -> Iterator[tuple[Connection, ...]]:
        """All live connections, a tuple for each page of DynamoDB (1 MB, or `page_size` rows).

        Without `full`, only the attributes in `rows.CONNECTION_KEYS`. Eventually consistent, at half the
        price: connections made within the last second may be missing.
        """
        request: dict[str, Any] = {"TableName": self._connections}
        if not full:
            request["ProjectionExpression"] = ", ".join(rows.CONNECTION_KEYS)
        if page_size is not None:
            request["Limit"] = page_size
        while True:
            answer = self._client.scan(**request)
            found = (rows.connection_of(row) for row in answer.get("Items", []))
            yield tuple(each for each in found if not is_expired(each.expires_at, now_ms))
            if not (last := answer.get("LastEvaluatedKey")):
                return
            request["ExclusiveStartKey"] = last

    def scan(self, segment: ScanSegment, now_ms: int, **options: Any) -> Iterator[ScanPage]:
        """The live connections of one scan segment, for a fan-out; see `nwchat.storage.scan`."""
        return scan(self._client, self._connections, segment, now_ms, **options)

    def item_count(self) -> int:
        """The number of connections some hours ago: DynamoDB updates it about every six hours."""
        return int(self._client.describe_table(TableName=self._connections)["Table"].get("ItemCount", 0))

    def table_id(self) -> str:
        """The random id that DynamoDB gave to the connections table. Raises KeyError when it has none."""
        return str(self._client.describe_table(TableName=self._connections)["Table"]["TableId"])

    def report(self, room: str, name: str, value: Any) -> None:
        """Set one attribute of a broadcast's deduplication row; does nothing when the row does not exist.

        A write that meets a transaction on that row is retried.
        """
        try:
            retry_conflicts(
                self._client.update_item,
                self._sleep,
                self._jitter,
                TableName=self._messages,
                Key={"room": {"S": room}, "id": {"S": DEDUP_ID}},
                UpdateExpression="SET #name = :value",
                ConditionExpression="attribute_exists(room)",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":value": value},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def put_report(self, row: rows.Row) -> None:
        """Store a row of `segments.report_row`."""
        names = ("report", "expires_at")
        retry_conflicts(
            self._client.update_item,
            self._sleep,
            self._jitter,
            TableName=self._messages,
            Key={name: row[name] for name in ("room", "id")},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in names),
            ExpressionAttributeNames={f"#{name}": name for name in names},
            ExpressionAttributeValues={f":{name}": row[name] for name in names},
        )

    def bans(self, keys: Sequence[str]) -> list[rows.Row]:
        """The rows with those keys (`nwchat.model.bans`), including ended bans. Raises as `read_rows`."""
        return read_rows(self._client, self._messages, bans.ROOM, keys, self._sleep, self._jitter)

    def append(
        self,
        message: Message,
        expires_at: int,
        dedup: Dedup | None = None,
        *,
        renew: Callable[[Message], Message] = lambda message: message,
    ) -> Appended:
        """Store the message once; with `dedup`, in one transaction with its deduplication row.

        `expires_at` is epoch seconds. The message's date decides whether an earlier use of the key still
        counts. `renew` is called before each attempt and gives the message a new id if it has become late
        (`ids.is_late`); the result has the id under which the message is stored.
        """
        if dedup is not None:
            return self._append_once(message, expires_at, dedup, renew)
        message = renew(message)
        # No condition: the same id is the same message, so a write repeated by the client changes nothing.
        self._client.put_item(TableName=self._messages, Item=rows.message_row(message, expires_at))
        return Stored(message.id)

    def _append_once(
        self, message: Message, expires_at: int, dedup: Dedup, renew: Callable[[Message], Message]
    ) -> Appended:
        def write() -> None:
            nonlocal message
            message = renew(message)
            dedup_item = dedup_put(self._messages, dedup, message.id, message.date)
            dedup_item["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            put: Any = {"TableName": self._messages, "Item": rows.message_row(message, expires_at)}
            self._client.transact_write_items(TransactItems=[{"Put": dedup_item}, {"Put": put}])

        try:
            retry_conflicts(write, self._sleep, self._jitter, _is_transient)
        except self._client.exceptions.TransactionCanceledException as cancelled:
            earlier = _earlier(_reasons(cancelled.response))
            if earlier is None:
                raise
            return earlier
        return Stored(message.id)

    def mark_sent(self, message: Message, dedup: Dedup) -> None:
        """Note in the deduplication row that the stored `message` is on its way.

        Does nothing when the row is no longer there, or belongs to a later use of the key.
        """
        put = dedup_put(self._messages, dedup, message.id, message.date, sent={"BOOL": True})
        put["ConditionExpression"] = "message_id = :id"
        put["ExpressionAttributeValues"] = {":id": {"S": message.id}}
        try:
            self._client.put_item(**put)
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def message(self, message_id: str) -> Message | None:
        """The stored message with that id, read consistently; None when there is none."""
        found = self._rows(1, message_id, message_id, consistent=True)
        return next((rows.message_of(row) for row in found), None)

    def page(
        self,
        limit: int,
        now_ms: int,
        *,
        before: str | None = None,
        after: str | None = None,
        consistent: bool = False,
    ) -> Page:
        """At most `limit` messages, oldest first: the newest, those before or after an id, or those between.

        With `after` (also with `before`) the ones next to it, otherwise the newest. A page is short only when
        there are no more messages. `consistent` includes everything stored before, at twice the price.
        """
        if before is not None and after is not None and after >= before:
            return Page()
        found: list[Message] = []
        for row in self._rows(limit + 3, before, after, consistent):
            message = rows.message_of(row)
            if message.id not in (before, after) and not is_expired(rows.expiry_of(row), now_ms):
                found.append(message)
            if len(found) > limit:
                break
        return page_of(found, limit, before=before, after=after)

    def _rows(
        self, page_size: int, before: str | None, after: str | None, consistent: bool
    ) -> Iterator[rows.Row]:
        """The room's rows starting at the near end, including those of the bounds (`rows.range_query`)."""
        request: dict[str, Any] = {
            "TableName": self._messages,
            **rows.range_query(after=after, before=before),
            "ScanIndexForward": after is not None,
            "Limit": page_size,
            **({"ConsistentRead": True} if consistent else {}),
        }
        while True:
            answer = self._client.query(**request)
            yield from answer.get("Items", [])
            if not (last := answer.get("LastEvaluatedKey")):
                return
            request["ExclusiveStartKey"] = last


def dedup_put(table: str, dedup: Dedup, message_id: str, now_ms: int, **attributes: Any) -> Any:
    """The Put of a deduplication row, on the condition that no earlier use of the key still counts.

    `attributes` are added to the row, in DynamoDB's typed JSON.
    """
    now = now_ms // 1000
    return {
        "TableName": table,
        "Item": {
            "room": {"S": dedup.room},
            "id": {"S": DEDUP_ID},
            "message_id": {"S": message_id},
            "expires_at": {"N": str(now + dedup.seconds)},
            **attributes,
        },
        "ConditionExpression": "attribute_not_exists(room) OR expires_at <= :now",
        "ExpressionAttributeValues": {":now": {"N": str(now)}},
    }


def _reasons(response: Any) -> list[dict[str, Any]]:
    """Why a transaction was cancelled: one reason for each of its items, in order."""
    return list(response.get("CancellationReasons", []))


def _earlier(reasons: list[dict[str, Any]]) -> Duplicate | None:
    """The message in the existing deduplication row; None when the cause was another."""
    first = next(iter(reasons), {})
    if first.get("Code") != "ConditionalCheckFailed":
        return None
    row = first.get("Item", {})
    found = row.get("message_id", {}).get("S")
    return Duplicate(found, row.get("sent") == {"BOOL": True}) if isinstance(found, str) else None


def _is_transient(error: Exception) -> bool:
    """Whether a transaction was cancelled for a reason that may pass."""
    codes = {reason.get("Code") for reason in _reasons(getattr(error, "response", {}))} - {"None", None}
    return bool(codes) and codes <= _TRANSIENT
