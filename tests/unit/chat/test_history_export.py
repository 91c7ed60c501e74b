"""The history as a file, and a file that was left half-written."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.model.ids import ulid
from nwchat.model.wire import Message
from nwchatctl.chat.history_export import KEYS, line, truncate_partial_line, whole_lines, write
from nwchatctl.errors import ChatError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def message(number: int, text: str = "text") -> Message:
    return Message(ulid(number, bytes(10)), text, "u", "1", number)


def test_a_message_is_a_line_of_ascii() -> None:
    written = line(message(5, "a\nb\u202e\x9bü\u2028"))
    assert written.isascii()
    assert written.count(b"\n") == 1
    found = json.loads(written)
    assert tuple(found) == KEYS
    assert (found["message"], found["date"]) == ("a\nb\u202e\x9bü\u2028", "5")


def test_each_page_is_written_and_counted() -> None:
    file = io.BytesIO()
    counts: list[int] = []
    write([[message(1), message(2)], [], [message(3)]], file, counts.append)
    assert counts == [2, 0, 1]
    assert file.getvalue() == b"".join(line(message(each)) for each in (1, 2, 3))


@given(st.lists(TEXTS, max_size=5), st.integers(0, 3000))
def test_export_resumes_after_last_complete_line(texts: list[str], cut: int) -> None:
    lines = [line(message(number, text)) for number, text in enumerate(texts)]
    file = io.BytesIO(b"".join(lines)[:cut])
    size = len(file.getvalue())
    kept = sum(each for each, _ in enumerate(lines, 1) if len(b"".join(lines[:each])) <= size)
    whole = [each for each in range(len(lines) + 1) if len(b"".join(lines[:each])) <= size][-1]
    assert kept >= whole
    assert truncate_partial_line(file) == (message(whole - 1).id if whole else None)
    assert file.getvalue() == b"".join(lines[:whole])
    assert file.tell() == len(file.getvalue())


def test_lines_longer_than_a_block() -> None:
    long, short = line(message(1, "x" * 400_000)), line(message(2))
    assert whole_lines(io.BytesIO(short + long)) == (len(short + long), long)
    assert whole_lines(io.BytesIO(long + short + long[:-1])) == (len(long + short), short)
    assert whole_lines(io.BytesIO(b"")) == (0, b"")


@pytest.mark.parametrize(
    "content",
    [
        b"a letter to a friend",
        b"a letter\nto a friend\n",
        b'{"id": 5, "message": "x"}\n',
        b'{"id": "x"}\n',
        b"[1]\n",
        line(message(1)) + b"more",
        b"x" * 9_000_000,
        b"\n",
        b"[" * 5000 + b"\n",
    ],
)
def test_other_file_is_not_overwritten(content: bytes) -> None:
    file = io.BytesIO(content)
    with pytest.raises(ChatError) as caught:
        truncate_partial_line(file)
    assert caught.value.code == "not_an_export"
    assert file.getvalue() == content
