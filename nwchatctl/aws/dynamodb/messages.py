"""The messages table, read and written in bulk; `nwchat.storage.store` is what the functions use.

Only the rows of the room are messages, and those of the room `deleted` the ids of deleted ones. The other
rows record used keys, and nothing here reads or deletes them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from nwchat.model import rows
from nwchat.model.ids import ROOM, is_expired
from nwchat.model.wire import Message
from nwchatctl.aws.core.retry import with_retries
from nwchatctl.aws.dynamodb.keys import can_be_key
from nwchatctl.chat.history_filter import MessageFilter, Span, newest
from nwchatctl.chat.history_store import BATCH, KnownMessages
from nwchatctl.chat.history_tail import MessagePage
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST_WAIT, LONGEST_WAIT = 0.05, 5.0
"""Seconds before unprocessed items are sent again; random between 0 and a maximum that doubles."""

MAX_FRUITLESS_ATTEMPTS = 20
"""Consecutive attempts without any processed item: more than half a minute."""


DELETED_ROOM = "deleted"
"""The partition of the ids that an operator has deleted: an import does not bring their messages back. A row
has an id, and the time at which the message would have expired."""


class Messages:
    """Reads are consistent, and leave out expired messages. `sleep` takes seconds, `jitter` returns [0,
    1)."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        clock_ms: Callable[[], int],
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._table = table
        self._clock_ms = clock_ms
        self._sleep = sleep
        self._jitter = jitter

    # Reading ----------------------------------------------------------------------------------

    def read(self, after: str, limit: int) -> MessagePage:
        """One query: at most `limit` rows after the id `after`. Errors are not retried."""
        response = self._client.query(**self._query(Span(after)), Limit=limit)
        last_key = response.get("LastEvaluatedKey")
        return MessagePage(
            self._live(response.get("Items", [])), str(last_key["id"]["S"]) if last_key else None
        )

    def last(self, limit: int, wanted: MessageFilter) -> list[Message]:
        """The newest `limit` messages that match, oldest first."""
        # With a filter, pages of 1 MB are read.
        return newest(self.newest_first(Span(), None if wanted else limit + 3), wanted, limit)

    def newest_first(self, span: Span, page_size: int | None = None) -> Iterator[tuple[Message, ...]]:
        """All of `span`, newest first, a tuple for each page (1 MB, or `page_size` rows)."""
        request = self._query(span) | {"ScanIndexForward": False}
        if page_size is not None:
            request["Limit"] = page_size
        return self._pages(request, span)

    def oldest_first(self, span: Span) -> Iterator[tuple[Message, ...]]:
        """All of `span`, a tuple for each page of 1 MB."""
        return self._pages(self._query(span), span)

    def get(self, key: str) -> Message | None:
        """The message with that id, expired or not; None if there is none."""
        row = self._row(key)
        return None if row is None else rows.message_of(row)

    def _row(self, key: str) -> rows.Row | None:
        if not can_be_key(key):
            return None
        response = with_retries(
            self._client.get_item, TableName=self._table, Key=_key(key), ConsistentRead=True
        )
        return response.get("Item")

    def known(self, keys: Sequence[str]) -> KnownMessages:
        """What the table has under these ids, at most BATCH of them; expired messages are left out."""
        found: list[rows.Row] = []
        attempts = self._attempts("answers no more reads of")
        wanted: Any = [_key(each, room) for room in (ROOM, DELETED_ROOM) for each in keys]
        while wanted:
            request: Any = {self._table: {"Keys": wanted, "ConsistentRead": True}}
            response = with_retries(self._client.batch_get_item, RequestItems=request)
            found += response.get("Responses", {}).get(self._table, [])
            unprocessed: Any = response.get("UnprocessedKeys", {}).get(self._table, {})
            left = unprocessed.get("Keys", [])
            attempts.wait(len(wanted), len(left))
            wanted = left
        deleted = frozenset(rows.text_in(row, "id") for row in found if row["room"] == {"S": DELETED_ROOM})
        stored = self._live([row for row in found if row["room"] == {"S": ROOM}])
        return KnownMessages({each.id: each for each in stored}, deleted)

    def keys(self, before: str) -> Iterator[str]:
        """The ids below `before`, oldest first, those of expired messages included."""
        request = self._query(Span(before=before)) | {"ProjectionExpression": "id"}
        return (
            str(row["id"]["S"]) for response in self._responses(request) for row in response.get("Items", [])
        )

    def count(self, before: str) -> int:
        """The number of ids that `keys` returns."""
        request = self._query(Span(before=before)) | {"Select": "COUNT"}
        return sum(int(response["Count"]) for response in self._responses(request))

    def oldest_of_newest(self, number: int) -> str | None:
        """The id of the oldest of the newest `number` messages; None if there are fewer."""
        left = number
        for page in self.newest_first(Span(), min(number + 3, 1000)):
            if left <= len(page):
                return page[left - 1].id
            left -= len(page)
        return None

    def _live(self, page: Sequence[rows.Row]) -> tuple[Message, ...]:
        now_ms = self._clock_ms()
        return tuple(rows.message_of(row) for row in page if not is_expired(rows.expiry_of(row), now_ms))

    def _pages(self, request: dict[str, Any], span: Span) -> Iterator[tuple[Message, ...]]:
        if span.after is not None and span.before is not None and span.after >= span.before:
            return
        for response in self._responses(request):
            # BETWEEN includes its bounds.
            found = self._live(response.get("Items", []))
            yield tuple(each for each in found if each.id not in (span.after, span.before))

    def _responses(self, request: dict[str, Any]) -> Iterator[Any]:
        while True:
            response = with_retries(self._client.query, **request)
            yield response
            if not (last_key := response.get("LastEvaluatedKey")):
                return
            request = {**request, "ExclusiveStartKey": last_key}

    def _query(self, span: Span) -> dict[str, Any]:
        between = rows.range_query(after=span.after, before=span.before)
        return {"TableName": self._table, "ConsistentRead": True, **between}

    # Writing ----------------------------------------------------------------------------------

    def put(self, messages: Iterable[tuple[Message, int]]) -> None:
        """Stores messages, each with its expiry in epoch seconds; replaces messages with the same id.

        At most BATCH messages with different ids. Raises ChatError `throttled`, or botocore's errors.
        """
        self._write([{"PutRequest": {"Item": rows.message_row(each, until)}} for each, until in messages])

    def delete(self, keys: Iterable[str]) -> Iterator[int]:
        """Deletes the messages with these ids, in order; yields the number after each batch. Raises the
        errors of `put`."""
        left = iter(keys)
        while batch := list(islice(left, BATCH)):
            self._write([{"DeleteRequest": {"Key": _key(each)}} for each in batch])
            yield len(batch)

    def delete_one(self, key: str) -> Message | None:
        """Deletes the message with that id, and records that; returns it, or None if there was none when it
        was read just before. If the answer to the deletion is lost, a repeated one would say that there was
        none."""
        row = self._row(key)
        if row is None:
            return None
        kept = {"expires_at": row["expires_at"]} if rows.expiry_of(row) is not None else {}
        # First: without a record, an import would undo the deletion.
        record = {**_key(key, DELETED_ROOM), **kept}
        with_retries(self._client.put_item, TableName=self._table, Item=record)
        with_retries(self._client.delete_item, TableName=self._table, Key=_key(key))
        return rows.message_of(row)

    def restore(self, keys: Sequence[str]) -> None:
        """Messages with these ids are no longer deleted. Raises the errors of `put`."""
        self._write([{"DeleteRequest": {"Key": _key(each, DELETED_ROOM)}} for each in keys])

    def _write(self, requests: Any) -> None:
        attempts = self._attempts("takes no more writes to")
        while requests:
            # Puts and deletes by key are idempotent.
            response = with_retries(self._client.batch_write_item, RequestItems={self._table: requests})
            left: Any = response.get("UnprocessedItems", {}).get(self._table, [])
            attempts.wait(len(requests), len(left))
            requests = left

    def _attempts(self, failure: str) -> _Attempts:
        return _Attempts(f"DynamoDB {failure} {self._table} for now", self._sleep, self._jitter)


class _Attempts:
    """Waits before the rest of a batch is sent again, for a bounded number of times without any success."""

    def __init__(self, failure: str, sleep: Callable[[float], None], jitter: Callable[[], float]) -> None:
        self._failure = failure
        self._sleep = sleep
        self._jitter = jitter
        self._fruitless, self._max_wait = 0, FIRST_WAIT

    def wait(self, sent: int, left: int) -> None:
        """Waits if some are `left` of those that were `sent`. Raises ChatError `throttled`."""
        if left < sent:
            self._fruitless, self._max_wait = 0, FIRST_WAIT
        else:
            self._fruitless += 1
        if self._fruitless == MAX_FRUITLESS_ATTEMPTS:
            raise ChatError(
                self._failure,
                hint="run the command again in a minute: it goes on from there",
                code="throttled",
            )
        if left:
            self._sleep(self._jitter() * self._max_wait)
            self._max_wait = min(self._max_wait * 2, LONGEST_WAIT)


def _key(key: str, room: str = ROOM) -> Any:
    return {"room": {"S": room}, "id": {"S": key}}
