"""The smoke test against chats that work, and that fail in one way each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nwchat.model.identity import Identity
from nwchat.model.ids import ulid_time
from nwchatctl.chat.smoke_test import WAIT, HistoryClient, HistoryResponse, SocketClosed, Step, smoke

ID = "01HF7YAT00AAAAAAAAAAAAAAAA"


class Chat:
    """A chat in memory with a fault to choose; time passes only while somebody waits in vain."""

    def __init__(self, fault: str = "", *, echo: bool = True, identity: Identity | None = None) -> None:
        self.fault = fault
        self.identity = identity
        self.echo = echo
        self.sockets: list[Socket] = []
        self.now = 0.0
        self.close_code = {"close": 1011, "closed early": 1001}.get(fault, 1000)

    def connect(self) -> Socket:
        if self.fault == "refused":
            raise SocketClosed("the handshake was refused with HTTP 403")
        self.sockets.append(Socket(self))
        return self.sockets[-1]

    def take(self, socket: Socket, frame: dict[str, Any]) -> None:
        match frame.get("action"):
            case "ping" if self.fault == "undeployed route":
                socket.inbox.append({"message": "Forbidden", "connectionId": "x", "requestId": "y"})
            case "ping":
                socket.inbox.append({"type": "pong"})
            case "history":
                kept = [] if self.fault == "history" else [{"id": ID}]
                socket.inbox.append({"type": "history", "messages": kept})
            case "onMessage":
                text = "another" if self.fault == "mangled" else frame["message"]
                believed = self.identity is None or self.fault == "believed"
                sender_id = frame["sender_id"] if believed or not self.identity else self.identity.sender_id
                uname = frame["uname"] if believed or not self.identity else self.identity.uname
                names = {"sender_id": sender_id, "uname": uname}
                for each in self.sockets:
                    each.inbox.append({"type": "message", "id": "someone else's", "message": "hi"})
                    if self.fault != "echo" and (self.echo or each is not socket):
                        each.inbox.append({"type": "message", "id": ID, "message": text, **names})
                if self.fault == "error":
                    socket.inbox.append({"type": "error", "code": "internal", "detail": "x"})
                elif self.fault != "ack":
                    socket.inbox.append({"type": "ack", "client_id": frame["client_id"], "id": ID})


class Socket:
    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.inbox: list[dict[str, Any]] = []
        self.closed = False
        self.subprotocol = {"none": None, "token": "a.b.c"}.get(chat.fault, "nwchat")

    def send(self, text: str) -> None:
        self.chat.take(self, json.loads(text))

    def receive(self, seconds: float) -> str:
        if not self.inbox:
            self.chat.now += seconds
            raise TimeoutError
        return json.dumps(self.inbox.pop(0))

    @property
    def is_open(self) -> bool:
        return self.chat.fault != "closed early"

    def close(self) -> int:
        self.closed = True
        return self.chat.close_code


def run(chat: Chat) -> list[Step]:
    return list(smoke(chat.connect, lambda: chat.now, "nonce", echo=chat.echo))


@pytest.mark.parametrize("echo", [True, False])
def test_a_chat_that_works(echo: bool) -> None:
    chat = Chat(echo=echo)
    steps = run(chat)
    assert [(each.name, each.ok) for each in steps] == [
        (name, True) for name in ("connect", "ping", "send", "ack", "echo", "history", "close")
    ]
    assert all(each.closed for each in chat.sockets)


@pytest.mark.parametrize(
    ("fault", "step", "detail"),
    [
        ("refused", "connect", "the handshake was refused with HTTP 403"),
        ("undeployed route", "ping", "Forbidden"),
        ("ack", "ack", "no ack within 10 s"),
        ("error", "ack", "internal"),
        ("echo", "echo", "no message within 10 s"),
        ("mangled", "echo", "another text came back: 'another'"),
        ("history", "history", "not among the last 0 messages"),
        ("close", "close", "closed with 1011 instead of 1000"),
        ("closed early", "close", "the chat has closed 2 of 2 connections: closed with 1001"),
    ],
)
def test_each_fault_is_named_and_ends_the_test(fault: str, step: str, detail: str) -> None:
    chat = Chat(fault)
    steps = run(chat)
    assert [each.ok for each in steps] == [True] * (len(steps) - 1) + [False]
    assert steps[-1].name == step
    assert detail in steps[-1].detail
    assert all(each.closed for each in chat.sockets)


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (1000, "clean"),
        (1001, "clean, closed with 1001"),
        (1005, "clean, closed with 1005"),
        (1006, "clean, closed with 1006"),
    ],
)
def test_every_clean_end_of_a_closing_handshake_is_accepted(code: int, detail: str) -> None:
    chat = Chat()
    chat.close_code = code
    last = run(chat)[-1]
    assert (last.name, last.ok, last.detail) == ("close", True, detail)


class History:
    """A history API beside that chat, which has the message after so many looks."""

    def __init__(self, chat: Chat, *, looks: int = 1, health: HistoryResponse | None = None) -> None:
        self.chat = chat
        self.looks = looks
        self.status = health or HistoryResponse(200, '{"status": "ok", "version": "1.2.3"}')
        self.asked: list[str] = []
        self.page = HistoryResponse(200, json.dumps({"messages": [{"id": "other"}, {"id": ID}]}))

    def get(self, path: str, seconds: float) -> HistoryResponse:
        assert 1 <= seconds <= WAIT
        self.asked.append(path)
        if path == "/health":
            return self.status
        self.looks -= 1
        return self.page if self.looks < 1 else HistoryResponse(200, '{"messages": [{"id": "other"}]}')

    def sleep(self, seconds: float) -> None:
        self.chat.now += seconds

    def run(self) -> list[Step]:
        over = HistoryClient(self.get, self.sleep)
        return list(smoke(self.chat.connect, lambda: self.chat.now, "nonce", history=over))


@pytest.mark.parametrize("looks", [1, 3])
def test_the_history_api_has_it_in_the_end(looks: int) -> None:
    found = History(Chat(), looks=looks)
    steps = found.run()
    assert [each.name for each in steps][-3:] == ["close", "health", "messages"]
    assert all(each.ok for each in steps)
    assert steps[-2].detail == "version 1.2.3"
    assert steps[-1].ms == 500 * (looks - 1)
    assert len(found.asked) == 1 + looks
    # However many say something meanwhile, it is on the page that is asked for.
    after = found.asked[-1].partition("after=")[2]
    assert after < ID
    assert ulid_time(after) == ulid_time(ID)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (
            HistoryResponse(404, '{"message":"Not Found"}'),
            'HTTP 404: {"message":"Not Found"}; a route or its stage is',
        ),
        (HistoryResponse(429, "{}"), "history.request_rate"),
        (HistoryResponse(500, "{}"), "nwchatctl invoke history"),
        (HistoryResponse(418, "x" * 1000), "HTTP 418: " + "x" * 200),
        (HistoryResponse(200, "<html>"), "Expecting value"),
        (HistoryResponse(200, "[]"), "no JSON object: []"),
        (HistoryResponse(200, '{"status": "ill"}'), 'GET /health says {"status": "ill"}'),
    ],
)
def test_history_api_fault_has_a_hint(answer: HistoryResponse, detail: str) -> None:
    *before, failed = History(Chat(), health=answer).run()
    assert all(each.ok for each in before)
    assert (failed.name, failed.ok) == ("health", False)
    assert detail in failed.detail
    assert len(failed.detail) < 400


def test_wait_for_message_in_history_is_bounded() -> None:
    found = History(Chat(), looks=1000)
    failed = found.run()[-1]
    assert (failed.name, failed.ok) == ("messages", False)
    assert failed.detail.startswith("not in the history API within 10 s")
    assert len(found.asked) <= 1 + WAIT / 0.5 + 1


def test_a_history_api_that_is_not_reached() -> None:
    found = History(Chat())

    def get(path: str, seconds: float) -> HistoryResponse:
        raise OSError("connection refused")

    steps = list(smoke(found.chat.connect, lambda: 0.0, "nonce", history=HistoryClient(get, found.sleep)))
    assert (steps[-1].name, steps[-1].detail) == ("health", "connection refused")


def test_steps_come_as_they_are_done() -> None:
    clock: Callable[[], float] = lambda: 0.0  # noqa: E731
    steps = smoke(Chat().connect, clock, "nonce")
    assert next(steps).name == "connect"
    steps.close()  # type: ignore[attr-defined]


def guarded(chat: Chat, status: int | None) -> list[Step]:
    """A chat that asks for tokens, and what whoever has none is answered; None when they come in."""

    def uninvited() -> Socket:
        if status:
            # Whatever the text is: a name in front of the chat has a say in it.
            raise SocketClosed(f"refused with HTTP {status}, at a name", status)
        return chat.connect()

    return list(smoke(chat.connect, lambda: chat.now, "nonce", connect_without_token=uninvited))


@pytest.mark.parametrize("status", [401, 403])
def test_connection_without_token_must_be_refused(status: int) -> None:
    steps = guarded(Chat(), status)
    assert [each.name for each in steps[:3]] == ["connect", "refuse", "ping"]
    assert all(each.ok for each in steps)


@pytest.mark.parametrize(
    ("status", "detail"),
    [(None, "somebody without a token came in"), (500, "refused with HTTP 500, at a name")],
)
def test_smoke_fails_when_connection_without_token_succeeds_or_was_not_tried(
    status: int | None, detail: str
) -> None:
    chat = Chat()
    last = guarded(chat, status)[-1]
    assert (last.name, last.ok, last.detail) == ("refuse", False, detail)
    assert all(each.closed for each in chat.sockets)


ME = Identity("nwchatctl", "nwchatctl")


def with_a_token(fault: str = "", unread: int = 401) -> list[Step]:
    chat = Chat(fault, identity=ME)
    history = History(chat)

    def uninvited(path: str, seconds: float) -> HistoryResponse:
        assert path.startswith("/messages")
        return HistoryResponse(unread, "{}")

    over = HistoryClient(history.get, history.sleep, uninvited)
    return list(smoke(chat.connect, lambda: chat.now, "nonce", identity=ME, history=over))


def test_identity_is_that_of_the_token_and_others_cannot_read() -> None:
    steps = with_a_token()
    assert [each.name for each in steps if not each.ok] == []
    assert (steps[-1].name, steps[-1].detail) == ("unread", "nobody without a token")


@pytest.mark.parametrize(
    ("fault", "unread", "step", "detail"),
    [
        ("none", 401, "connect", "the chat did not choose the subprotocol nwchat"),
        ("token", 401, "connect", "the chat did not choose the subprotocol nwchat"),
        ("believed", 401, "echo", "it came as from 'somebody else', who is not whom the token names"),
        ("", 200, "unread", "somebody without a token was answered HTTP 200 instead of 401"),
    ],
)
def test_ignored_token_is_named(fault: str, unread: int, step: str, detail: str) -> None:
    last = with_a_token(fault, unread)[-1]
    assert (last.name, last.ok, last.detail) == (step, False, detail)
