from __future__ import annotations

from typing import Any

import pytest

from nwchat.model import rows
from nwchat.model.ids import first_ulid
from nwchat.model.limits import Window
from nwchat.model.paging import page_of
from nwchat.model.rows import Connection
from nwchat.model.wire import Message, Page

FULL = Connection("c=", 5, 6, "1.2.3.4", "agent", "u", "7", 8)
A, B, C, D = (Message(first_ulid(ms), "hi", "u", "1", ms) for ms in (1, 2, 3, 4))


def test_connection_rows() -> None:
    assert rows.connection_of(rows.connection_row(FULL)) == FULL
    assert rows.connection_row(Connection("c")) == {"connection_id": {"S": "c"}}
    assert rows.connection_of({"connection_id": {"S": "c"}}) == Connection("c")


@pytest.mark.parametrize("odd", [{"N": "1.5"}, {"S": "soon"}, {"BOOL": True}, {"NULL": True}, {"M": {}}])
def test_a_strange_attribute_counts_as_absent(odd: dict[str, Any]) -> None:
    row = {"connection_id": {"S": "c"}, "connected_at": odd, "expires_at": odd, "rate_count": odd}
    assert rows.connection_of(row) == Connection("c")
    assert rows.window_of(row) is None


def test_a_number_that_was_stored_as_text_and_the_other_way_round() -> None:
    row = {"connection_id": {"S": "c"}, "connected_at": {"S": "5"}, "sender_id": {"N": "128274"}}
    assert rows.connection_of(row) == Connection("c", connected_at=5, sender_id="128274")


def test_the_window_in_a_row() -> None:
    assert rows.window_of({"rate_started_at": {"N": "5"}, "rate_count": {"N": "2"}}) == Window(5, 2)
    assert rows.window_of({"rate_started_at": {"N": "5"}}) is None


def test_message_rows() -> None:
    announcement = Message(first_ulid(9), "é", "u", "7", 9, "announcement")
    for message in (A, announcement):
        assert rows.message_of(rows.message_row(message, 77)) == message
    assert rows.expiry_of(rows.message_row(A, 77)) == 77
    assert rows.message_row(A, 77)["room"] == {"S": "main"}
    assert rows.message_of({"id": {"S": first_ulid(9)}}) == Message(first_ulid(9), "", "", "", 9)
    assert rows.message_of({"id": {"S": "-"}, "type": {"S": "other"}}) == Message("-", "", "", "", 0)


@pytest.mark.parametrize(
    ("found", "before", "after", "page"),
    [
        ([], None, None, Page()),
        ([], None, "x", Page()),
        ([C, B], None, None, Page((B, C))),
        ([D, C, B], None, None, Page((C, D), before=C.id)),
        ([B, A], C.id, None, Page((A, B), after=B.id)),
        ([C, B, A], D.id, None, Page((B, C), before=B.id, after=C.id)),
        ([B, C], None, A.id, Page((B, C), before=B.id)),
        ([B, C, D], None, A.id, Page((B, C), before=B.id, after=C.id)),
        ([B, C], D.id, A.id, Page((B, C), before=B.id)),
    ],
)
def test_pages(found: list[Message], before: str | None, after: str | None, page: Page) -> None:
    assert page_of(found, 2, before=before, after=after) == page
