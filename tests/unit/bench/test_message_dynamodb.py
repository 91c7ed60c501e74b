"""The bench's DynamoDB: whole tables by pages and segments, each row once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.message.dynamodb import page
from nwchat.keys import is_expired
from nwchat.rows import expiry_of


def pages(table: str, segment: int = 0, segments: int = 1) -> Iterator[Any]:
    start = ""
    while True:
        answer = json.loads(page(table, segment, segments, start))
        yield answer
        if not (last := answer.get("LastEvaluatedKey")):
            return
        start = last["connection_id"]["S"]


def ids(table: str, segment: int = 0, segments: int = 1) -> list[str]:
    return [
        row["connection_id"]["S"] for answer in pages(table, segment, segments) for row in answer["Items"]
    ]


def test_a_table_is_as_large_as_its_name_says_in_pages_of_a_megabyte() -> None:
    assert len(set(ids("rows-10000"))) == len(ids("rows-10000")) == 10_000
    assert [each["Count"] for each in pages("rows-10000")] == [4032, 4032, 1936]


@pytest.mark.parametrize("table", ["rows-0", "rows-3", "rows-5000"])
def test_segments_together_are_the_table(table: str) -> None:
    parts = [each for segment in range(4) for each in ids(table, segment, 4)]
    assert sorted(parts) == sorted(ids(table))
    assert len(parts) == int(table.removeprefix("rows-"))


def test_nobody_in_it_has_expired() -> None:
    (row,) = json.loads(page("rows-1", 0, 1, ""))["Items"]
    assert not is_expired(expiry_of(row), 2_500_000_000_000)
