"""The bench's DynamoDB: whole tables by pages and segments, each row once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.message.dynamodb import response_body
from nwchat.model.ids import is_expired
from nwchat.model.rows import expiry_of, message_of

LATER_MS = 2_500_000_000_000


def pages(operation: str, table: str, **asked: Any) -> Iterator[dict[str, Any]]:
    request = {"TableName": table, **asked}
    while True:
        page = json.loads(response_body(operation, request))
        yield page
        if not (last := page.get("LastEvaluatedKey")):
            return
        request["ExclusiveStartKey"] = last


def ids(table: str, **asked: Any) -> list[str]:
    return [row["connection_id"]["S"] for page in pages("Scan", table, **asked) for row in page["Items"]]


def test_a_table_is_as_large_as_its_name_says_in_pages_of_a_megabyte() -> None:
    assert len(set(ids("rows-10000"))) == len(ids("rows-10000")) == 10_000
    assert [each["Count"] for each in pages("Scan", "rows-10000-connections")] == [4032, 4032, 1936]
    assert [each["Count"] for each in pages("Scan", "rows-10", Limit=4)] == [4, 4, 2]


@pytest.mark.parametrize("table", ["rows-0", "rows-3", "rows-5000"])
def test_segments_together_are_the_table(table: str) -> None:
    parts = [each for segment in range(4) for each in ids(table, Segment=segment, TotalSegments=4)]
    assert sorted(parts) == sorted(ids(table))
    assert len(parts) == int(table.removeprefix("rows-"))


def test_messages_come_in_the_order_of_their_ids_each_once() -> None:
    found = [message_of(row) for page in pages("Query", "chat-8000-messages") for row in page["Items"]]
    assert len(found) == 8000
    keys = [each.id for each in found]
    assert keys == sorted(set(keys))
    assert [each["Count"] for each in pages("Query", "chat-8000")] == [3495, 3495, 1010]


def test_nothing_in_it_has_expired_and_writes_succeed() -> None:
    for operation in ("Scan", "Query"):
        (page,) = pages(operation, "rows-1")
        (row,) = page["Items"]
        assert not is_expired(expiry_of(row), LATER_MS)
    assert response_body("DeleteItem", {"TableName": "rows-1"}) == b"{}"
