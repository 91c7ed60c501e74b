"""Which messages are meant."""

from __future__ import annotations

import re

import pytest

from nwchat.model.ids import ulid
from nwchat.model.wire import Message
from nwchatctl.chat.history_filter import MessageFilter, Span, newest, select, span

MESSAGES = [
    Message(ulid(number, bytes(10)), text, name, sender, number)
    for number, (text, name, sender) in enumerate(
        [("hello", "tom", "1"), ("Hello", "ann", "2"), ("bye", "tom", "1"), ("hello", "1", "3")]
    )
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (MessageFilter(), [0, 1, 2, 3]),
        (MessageFilter(user="tom"), [0, 2]),
        (MessageFilter(user=" T\u200bOM"), [0, 2]),
        (MessageFilter(user="1"), [0, 2, 3]),
        (MessageFilter(grep=re.compile("^hel")), [0, 3]),
        (MessageFilter(grep=re.compile("(?i)hel")), [0, 1, 3]),
        (MessageFilter(user="2", grep=re.compile("bye")), []),
    ],
)
def test_those_wanted(wanted: MessageFilter, found: list[int]) -> None:
    assert [each.date for each in select([MESSAGES[:1], (), MESSAGES[1:]], wanted)] == found
    backwards = [MESSAGES[::-1][:3], MESSAGES[::-1][3:]]
    assert [each.date for each in newest(backwards, wanted, 2)] == found[-2:]
    assert bool(wanted) == (wanted != MessageFilter())


def test_no_more_is_read_than_needed() -> None:
    pages = iter([MESSAGES[2:], MESSAGES[:2]])
    assert len(newest(pages, MessageFilter(), 2)) == 2
    assert list(pages) == [MESSAGES[:2]]


def test_a_span_of_time_is_one_of_ids() -> None:
    assert span(None, None) == Span()
    assert span(0, None) == Span()
    part = span(1000, 2000)
    assert part.after is not None
    assert part.before is not None
    inside = [ulid(1000, bytes(10)), ulid(1999, b"\xff" * 10)]
    outside = [ulid(999, b"\xff" * 10), ulid(2000, bytes(10))]
    assert all(part.after < each < part.before for each in inside)
    assert not any(part.after < each < part.before for each in outside)
