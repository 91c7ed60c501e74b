"""Messages out of files: nothing is lost but what is no message, and nothing is stored twice."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.model.ids import is_ulid, ulid, ulid_time
from nwchat.model.wire import Message
from nwchatctl.chat.history_export import line
from nwchatctl.chat.history_import import InvalidLine, read
from nwchatctl.chat.json_values import MAX_VALUE_CHARS
from nwchatctl.timestamps import LAST_MS

NOW = 1_700_000_000_000
LIVE_CLIENT = {"message": "hi", "uname": "tchalvak", "date": "1681948677627", "sender_id": "128274"}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def reads(content: bytes | str, latest_ms: int = LAST_MS) -> list[Message | InvalidLine]:
    source = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return [each if isinstance(each, InvalidLine) else each.message for each in read(source, latest_ms)]


def lines(*values: Any) -> str:
    return "".join(json.dumps(each) + "\n" for each in values)


def one(**fields: Any) -> Message:
    (found,) = reads(lines({**LIVE_CLIENT, **fields}))
    assert isinstance(found, Message), found
    return found


messages = st.builds(
    Message,
    id=st.binary(min_size=10, max_size=10).map(lambda some: ulid(NOW, some)),
    message=TEXTS,
    uname=TEXTS,
    sender_id=TEXTS,
    date=st.integers(0, 253_402_300_799_999),
    type=st.sampled_from(("message", "announcement")),
)


@given(st.lists(messages, max_size=5))
def test_what_was_exported_comes_back_as_it_was(exported: list[Message]) -> None:
    assert reads(b"".join(map(line, exported))) == exported


SITE = {"new_chats": {"chats": [{**LIVE_CLIENT, "message": f"m{number}"} for number in range(3)]}}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(SITE),
        json.dumps(SITE) + "\n",
        json.dumps(SITE, indent=2),
        "\ufeff" + json.dumps(SITE),
        "\n\n" + json.dumps(SITE),
        json.dumps(SITE["new_chats"]),
        json.dumps(SITE["new_chats"]["chats"], indent=1),
        json.dumps({"other": 1, "new_chats": {"a": 1, **SITE["new_chats"]}}),
        lines(*SITE["new_chats"]["chats"]),
        '{"new_chats":\n{"chats":' + json.dumps(SITE["new_chats"]["chats"]) + "}}",
    ],
)
def test_the_sites_object_and_lines_are_the_same(content: str) -> None:
    found = reads(content)
    assert [each.message for each in found if isinstance(each, Message)] == ["m0", "m1", "m2"]
    assert found == reads(lines(*SITE["new_chats"]["chats"]))


def test_a_site_object_larger_than_any_value() -> None:
    chats = [{**LIVE_CLIENT, "message": "x" * 1000 + str(number)} for number in range(5000)]
    content = json.dumps({"version": 2, "new_chats": {"more": [1], "chats": chats}, "unread": {"a": []}})
    assert len(content) > MAX_VALUE_CHARS
    found = reads(content + "\n" + lines(LIVE_CLIENT))
    assert len(found) == 5001
    assert not any(isinstance(each, InvalidLine) for each in found)


def test_what_the_live_client_sends() -> None:
    found = one()
    assert is_ulid(found.id)
    assert ulid_time(found.id) == 1681948677627
    assert found == Message(found.id, "hi", "tchalvak", "128274", 1681948677627)


@pytest.mark.parametrize(
    "date",
    [
        "1681948677000",
        1681948677000,
        1681948677000.0,
        "1681948677",
        1681948677,
        1681948677.0,
        "2023-04-19T23:57:57Z",
        "2023-04-19 23:57:57",
        "2023-04-20T01:57:57+02:00",
        "2023-04-19 23:57:57.000000+00",
        " 1681948677000 ",
    ],
)
def test_a_time_in_any_spelling(date: object) -> None:
    assert one(date=date).date == 1681948677000


def test_an_id_of_ours_is_kept_with_its_time() -> None:
    key = ulid(NOW, b"0123456789")
    assert one(id=key, date="5").date == 5
    assert one(id=key, date=None) == Message(key, "hi", "tchalvak", "128274", NOW)
    assert one(id=key, message="").message == ""


def test_optional_and_numeric_fields() -> None:
    (found,) = reads(lines({"message": "hi", "date": 1681948677627}))
    assert isinstance(found, Message)
    assert (found.uname, found.sender_id, found.type) == ("", "", "message")
    assert one(sender_id=128274).sender_id == "128274"
    assert one(uname=None, username="x").uname == "x"
    assert one(type="announcement").type == "announcement"
    assert one(type=["?"]).type == "message"


def test_text_stays_as_it_is() -> None:
    text = " <b>\x1b[2J\u202e ü "
    assert one(message=text).message == text
    assert one(message="a\ud800b").message == "a\ufffdb"


def test_the_same_file_gives_the_same_ids() -> None:
    content = lines(*[LIVE_CLIENT] * 3, {**LIVE_CLIENT, "message": "ho"}, LIVE_CLIENT)
    first = [each.id for each in reads(content) if isinstance(each, Message)]
    assert len(set(first)) == 5
    assert [each.id for each in reads(content) if isinstance(each, Message)] == first
    more = [each.id for each in reads(content + lines(LIVE_CLIENT)) if isinstance(each, Message)]
    assert more[:5] == first
    assert len(set(more)) == 6


def test_the_sites_numbers_keep_the_order_of_one_second() -> None:
    chats = [{**LIVE_CLIENT, "chat_id": number, "message": f"m{-number}"} for number in range(95, 120)]
    found = [each for each in reads(lines(*chats)) if isinstance(each, Message)]
    assert sorted(each.id for each in found) == [each.id for each in found]
    # Part of it, as a later file would have it, gives the same ids.
    assert reads(lines(*chats[7:9])) == found[7:9]
    assert one(id="9" * 5000).id != ""


GOOD = lines(LIVE_CLIENT).encode()

NO_TIMES: tuple[Any, ...] = (
    None,
    "",
    "soon",
    -1,
    "9" * 15,
    True,
    [],
    float("nan"),
    float("inf"),
    "9999-99-99",
)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"nothing\n", "not JSON"),
        (b"{\n", "not JSON"),
        (b"\xe4\n", "not UTF-8"),
        (b'{"message": "\xe4", "date": 1681948677}\n', "not UTF-8"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b"5\n", "not an object"),
        (b"{}\n", "message must be a string"),
        (lines({**LIVE_CLIENT, "message": 5}).encode(), "message must be a string"),
        (lines({**LIVE_CLIENT, "message": " \n"}).encode(), "the message is empty"),
        (lines({**LIVE_CLIENT, "uname": ["x"]}).encode(), "uname must be a string"),
        (lines({**LIVE_CLIENT, "sender_id": True}).encode(), "sender_id must be a string"),
        *[
            (lines({**LIVE_CLIENT, "date": date}).encode(), "date must be epoch milliseconds or ISO 8601")
            for date in NO_TIMES
        ],
        (
            lines({**LIVE_CLIENT, "message": "ü" * 205_000}).encode(),
            "larger than the 400 KB that DynamoDB takes",
        ),
        (
            b'{"message": "' + b"x" * 3 * MAX_VALUE_CHARS + b'"}\n',
            f"longer than {MAX_VALUE_CHARS} characters",
        ),
        (b'{"date": ' + b"9" * 5000 + b', "message": "x"}\n', "not JSON"),
    ],
)
def test_bad_line_is_reported_and_others_are_imported(bad: bytes, reason: str) -> None:
    good = reads(GOOD)
    assert reads(GOOD + bad + b"\n" + GOOD)[:2] == [good[0], InvalidLine(2, reason)]
    assert len(reads(GOOD + bad + b"\n" + GOOD)) == 3
    first = reads(bad + GOOD)
    assert first[-1:] == good
    assert first[:-1] == [InvalidLine(1, reason)]


def test_a_last_line_that_was_cut_off() -> None:
    assert reads(GOOD + GOOD[:-5])[1:] == [InvalidLine(2, "not JSON, or cut off")]
    assert len(reads(GOOD + GOOD.rstrip())) == 2


def test_empty_file_imports_nothing() -> None:
    assert reads("") == reads("\n \n") == reads('{"new_chats": {"chats": []}}') == []


def test_lines_after_the_sites_object_are_read_too() -> None:
    more = {"new_chats": {"chats": [{**LIVE_CLIENT, "message": "m3"}, "no chat"]}}
    content = lines(SITE, more, {**LIVE_CLIENT, "message": "m4"}) + "GARBAGE\n"
    found = reads(content)
    assert [each.message for each in found if isinstance(each, Message)] == ["m0", "m1", "m2", "m3", "m4"]
    assert [each for each in found if isinstance(each, InvalidLine)] == [
        InvalidLine(2, "not an object"),
        InvalidLine(4, "not JSON"),
    ]
    # The other way round as well, and after an empty list.
    turned = reads(lines({**LIVE_CLIENT, "message": "m4"}, SITE) + lines([], LIVE_CLIENT))
    assert [each.message for each in turned if isinstance(each, Message)] == ["m4", "m0", "m1", "m2", "hi"]
    assert len(reads(lines([], LIVE_CLIENT))) == 1


@pytest.mark.parametrize("late", [{"date": str(NOW + 1)}, {"id": ulid(NOW + 1, bytes(10)), "date": str(NOW)}])
def test_future_messages_are_skipped(late: dict[str, str]) -> None:
    content = lines({**LIVE_CLIENT, "date": str(NOW)}, {**LIVE_CLIENT, **late})
    found = reads(content, NOW)
    assert isinstance(found[0], Message)
    assert found[1:] == [InvalidLine(2, "its time is yet to come")]
