"""Floods against the budgets: what is stored, answered and closed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from nwchat.connect import connect
from nwchat.disconnect import disconnect
from nwchat.history import history
from nwchat.message import message
from nwchat.model.bans import Ban
from nwchat.model.ids import first_ulid
from nwchat.model.limits import Limits
from nwchat.model.wire import Message
from nwchat.runtime import Response
from tests.unit.nwchat.fake_chat import NOW, Chat, FakeStore, handshake, room

HISTORY = '{"action": "history"}'
# NOW is at the beginning of a window.
RETRY_AFTER = 10


def flooded(store: FakeStore | None = None, **limits: int) -> Chat:
    return Chat(store or room(), limits=Limits(**limits))


def send(chat: Chat, body: str, sender: str = "me", address: str = "1.2.3.4", **context: Any) -> Response:
    request = {
        "connectionId": sender,
        "connectedAt": NOW - 60_000,
        "identity": {"sourceIp": address},
        **context,
    }
    return message({"requestContext": request, "body": body}, chat.services, chat.poster, math.inf, chat.log)


def token(sender_id: str, role: str = "") -> dict[str, Any]:
    return {"authorizer": {"sender_id": sender_id, "uname": "u", "role": role}}


def kinds(chat: Chat, sender: str = "me") -> list[str]:
    return [each.get("code", each["type"]) for each in chat.gateway.received.get(sender, [])]


def test_twelve_sockets_of_one_address_share_one_budget() -> None:
    names = [f"socket-{each}" for each in range(12)]
    chat = flooded(room(*names))
    chat.store.allowed = 999
    for number in range(120):
        assert send(chat, f"spam {number}", names[number % 12]) == {"statusCode": 200}
    assert len(chat.store.messages) == 30
    for each in names:
        assert kinds(chat, each).count("rate_limited") == 1
    send(chat, "from elsewhere", "other", "5.6.7.8")
    assert chat.store.messages[-1].message == "from elsewhere"


def test_addresses_of_one_ipv6_subscriber_share_one_budget() -> None:
    chat = flooded(room("me"))
    for number in range(40):
        send(chat, f"spam {number}", address=f"2001:db8::{number:x}")
    assert len(chat.store.messages) == 30


def test_rate_limited_sender_is_told_when_to_continue() -> None:
    chat = flooded(room("me"), sender_messages=1)
    send(chat, "one")
    send(chat, '{"message": "two", "client_id": "k"}')
    assert chat.gateway.received["me"][-1] == {
        "type": "error",
        "code": "rate_limited",
        "detail": "at most 1 frames of one sender in 10 seconds",
        "client_id": "k",
        "retry_after": RETRY_AFTER,
    }


def test_history_flood_is_answered_once_and_closed() -> None:
    chat = flooded(room("me"))
    for _ in range(100):
        send(chat, HISTORY)
    assert kinds(chat) == ["history"] * 30 + ["rate_limited"]
    assert set(chat.gateway.closed) == {"me"}
    # 30 pages, an error, and as many ignored frames as a connection may send messages.
    assert len(chat.gateway.closed) == 100 - 30 - 1 - 10


def test_page_of_history_is_charged_by_its_size() -> None:
    chat = flooded(room("me"))
    chat.store.messages = [Message(first_ulid(each), "x" * 8000, "u", "7", NOW) for each in range(1, 101)]
    for _ in range(20):
        send(chat, '{"action": "history", "limit": 100}')
    # A page of 128 KB costs 4 of 30.
    assert kinds(chat) == ["history"] * 8 + ["rate_limited"]


@pytest.mark.parametrize("body", ["", "x" * 2000, "{}", '{"action": "ping"}'])
def test_refused_frames_and_pings_are_charged(body: str) -> None:
    chat = flooded(room("me"), sender_messages=3, rate_messages=2)
    for _ in range(9):
        send(chat, body)
    assert len(kinds(chat)) == 4
    assert kinds(chat)[-1] == "rate_limited"
    assert chat.gateway.closed == ["me"] * 3


def test_frames_without_a_token_are_charged() -> None:
    chat = Chat(room("me"), limits=Limits(sender_messages=3), tokens=True)
    for _ in range(9):
        send(chat, "hi")
    assert kinds(chat) == ["unauthorized"] * 3 + ["rate_limited"]


def test_flood_of_a_banned_client_is_closed() -> None:
    chat = flooded(room("me"))
    chat.store.ban(Ban("address#1.2.3.4", "him"))
    for _ in range(60):
        send(chat, HISTORY)
    assert kinds(chat) == ["muted"] * 30 + ["rate_limited"]
    assert chat.gateway.closed


def test_socket_beyond_its_own_rate_is_answered_once_and_closed() -> None:
    store = room("me")
    store.allowed = 5
    chat = flooded(store, sender_messages=1000)
    for _ in range(30):
        send(chat, "hi")
    assert kinds(chat) == ["message"] * 5 + ["rate_limited"]
    assert len(chat.gateway.closed) == 30 - 5 - 1 - 10
    assert [line["message"] for line in chat.logged()].count("refused") == 1


def test_socket_that_was_closed_and_has_no_row_is_closed_again() -> None:
    chat = flooded(sender_messages=1)
    for _ in range(3):
        send(chat, "{}")
    assert kinds(chat) == ["bad_request"]
    assert chat.gateway.closed == ["me", "me"]


def test_players_with_tokens_do_not_share_the_budget_of_their_address() -> None:
    chat = Chat(room("me", "you"), limits=Limits(sender_messages=3), tokens=True)
    for _ in range(5):
        send(chat, "hi", **token("7"))
    send(chat, "hello", "you", **token("8"))
    assert [each.sender_id for each in chat.store.messages] == ["7", "7", "7", "8"]


def test_moderators_have_no_budget() -> None:
    chat = Chat(room("me"), limits=Limits(sender_messages=1), tokens=True)
    for _ in range(5):
        send(chat, "hi", **token("7", "moderator"))
    assert len(chat.store.messages) == 5


def test_budget_that_cannot_be_counted_limits_no_one() -> None:
    chat = flooded(room("me"), sender_messages=1)
    chat.budgets.broken = "charge"
    for _ in range(3):
        assert send(chat, "hi") == {"statusCode": 200}
    assert len(chat.store.messages) == 3
    warnings = [line for line in chat.logged() if line["level"] == "WARNING"]
    assert {line["message"] for line in warnings} == {"the budget cannot be counted: nobody is limited"}
    assert "1.2.3.4" not in chat.output.getvalue()


def test_smoke_test_is_within_the_smallest_budget() -> None:
    """A message and a page over two sockets, and one over HTTP."""
    chat = flooded(room("a", "b"), sender_messages=10)
    send(chat, '{"message": "smoke", "client_id": "k"}', "a")
    send(chat, HISTORY, "b")
    assert http(chat)["statusCode"] == 200
    assert "rate_limited" not in kinds(chat, "a") + kinds(chat, "b")


# Reserved names ---------------------------------------------------------------------------------


def named(uname: str) -> str:
    return json.dumps({"message": "hi", "uname": uname, "client_id": "k"})


@pytest.mark.parametrize("uname", ["operator", "OPERATOR", "0реrаtоr", " o p\u200berator "])
def test_reserved_name_is_refused_without_a_token(uname: str) -> None:
    chat = flooded(room("me", "you"))
    send(chat, named(uname))
    (refused,) = chat.gateway.received["me"]
    assert (refused["code"], refused["client_id"]) == ("bad_request", "k")
    assert chat.store.messages == []
    send(chat, named("operetta"))
    assert [each.uname for each in chat.store.messages] == ["operetta"]


def test_token_may_have_a_reserved_name() -> None:
    chat = Chat(room("me"), tokens=True)
    authorizer = {"sender_id": "7", "uname": "Operator", "role": ""}
    send(chat, named("whoever"), authorizer=authorizer)
    assert [each.uname for each in chat.store.messages] == ["Operator"]


def test_no_name_is_reserved_when_there_are_none() -> None:
    chat = Chat(room("me"), reserved_names=())
    send(chat, named("operator"))
    assert [each.uname for each in chat.store.messages] == ["operator"]


# HTTP -----------------------------------------------------------------------------------------------


def http(chat: Chat, address: str = "1.2.3.4", **query: str) -> Response:
    event = {"routeKey": "GET /messages", "requestContext": {"http": {"sourceIp": address}}}
    return history({**event, "queryStringParameters": query}, chat.services, chat.log)


def test_history_over_http_has_the_same_budget() -> None:
    chat = flooded(room("me"))
    for _ in range(29):
        send(chat, HISTORY)
    assert http(chat)["statusCode"] == 200
    response = http(chat)
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (429, "10")
    assert json.loads(response["body"]) == {
        "code": "rate_limited",
        "detail": "at most 30 requests and frames of one sender in 10 seconds",
    }
    assert http(chat, "5.6.7.8")["statusCode"] == 200


def test_pages_over_http_are_at_most_128_kb_and_charged_by_size() -> None:
    chat = flooded(room("me"))
    chat.store.messages = [Message(first_ulid(each), "x" * 8000, "u", "7", NOW) for each in range(1, 201)]
    answers = [http(chat, limit="200") for _ in range(20)]
    assert [each["statusCode"] for each in answers] == [200] * 8 + [429] * 12
    sizes = {len(each["body"].encode()) for each in answers if each["statusCode"] == 200}
    assert max(sizes) <= 128 * 1024
    assert min(sizes) > 100_000


# Open connections of an address ----------------------------------------------------------------------


def opened(chat: Chat, name: str, address: str = "1.2.3.4", age_ms: int = 0) -> int:
    event = handshake()
    event["requestContext"] = {
        "connectionId": name,
        "connectedAt": NOW - age_ms,
        "identity": {"sourceIp": address},
    }
    return int(connect(event, chat.services, chat.log)["statusCode"])


def closed(chat: Chat, name: str, age_ms: int = 0) -> None:
    request = {
        "connectionId": name,
        "connectedAt": NOW - age_ms,
        "identity": {"sourceIp": "1.2.3.4"},
    }
    disconnect({"requestContext": request}, chat.services, chat.log)


def test_address_with_too_many_connections_is_refused() -> None:
    chat = flooded(address_connections=3)
    assert [opened(chat, f"c{each}") for each in range(5)] == [200, 200, 200, 429, 429]
    assert sorted(chat.store.rows) == ["c0", "c1", "c2"]
    assert opened(chat, "other", "5.6.7.8") == 200
    closed(chat, "c1")
    assert [opened(chat, f"d{each}") for each in range(2)] == [200, 429]


def test_connections_whose_end_was_not_reported_expire() -> None:
    chat = flooded(address_connections=2)
    assert [opened(chat, "old", age_ms=8_100_000), opened(chat, "live")] == [200, 200]
    assert [opened(chat, "new"), opened(chat, "more")] == [200, 429]


def test_connections_that_cannot_be_counted_are_accepted() -> None:
    chat = flooded(address_connections=1)
    chat.budgets.broken = "add_socket"
    assert [opened(chat, "a"), opened(chat, "b")] == [200, 200]
    chat.budgets.broken = "remove_socket"
    closed(chat, "a")
    assert sorted(chat.store.rows) == ["b"]


def test_refused_clients_are_not_counted() -> None:
    chat = flooded(address_connections=1)
    chat.store.ban(Ban("address#1.2.3.4", "him", NOW + 1))
    assert opened(chat, "banned") == 403
    assert chat.budgets.sockets == {}
