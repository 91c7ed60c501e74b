from __future__ import annotations

import pytest

from nwchat.model.bans import Ban
from nwchat.model.rows import Connection
from nwchatctl.chat.bans import (
    BanChange,
    BanTarget,
    address_target,
    change_ban,
    check_reason,
    connection_target,
    user_target,
)

NOW = 1_700_000_000_000
BOB = BanTarget("user#bob", "Bob")


@pytest.mark.parametrize(
    ("text", "whom"),
    [
        ("128274", BanTarget("user#128274", "128274")),
        ("  Bob ", BOB),
        ("Bo\u0301b", BanTarget("user#bób", "Bób")),
        ("x" * 64, BanTarget("user#" + "x" * 64, "x" * 64)),
        ("[/x]<b>", BanTarget("user#[/x]<b>", "[/x]<b>")),
    ],
)
def test_a_user(text: str, whom: BanTarget) -> None:
    assert user_target(text, 40) == whom


@pytest.mark.parametrize(
    "text", ["", " ", "\u200b\u200d", "\u3164", "a\x00", "a\tb", "a\nb", "\u202eab", "a\udcff", "x" * 65]
)
def test_no_user(text: str) -> None:
    with pytest.raises(ValueError, match="a user's"):
        user_target(text, 40)


def test_names_may_be_longer_where_the_chats_are() -> None:
    assert user_target("x" * 80, 80).who == "x" * 80


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7/32 ", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("2001:db8::7/128", "2001:db8::7"),
        ("2001:db8::7/64", "2001:db8::/64"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_an_address(text: str, who: str) -> None:
    assert address_target(text) == BanTarget(f"address#{who}", who)


@pytest.mark.parametrize(
    "text",
    ["", "x", "192.0.2", "192.0.2.0/24", "192.0.2.7/64", "2001:db8::/48", "::1/064", "fe80::1%1"],
)
def test_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no address|is a network"):
        address_target(text)


@pytest.mark.parametrize(
    ("row", "whom"),
    [
        (
            Connection("c", sender_id="7", uname="Bob", source_ip="192.0.2.7", proven=True),
            BanTarget("user#7", "7"),
        ),
        (Connection("c", uname="Bob", source_ip="192.0.2.7", proven=True), BOB),
        (
            Connection("c", uname="\u200b", source_ip="192.0.2.7", proven=True),
            BanTarget("address#192.0.2.7", "192.0.2.7"),
        ),
        (Connection("c", source_ip="2001:db8::7"), BanTarget("address#2001:db8::/64", "2001:db8::/64")),
        (Connection("c", source_ip="::ffff:192.0.2.7"), BanTarget("address#192.0.2.7", "192.0.2.7")),
        (Connection("c", source_ip="?"), None),
        (Connection("c"), None),
    ],
)
def test_ban_targets_of_a_connection(row: Connection, whom: BanTarget | None) -> None:
    assert connection_target(row) == whom


@pytest.mark.parametrize(
    ("address", "who"), [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::/64"), ("?", None)]
)
def test_unverified_names_are_not_banned(address: str, who: str | None) -> None:
    """Whoever is kicked could have taken the name of somebody else."""
    row = Connection("c", sender_id="7", uname="Bob", source_ip=address)
    assert connection_target(row) == (BanTarget(f"address#{who}", who) if who else None)


def made(found: Ban | None, until: int | None = NOW + 9, why: str = "", whom: BanTarget = BOB) -> BanChange:
    return change_ban(whom, found, until=until, by="me", reason=why, now_ms=NOW)


def test_a_first_ban() -> None:
    ban = made(None, why="spam")
    assert (ban.ban, ban.change) == (Ban("user#bob", "Bob", NOW + 9, NOW, "me", "spam"), "added")


def test_expired_ban_is_ignored() -> None:
    old = Ban("user#bob", "BOB", NOW, NOW - 9, "you", "spam")
    ban = made(old)
    assert (ban.ban, ban.change) == (Ban("user#bob", "Bob", NOW + 9, NOW, "me", ""), "added")


def test_active_ban_gets_new_end() -> None:
    old = Ban("user#bob", "BOB", NOW + 1, NOW - 9, "you", "spam")
    ban = made(old, None)
    assert (ban.ban, ban.change) == (Ban("user#bob", "Bob", None, NOW - 9, "me", "spam"), "changed")
    assert ban.before == old
    assert made(old, NOW + 1, "worse").ban == Ban("user#bob", "Bob", NOW + 1, NOW - 9, "me", "worse")


@pytest.mark.parametrize("why", ["", "spam"])
def test_repeated_ban_changes_nothing(why: str) -> None:
    old = Ban("user#bob", "BOB", NOW + 9, NOW - 9, "you", "spam")
    ban = made(old, why=why)
    assert (ban.ban, ban.change) == (old, "unchanged")


def test_another_spelling_is_a_change_where_ids_compare_exactly() -> None:
    old = Ban("user#bob", "BOB", NOW + 9, NOW - 9, "you", "spam")
    ban = change_ban(BOB, old, until=NOW + 9, by="me", reason="", now_ms=NOW, exact=True)
    assert (ban.ban, ban.change) == (Ban("user#bob", "Bob", NOW + 9, NOW - 9, "me", "spam"), "changed")


def test_a_reason_is_one_line() -> None:
    assert check_reason(" spam\n\x1b[2J twice ") == "spam [2J twice"
    assert check_reason("") == ""
    with pytest.raises(ValueError, match="200 characters"):
        check_reason("x" * 201)
