"""Scans of the connections table for a fan-out: in segments, and with only the needed attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nwchat.model.bans import is_user
from nwchat.model.ids import is_expired
from nwchat.model.rows import CONNECTION_KEYS, Recipient, Row, expiry_of, text_in
from nwchat.values import dataclass

if TYPE_CHECKING:
    from nwchat.storage.dynamodb_client import DynamoDb

_USER_KEYS = (*CONNECTION_KEYS, "sender_id", "uname", "proven")


@dataclass(frozen=True, slots=True)
class ScanSegment:
    """One of `total` segments of a scan; `start` is the id to continue after, "" for the beginning."""

    number: int = 0
    total: int = 1
    start: str = ""


@dataclass(frozen=True, slots=True)
class ScanPage:
    """A page of a segment: its recipients, and the rest of the segment; None at its end."""

    recipients: Sequence[Recipient]
    remainder: ScanSegment | None


def scan(
    client: DynamoDb,
    table: str,
    segment: ScanSegment,
    now_ms: int,
    *,
    consistent: bool = False,
    user: str = "",
    proven: bool = False,
    expired: bool = False,
    with_names: bool = False,
    page_size: int | None = None,
) -> Iterator[ScanPage]:
    """The live connections of one segment, a page (1 MB of the table, or `page_size` rows) at a time.

    `user`: only connections with that sender_id or name, compared as bans are; with `proven`, only those with
    exactly that sender_id by a token. `expired`: include rows that TTL has not deleted yet. `with_names`:
    rows contain sender_id and name even without `user`. Without `consistent`, at half the price, connections
    made within the last second may be missing.
    """
    names = _USER_KEYS if user or with_names else CONNECTION_KEYS
    request: dict[str, Any] = {
        "TableName": table,
        "ProjectionExpression": ", ".join(names),
        "ConsistentRead": consistent,
    }
    if segment.total > 1:
        request |= {"Segment": segment.number, "TotalSegments": segment.total}
    if page_size is not None:
        request["Limit"] = page_size
    start = segment.start
    while True:
        if start:
            request["ExclusiveStartKey"] = {"connection_id": {"S": start}}
        answer = client.scan(**request)
        last = answer.get("LastEvaluatedKey")
        start = str(last["connection_id"]["S"]) if last else ""
        rows: Sequence[Row] = answer.get("Items", [])
        if not expired:
            rows = [row for row in rows if not is_expired(expiry_of(row), now_ms)]
        if user:
            rows = [row for row in rows if _is_of_user(row, user, proven)]
        recipients = [Recipient(row["connection_id"]["S"], row) for row in rows]
        yield ScanPage(recipients, ScanSegment(segment.number, segment.total, start) if start else None)
        if not start:
            return


def recipients_of(pages: Iterator[ScanPage]) -> Iterator[Sequence[Recipient]]:
    """The recipients of each page."""
    return (page.recipients for page in pages)


def _is_of_user(row: Row, user: str, proven: bool) -> bool:
    if proven:
        return row.get("proven") == {"BOOL": True} and text_in(row, "sender_id") == user
    return is_user(user, text_in(row, "sender_id"), text_in(row, "uname"), exact=False)
