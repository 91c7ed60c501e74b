"""The rows of budgets: what senders spent, frames beyond a budget, and the open connections of an address.

What senders spent and their connections are rows of the messages table, because scans of the connections
table read every row. Nothing here keeps anyone out because of an error: it is logged, and counts as "within
the budget". The client is used by several threads.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from nwchat.log import Log
from nwchat.model.budget import (
    SOCKETS_ID,
    BudgetWindow,
    entries_of,
    expired_entries,
    socket_entry,
    window_at,
)
from nwchat.model.ids import CONNECTION_SECONDS
from nwchat.model.limits import Limits

if TYPE_CHECKING:
    from nwchat.storage.dynamodb_client import DynamoDb

_THREADS = 4
_WAIT_SECONDS = 1.0
"""How long a sender waits for its budget: a write takes about 5 ms."""
_ATTEMPTS = 3
MANY = 1 << 30
"""The number of refused frames of a connection without a row: it is closed already, or has to reconnect."""


class Charge:
    """A write of a budget in progress; `future` has what the sender has spent in the window."""

    def __init__(
        self, future: Future[int] | None, window: BudgetWindow, now_ms: int, most: int, log: Log
    ) -> None:
        self._future = future
        self._window = window
        self._now_ms = now_ms
        self._most = most
        self._log = log

    def retry_after(self) -> int | None:
        """Wait for the write. Seconds until the sender may continue; None while it is within its budget.

        Also None, with a warning in the log, when the write failed or takes too long.
        """
        if self._future is None:
            return None
        try:
            spent = self._future.result(_WAIT_SECONDS)
        except Exception:
            self._log.warning("the budget cannot be counted: nobody is limited", exc_info=True)
            return None
        return self._window.retry_after(self._now_ms) if spent > self._most else None


class Budgets:
    """Counts in both tables, with a DynamoDB client. Only `Charge` waits for other threads."""

    def __init__(self, client: DynamoDb, connections_table: str, messages_table: str) -> None:
        self._client = client
        self._connections = connections_table
        self._messages = messages_table
        self._executor: ThreadPoolExecutor | None = None

    def charge(self, room: str, price: int, now_ms: int, limits: Limits, log: Log) -> Charge:
        """Begin to add `price` to what the sender has spent, and return at once.

        `room` is a `sender_room`; "" charges no one.
        """
        window = window_at(now_ms, limits)
        future = self._submit(room, window, price) if room else None
        return Charge(future, window, now_ms, limits.sender_messages, log)

    def _submit(self, room: str, window: BudgetWindow, price: int) -> Future[int]:
        # Not created at import: threads do not survive a snapshot of the process.
        if self._executor is None:
            self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="budget")
        return self._executor.submit(self._spend, room, window, price)

    def _spend(self, room: str, window: BudgetWindow, price: int) -> int:
        answer: Any = self._client.update_item(
            TableName=self._messages,
            Key={"room": {"S": room}, "id": {"S": window.id}},
            UpdateExpression="SET expires_at = :expires ADD spent :price",
            ExpressionAttributeValues={
                ":expires": {"N": str(window.expires_at)},
                ":price": {"N": str(price)},
            },
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["spent"]["N"])

    def count_refusal(self, connection_id: str, now_ms: int, limits: Limits) -> int:
        """Count a frame of the connection beyond a budget; how many there were in this window.

        `MANY` when the connection has no row: $connect stores it before the first frame. Raises the
        client's errors.
        """
        window = window_at(now_ms, limits).id
        for opening in (False, True) * _ATTEMPTS:
            row = self._count_refusal(connection_id, window, opening)
            if row is None:
                continue
            return int(row["refused_count"]["N"]) if row else MANY
        return MANY

    def _count_refusal(self, connection_id: str, window: str, opening: bool) -> dict[str, Any] | None:
        """The counted attributes; {} without a row; None when another window (or, with `opening`, this one)
        is stored."""
        change, condition = (
            ("SET refused_window = :window, refused_count = :one", "NOT refused_window = :window")
            if opening
            else ("SET refused_count = refused_count + :one", "refused_window = :window")
        )
        try:
            answer: Any = self._client.update_item(
                TableName=self._connections,
                Key={"connection_id": {"S": connection_id}},
                UpdateExpression=change,
                ConditionExpression=f"attribute_exists(connection_id) AND {condition}",
                ExpressionAttributeValues={":window": {"S": window}, ":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as failed:
            response: Any = failed.response
            return None if response.get("Item") else {}
        attributes: dict[str, Any] = answer["Attributes"]
        return attributes

    # Open connections of an address -----------------------------------------------------------

    def add_socket(self, room: str, connection_id: str, connected_at: int, now_ms: int, most: int) -> bool:
        """Add a connection to those of an address (`address_room`); False when it has `most` already.

        One write; three when the address has `most`, some of which have expired. Raises the client's errors.
        """
        entry = socket_entry(connection_id, connected_at)
        there = self._add_entry(room, entry, now_ms, most)
        if there is None:
            return True
        if not (expired := expired_entries(there, now_ms)):
            return False
        self._remove_entries(room, expired)
        return self._add_entry(room, entry, now_ms, most) is None

    def _add_entry(self, room: str, entry: str, now_ms: int, most: int) -> list[str] | None:
        """None when the entry was added or is there, otherwise the entries of the address."""
        try:
            self._client.update_item(
                TableName=self._messages,
                Key={"room": {"S": room}, "id": {"S": SOCKETS_ID}},
                UpdateExpression="SET expires_at = :expires ADD entries :entry",
                ConditionExpression=(
                    "attribute_not_exists(entries) OR size(entries) < :most OR contains(entries, :text)"
                ),
                ExpressionAttributeValues={
                    ":expires": {"N": str(now_ms // 1000 + CONNECTION_SECONDS)},
                    ":entry": {"SS": [entry]},
                    ":text": {"S": entry},
                    ":most": {"N": str(most)},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as failed:
            response: Any = failed.response
            return list(response.get("Item", {}).get("entries", {}).get("SS", []))
        return None

    def remove_socket(self, room: str, connection_id: str, connected_at: int) -> None:
        """Remove a closed connection from those of its address, if it is there. Raises the client's errors.

        One write. A second one when $connect had another time of the connection than $disconnect has: that
        both are the same is not documented.
        """
        left = self._remove_entries(room, [socket_entry(connection_id, connected_at)])
        if others := entries_of(connection_id, left):
            self._remove_entries(room, others)

    def _remove_entries(self, room: str, entries: list[str]) -> list[str]:
        """The entries that are left."""
        try:
            answer: Any = self._client.update_item(
                TableName=self._messages,
                Key={"room": {"S": room}, "id": {"S": SOCKETS_ID}},
                UpdateExpression="DELETE entries :entries",
                ConditionExpression="attribute_exists(entries)",
                ExpressionAttributeValues={":entries": {"SS": entries}},
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return []
        return list(answer.get("Attributes", {}).get("entries", {}).get("SS", []))
