"""Who pays for a frame, what it costs, and what happens beyond a budget."""

from __future__ import annotations

from typing import Any

import pytest

from nwchat.model.budget import (
    ROOM_PREFIX,
    address_room,
    expired_entries,
    page_price,
    refusal_action,
    sender_room,
    socket_entry,
    window_at,
)
from nwchat.model.ids import CONNECTION_SECONDS
from nwchat.model.limits import Limits

LIMITS = Limits(rate_messages=3, rate_seconds=10)


def request(address: str, sender_id: str = "", role: str = "") -> dict[str, Any]:
    token = {"authorizer": {"sender_id": sender_id, "uname": "u", "role": role}} if sender_id else {}
    return {"identity": {"sourceIp": address}, **token}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2.3.4", "::ffff:1.2.3.4"),
        ("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff"),
        ("2001:DB8::1", "2001:db8::2"),
    ],
)
def test_addresses_of_one_subscriber_share_a_budget(one: str, other: str) -> None:
    assert sender_room(request(one)) == sender_room(request(other)) == address_room(request(other))


@pytest.mark.parametrize(
    ("one", "other"), [("1.2.3.4", "1.2.3.5"), ("2001:db8::1", "2001:db8:0:1::1"), ("x", "y")]
)
def test_other_addresses_have_another_budget(one: str, other: str) -> None:
    assert sender_room(request(one)) != sender_room(request(other))


def test_a_token_pays_from_any_address() -> None:
    assert sender_room(request("1.2.3.4", "7")) == sender_room(request("5.6.7.8", "7"))
    assert len({sender_room(request("1.2.3.4", each)) for each in ("", "7", "8", "1.2.3.4")}) == 4
    assert address_room(request("1.2.3.4", "7")) == address_room(request("1.2.3.4"))


def test_moderators_and_test_events_have_no_budget() -> None:
    assert sender_room(request("1.2.3.4", "7", "moderator")) == ""
    assert sender_room(request("1.2.3.4", "7", "helper")) != ""
    assert sender_room({}) == sender_room({"identity": None}) == address_room(request("")) == ""


def test_a_key_has_no_address_and_no_name() -> None:
    for each in (sender_room(request("1.2.3.4")), sender_room(request("1.2.3.4", "tchalvak"))):
        assert each.startswith(ROOM_PREFIX)
        assert "1.2.3.4" not in each
        assert "tchalvak" not in each


@pytest.mark.parametrize(
    ("size", "price"), [(0, 1), (32_768, 1), (32_769, 2), (65_536, 2), (131_072, 4), (131_073, 5)]
)
def test_a_page_of_history_costs_by_its_size(size: int, price: int) -> None:
    assert page_price(size) == price


@pytest.mark.parametrize(
    ("now_ms", "window", "retry_after"),
    [(20_000, "2", 10), (20_001, "2", 10), (29_000, "2", 1), (29_999, "2", 1), (30_000, "3", 10)],
)
def test_windows_are_multiples_of_the_time(now_ms: int, window: str, retry_after: int) -> None:
    found = window_at(now_ms, LIMITS)
    assert (found.id, found.retry_after(now_ms)) == (window, retry_after)
    assert found.expires_at * 1000 > found.ends_at


def test_one_refused_frame_is_answered_and_a_flood_is_closed() -> None:
    actions = [refusal_action(count, LIMITS) for count in range(1, 8)]
    assert actions == ["answer", "ignore", "ignore", "ignore", "close", "close", "close"]


def test_entries_of_connections_that_have_ended_are_found() -> None:
    now_ms = 1_700_000_000_000
    live, ended = socket_entry("a=", now_ms), socket_entry("b=", now_ms - CONNECTION_SECONDS * 1000)
    assert expired_entries([live, ended, "not an entry"], now_ms) == [ended, "not an entry"]
    assert socket_entry("a=", now_ms) == live != socket_entry("c=", now_ms)
    # So many entries are in one row, and a write costs by its size.
    assert len(live) < 20
