"""A client that does not read: the others receive each message, and its connection is closed in the end."""

from __future__ import annotations

from tests.e2e.support.chat import Chat, Player, eventually, unique
from tests.e2e.support.slow_reader import slow_reader


def hear_each_other(one: Player, other: Player, count: int) -> None:
    for _ in range(count):
        text = unique()
        one.send(text)
        assert one.receive_text(text) == other.receive_text(text)


def test_full_buffer_is_limit_exceeded_and_delete_closes_it(chat: Chat) -> None:
    with slow_reader(chat.sandbox, chat.url, chat.rows) as reader:
        error = reader.fill()
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert reader.is_open()
        reader.connections.delete_connection(ConnectionId=reader.connection_id)
        assert not reader.is_open()
        # Its end reaches the function $disconnect, although the client has read nothing.
        eventually(lambda: reader.connection_id in chat.rows(), False)


def test_slow_reader_is_disconnected_and_the_others_are_served(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players() as (one, other), slow_reader(chat.sandbox, chat.url, chat.rows) as reader:
        hear_each_other(one, other, 3)
        eventually(reader.is_open, False)
        hear_each_other(one, other, 1)
        eventually(lambda: reader.connection_id in chat.rows(), False)
        assert len(chat.rows()) == 2, "the others stay connected"


def test_disconnected_client_finds_the_message_in_the_history(chat: Chat) -> None:
    text = unique()
    with chat.players(1) as (one,), slow_reader(chat.sandbox, chat.url, chat.rows) as reader:
        one.send(text)
        one.receive_text(text)
        eventually(reader.is_open, False)
        with chat.players(1) as (again,):
            assert text in [frame["message"] for frame in again.history(20)]


def test_broadcast_reports_and_closes_slow_readers(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players(3), slow_reader(chat.sandbox, chat.url, chat.rows) as reader:
        sent = chat.json("broadcast", unique())
        assert (sent["recipients"], sent["delivered"], sent["failed"]) == (4, 3, 0)
        assert (sent["buffer_full"], sent["disconnected"]) == (1, 1)
        assert not reader.is_open()
