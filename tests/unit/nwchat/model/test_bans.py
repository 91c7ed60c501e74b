"""Bans: the keys that lead to them, which of them hold, and what the functions do about them."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any

import pytest

from nwchat.connect import connect
from nwchat.message import message
from nwchat.model.bans import (
    RETENTION_SECONDS,
    Ban,
    active_ban,
    address_key,
    address_of,
    applies_to,
    ban_notice,
    ban_of,
    ban_row,
    is_user,
    keys_of,
    longest_active,
    normalized_name,
    user_key,
)
from nwchat.model.log_hash import log_hash
from nwchat.runtime import Response
from tests.unit.nwchat.fake_chat import NOW, Chat, FakeStore, error, frame, handshake, room

# Keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Bób Ninja",
        "BÓB NINJA",
        "  Bo\u0301b \t ninja\n",
        "Ｂóｂ\u3000Ｎｉｎｊａ",
        "B\u200bób\u00ad Nin\ufe0fja\ufeff",
        "\u202eBób\u2066 Ninja",
        "Bób\u00a0\u2003Ninja",
        "\u3164Bób Ninja\u115f",
        "Bób Ninja\x00\x1b",
        "Bób\u2800Ninja",
        "B\U000e0042ób\u2060 Nin\U0001d159ja\ufff0",
    ],
)
def test_names_that_look_the_same_are_the_same(name: str) -> None:
    assert user_key(name) == "user#bób ninja"


@pytest.mark.parametrize(
    ("one", "other"), [("Straße", "STRASSE"), ("ﬁsh", "FISH"), ("①", "1"), ("\u0345", "ι")]
)
def test_foldings_that_change_the_length(one: str, other: str) -> None:
    assert normalized_name(one) == normalized_name(other) != ""


@pytest.mark.parametrize("other", ["bob ninj", "bobninja", "bob-ninja", "bób ninja", "bоb ninja"])
def test_names_that_look_different_are_different(other: str) -> None:
    assert user_key("bob ninja") != user_key(other)


@pytest.mark.parametrize(
    "name", ["", " \n", "\u200b\u200d", "\u3164", "\x00", "\u2066\u2069", "\u2800", "\U0001d159"]
)
def test_where_there_is_nothing_to_see_there_is_no_key(name: str) -> None:
    assert user_key(name) == ""


def test_every_key_is_one_that_dynamodb_takes_and_folding_again_changes_nothing() -> None:
    """A key that it refuses would let its owner in, since what cannot be read keeps nobody out."""
    everything = [chr(each) for each in range(0x110000) if not 0xD800 <= each < 0xE000]
    for each in everything:
        if unicodedata.normalize("NFKC", each) != each or each.casefold() != each:
            assert normalized_name(normalized_name(each)) == normalized_name(each), hex(ord(each))
    worst = [chr(0xFDFA) * 64, "\U0001f600" * 300, "\u0390" * 300, "\ud800" * 90, "𝔉" * 200, "x" * 40_000]
    for name in worst:
        for key in keys_of(sender_id=name, uname=name + "x", address="1.2.3.4"):
            assert 0 < len(key.encode()) <= 1024


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("1.2.3.4", ("address#1.2.3.4",)),
        ("::ffff:1.2.3.4", ("address#1.2.3.4",)),
        ("::FFFF:102:304", ("address#1.2.3.4",)),
        (
            "2001:DB8:0:0::0001",
            ("address#2001:db8::1", "address#2001:db8::/64"),
        ),
        ("2001:db8::ffff:1:2", ("address#2001:db8::ffff:1:2", "address#2001:db8::/64")),
        ("fe80::1%eth0", ()),
        ("", ()),
        ("1.2.3", ()),
        ("1.2.3.4, 5.6.7.8", ()),
        ("010.1.1.1", ()),
    ],
)
def test_an_address_has_one_spelling_and_a_prefix(address: str, keys: tuple[str, ...]) -> None:
    assert keys_of(address=address) == keys


def test_each_key_of_a_sender_once() -> None:
    keys = keys_of(sender_id="128274", uname="Tchalvak", address="1.2.3.4")
    assert keys == ("user#128274", "user#tchalvak", "address#1.2.3.4")
    assert keys_of(sender_id="tchalvak", uname="Tchalvak") == ("user#tchalvak",)
    assert keys_of() == ()


def test_the_longest_key_is_of_a_whole_address() -> None:
    longest = address_of(":".join(["ffff"] * 8))
    assert address_key(longest) == "address#ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"


# Rows ---------------------------------------------------------------------------------------------

FULL = Ban("user#bob", "Bob", NOW + 1, NOW - 1, "operator", "spam")


@pytest.mark.parametrize("ban", [FULL, Ban("address#1.2.3.4", "1.2.3.4")])
def test_a_ban_and_its_row(ban: Ban) -> None:
    assert ban_of(ban_row(ban)) == ban


def test_a_row_is_kept_after_the_end_and_for_ever_without_one() -> None:
    assert ban_row(Ban("k", "w", 1_000_001))["expires_at"] == {"N": str(1001 + RETENTION_SECONDS)}
    assert "expires_at" not in ban_row(Ban("k", "w"))


def test_rows_with_unusual_attributes_are_read() -> None:
    strange: dict[str, Any] = {
        "id": {"S": "user#bob"},
        "until": {"S": "soon"},
        "by": {"BOOL": True},
        "who": 7,
    }
    assert ban_of(strange) == Ban("user#bob", "bob")


@pytest.mark.parametrize(
    ("untils", "expected"),
    [
        ([], "none"),
        ([NOW], "none"),
        ([NOW - 1, NOW], "none"),
        ([NOW + 1], NOW + 1),
        ([NOW + 1, NOW + 9, NOW - 9], NOW + 9),
        ([NOW + 1, None], None),
        ([None, NOW - 1], None),
    ],
)
def test_longest_active_ban_applies(untils: list[int | None], expected: object) -> None:
    found = longest_active((ban_row(Ban(f"k{at}", "w", until)) for at, until in enumerate(untils)), NOW)
    assert ("none" if found is None else found.until) == expected


def test_ban_notice_has_end_and_no_reason() -> None:
    assert ban_notice(FULL) == "you are banned from this chat until 2023-11-14T22:13:21Z"
    assert ban_notice(Ban("k", "w", reason="spam")) == "you are banned from this chat"


@pytest.mark.parametrize(
    ("who", "sender_id", "uname", "open_mode", "with_tokens"),
    [
        ("jR", "jR", "Rita", True, True),
        ("jR", "JR", "Rita", True, False),
        # No name of their own: the id stands for it.
        ("jR", "JR", "JR", True, False),
        ("jR", "9", "JR", True, True),
        ("  jR", "jR", "", True, True),
        ("jR", "9", "Rita", False, False),
    ],
)
def test_ids_of_tokens_are_compared_exactly(
    who: str, sender_id: str, uname: str, open_mode: bool, with_tokens: bool
) -> None:
    ban = Ban(user_key(who), who)
    assert applies_to(ban, sender_id, uname, exact=False) is open_mode
    assert applies_to(ban, sender_id, uname, exact=True) is with_tokens
    # The functions find it by its key, and then see whom it means.
    for mode, expected in (({}, open_mode), (token(sender_id, uname), with_tokens)):
        found = active_ban(
            mode, lambda keys: [ban_row(ban)] if ban.key in keys else [], NOW, Chat(FakeStore()).log,
            sender_id=sender_id, uname=uname,
        )  # fmt: skip
        assert (found is not None) is expected


# The functions ------------------------------------------------------------------------------------

SAYS = json.dumps({"message": "hi", "uname": "Bob", "sender_id": "7", "client_id": "k"})
MUTED = error("muted", "you are banned from this chat", client_id="k")


def says(chat: Chat, body: str, address: str = "1.2.3.4", **context: Any) -> Response:
    request = {
        "connectionId": "me",
        "connectedAt": NOW - 60_000,
        "identity": {"sourceIp": address},
        **context,
    }
    return message({"requestContext": request, "body": body}, chat.services, chat.poster, math.inf, chat.log)


def token(sender_id: str, uname: str) -> dict[str, Any]:
    return {"authorizer": {"sender_id": sender_id, "uname": uname, "role": ""}}


@pytest.mark.parametrize("key", ["user#bob", "user#7", "address#1.2.3.4"])
def test_banned_sender_is_notified_and_others_receive_nothing(key: str) -> None:
    chat = Chat(room("a", "me"))
    chat.store.ban(Ban(key, "w"))
    assert says(chat, SAYS) == {"statusCode": 200}
    assert chat.gateway.received == {"me": [MUTED]}
    assert (chat.store.messages, chat.store.sent) == ([], {})
    (line,) = chat.logged()
    assert (line["level"], line["message"], line["code"]) == ("INFO", "refused", "muted")


def test_message_of_other_sender_is_delivered() -> None:
    chat = Chat(room("a"))
    chat.store.ban(Ban("user#bo", "w"), Ban("address#1.2.3.5", "w"), Ban("user#bob", "w", NOW))
    says(chat, SAYS)
    assert chat.gateway.received["a"] == [frame(1, "hi", "Bob", "7")]
    assert chat.store.ban_lookups == [("user#7", "user#bob", "address#1.2.3.4")]


def test_ipv6_prefix_shares_the_ban() -> None:
    chat = Chat(room("a"))
    chat.store.ban(Ban("address#2001:db8::/64", "w"))
    says(chat, '{"message": "hi", "client_id": "k"}', "2001:db8::abcd")
    assert chat.gateway.received == {"me": [MUTED]}
    says(chat, "hi", "2001:db8:0:1::abcd")
    assert chat.gateway.received["a"] == [frame(1, "hi")]


def test_banned_client_gets_no_history_but_pong() -> None:
    chat = Chat(room("me"))
    chat.store.ban(Ban("address#1.2.3.4", "w"))
    says(chat, '{"action": "history", "client_id": "k"}')
    says(chat, '{"action": "ping"}')
    assert chat.gateway.received == {"me": [MUTED, {"type": "pong"}]}


def test_token_decides_which_ban_applies() -> None:
    chat = Chat(room("me"))
    chat.store.ban(Ban("user#7", "7"))
    says(chat, SAYS, **token("8", "Eve"))
    assert chat.store.ban_lookups == [("user#8", "user#eve", "address#1.2.3.4")]
    assert [each["type"] for each in chat.gateway.received["me"]] == ["message", "ack"]
    for body in ('{"message": "hi", "client_id": "k"}', '{"action": "history", "client_id": "k"}'):
        chat.gateway.got.clear()
        says(chat, body, **token("7", "Bob"))
        assert chat.gateway.received == {"me": [MUTED]}


def test_rate_limited_frame_reads_no_bans() -> None:
    store = room("me")
    store.allowed = 2
    chat = Chat(store)
    store.ban(Ban("user#bob", "w"))
    for _ in range(5):
        says(chat, SAYS)
    # Beyond the rate one frame is answered.
    assert [each["code"] for each in chat.gateway.received["me"]] == ["muted"] * 2 + ["rate_limited"]
    assert len(store.ban_lookups) == 2


def test_refused_frame_reads_no_bans() -> None:
    chat = Chat(room("me"))
    for body in ("", '{"action": "ping"}', "x" * 2000):
        says(chat, body)
    assert chat.store.ban_lookups == []


def test_messages_are_delivered_when_bans_cannot_be_read() -> None:
    store = room("a")
    store.broken = "bans"
    store.ban(Ban("user#bob", "w"))
    chat = Chat(store)
    assert says(chat, SAYS) == {"statusCode": 200}
    assert connect(handshake(), chat.services, chat.log) == {"statusCode": 200}
    assert chat.gateway.received["a"] == [frame(1, "hi", "Bob", "7")]
    lines = [each for each in chat.logged() if each["level"] == "WARNING"]
    assert [each["message"] for each in lines] == ["the bans cannot be read: nobody is kept out"] * 2
    assert {each["errorType"] for each in lines} == {"OSError"}


@pytest.mark.parametrize(
    ("key", "context", "status"),
    [
        ("address#1.2.3.4", {}, 403),
        ("address#1.2.3.5", {}, 200),
        ("user#bob", {}, 200),
        ("user#bob", token("7", "BOB"), 403),
        ("user#7", token("7", "Bob"), 403),
        ("user#7", token("8", "Bob"), 200),
    ],
)
def test_banned_client_cannot_connect(key: str, context: dict[str, Any], status: int) -> None:
    chat = Chat(FakeStore())
    chat.store.ban(Ban(key, key.partition("#")[2], NOW + 1))
    event = handshake()
    event["requestContext"] |= context
    assert connect(event, chat.services, chat.log) == {"statusCode": status}
    assert len(chat.store.rows) == (status == 200)
    if status == 403:
        (line,) = chat.logged()
        assert (line["level"], line["message"]) == ("WARNING", "banned")
        assert (line["ban"], line["address"]) == (log_hash(b"key", key), log_hash(b"key", "address#1.2.3.4"))


def test_expired_ban_does_not_prevent_connect() -> None:
    chat = Chat(FakeStore())
    chat.store.ban(Ban("address#1.2.3.4", "w", NOW))
    assert connect(handshake(), chat.services, chat.log) == {"statusCode": 200}


@pytest.mark.parametrize(
    ("wanted", "sender_id", "uname", "open_mode", "token_mode"),
    [
        ("7", "7", "x", True, True),
        ("Tom", "7", "Tom", True, True),
        ("tom", "7", "TOM", True, True),
        ("t\u200bo m", "7", "To  M", True, True),
        ("abc", "ABC", "", True, False),
        ("abc", "ABC", "ABC", True, False),
        ("tim", "7", "tom", False, False),
        ("\u200b", "", "", False, False),
    ],
)
def test_users_are_compared_as_bans_are(
    wanted: str, sender_id: str, uname: str, open_mode: bool, token_mode: bool
) -> None:
    assert is_user(wanted, sender_id, uname, exact=False) is open_mode
    assert is_user(wanted, sender_id, uname, exact=True) is token_mode
