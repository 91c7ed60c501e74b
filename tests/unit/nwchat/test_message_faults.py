"""The function dies, fails or loses an answer at each of its calls, and the client retries once."""

from __future__ import annotations

from itertools import product

import pytest

from tests.unit.nwchat.faulty_chat import Fault, FaultyChat, Kind

NAMES = ("a", "b", "c", "d")


def chat_of(large: bool, tokens: bool = False) -> FaultyChat:
    chat = FaultyChat(NAMES, large=large, tokens=tokens)
    for name in NAMES:
        chat.connect(name)
    # Who has just connected is not seen by an eventually consistent read.
    return chat


def calls_of(large: bool) -> list[str]:
    """The calls of an invocation in which nothing fails."""
    chat = chat_of(large)
    chat.clients["a"].texts["k"] = "text"
    return chat.retry("a", "k")


CALLS = [
    pytest.param(large, number, id=f"{'large' if large else 'small'}-{number}-{name}")
    for large in (False, True)
    for number, name in enumerate(calls_of(large))
]
KINDS = (Kind.KILLED_BEFORE, Kind.KILLED_AFTER, Kind.FAILS, Kind.LOST)


def assert_is_sent_and_stored_once(chat: FaultyChat, client_id: str) -> None:
    sender = chat.clients["a"]
    text = sender.texts[client_id]
    (stored,) = [row for row in chat.stored() if row["message"]["S"] == text]
    assert {(said, of, key) for said, of, key in sender.acks} == {(text, client_id, stored["id"]["S"])}
    for client in chat.clients.values():
        assert client.shown == {stored["id"]["S"]: text}, client.name


def test_the_calls_of_a_message() -> None:
    posts = ["post"] * len(NAMES)
    begin = ["update_item", "batch_get_item", "transact_write_items", "scan"]
    assert calls_of(large=False) == [*begin, *posts, "put_item", "post"]
    large = calls_of(large=True)
    assert large[:6] == [*begin, "post", "describe_table"]
    assert large[-6:] == ["invoke"] * 4 + ["put_item", "post"]


@pytest.mark.parametrize("ack_first", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize(("large", "call"), CALLS)
def test_after_one_retry_everyone_has_the_message(
    large: bool, call: int, kind: Kind, ack_first: bool
) -> None:
    chat = chat_of(large)
    client_id = chat.say("a", Fault(call, kind, ack_first=ack_first))
    # A client that has the ack does not send the message again.
    if client_id in chat.clients["a"].unacked:
        chat.retry("a", client_id)
    chat.run_accepted()
    assert_is_sent_and_stored_once(chat, client_id)
    # And a client that has not noticed its ack changes nothing.
    chat.retry("a", client_id)
    chat.run_accepted()
    assert_is_sent_and_stored_once(chat, client_id)


@pytest.mark.parametrize("kind", [Kind.PAUSED_BEFORE, Kind.PAUSED_AFTER], ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize(("large", "call"), CALLS)
def test_a_retry_while_the_function_still_runs(large: bool, call: int, kind: Kind) -> None:
    chat = chat_of(large)

    def reconnect_and_retry() -> None:
        chat.now += 2000
        chat.connect("a")
        chat.retry("a", "k")

    chat.say("a", Fault(call, kind, reconnect_and_retry), "k")
    chat.run_accepted()
    assert_is_sent_and_stored_once(chat, "k")


@pytest.mark.parametrize(("large", "tokens"), list(product((False, True), repeat=2)))
def test_a_message_under_the_client_id_of_another_player(large: bool, tokens: bool) -> None:
    """It is a message of its own, before and after the other player's message, and takes nothing from it."""
    chat = chat_of(large, tokens)
    chat.forge("b", "a", "k")
    chat.say("a", client_id="k")
    chat.forge("b", "a", "k")
    chat.retry("a", "k")
    chat.run_accepted()
    forged, meant = chat.clients["b"].texts["k"], chat.clients["a"].texts["k"]
    rows = {row["message"]["S"]: row for row in chat.stored()}
    assert set(rows) == {forged, meant}
    assert len(chat.stored()) == 2
    for name, text in (("a", meant), ("b", forged)):
        assert set(chat.clients[name].acks) == {(text, "k", rows[text]["id"]["S"])}
    assert rows[forged]["sender_id"]["S"] == ("b" if tokens else "a")
    for client in chat.clients.values():
        assert sorted(client.shown.values()) == sorted([forged, meant])


def test_a_message_that_was_sent_is_not_sent_again() -> None:
    chat = chat_of(large=False)
    client_id = chat.say("a")
    assert chat.retry("a", client_id) == ["update_item", "batch_get_item", "transact_write_items", "post"]


def test_the_history_over_the_socket_is_read_consistently() -> None:
    chat = chat_of(large=False)
    chat.disconnect("b")
    client_id = chat.say("a")
    chat.connect("b")
    assert_is_sent_and_stored_once(chat, client_id)


def test_a_message_that_is_stored_late_fills_the_gap_of_a_client_that_was_away() -> None:
    """Its id is older than the last message that the client has."""
    chat = chat_of(large=False)

    def meanwhile() -> None:
        chat.now += 20_000
        chat.say("c")
        chat.disconnect("b")

    late = chat.say("a", Fault(2, Kind.PAUSED_BEFORE, meanwhile))
    chat.connect("b")
    assert chat.clients["a"].texts[late] in chat.clients["b"].shown.values()
    assert len(chat.clients["b"].shown) == 2
