"""The first connection to a chat that may have been deployed a moment ago, with a clock of the test's own."""

from __future__ import annotations

import socket

import pytest

from nwchatctl.chat.first_connect import FirstConnect, UnresolvedName
from nwchatctl.chat.smoke_test import SocketClosed


class NewChat:
    """Refuses with `error` until `ready_at`, in seconds."""

    def __init__(self, error: OSError | SocketClosed, ready_at: float, stage_age: float = 5.0) -> None:
        self.error = error
        self.ready_at = ready_at
        self.stage_age = stage_age
        self.asked = 0
        self.attempts = 0
        self.now = 0.0
        self.said: list[tuple[float, str]] = []
        self.connect = FirstConnect(
            self._connect,
            self._age,
            clock=lambda: self.now,
            sleep=self._sleep,
            say=lambda text: self.said.append((self.now, text)),
        )

    def _connect(self) -> str:
        self.attempts += 1
        if self.now < self.ready_at:
            raise self.error
        return "connected"

    def _age(self) -> float:
        self.asked += 1
        return self.stage_age

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def refused(status: int | None) -> SocketClosed:
    return SocketClosed(f"the handshake was refused with HTTP {status}", status)


UNRESOLVED = UnresolvedName("chat.example.com does not resolve")
NO_HOST = socket.gaierror(-2, "Name or service not known")


@pytest.mark.parametrize(
    "error", [refused(403), refused(404), refused(429), refused(500), refused(503), UNRESOLVED, NO_HOST]
)
def test_a_new_chat_is_retried_until_it_accepts(error: OSError | SocketClosed) -> None:
    chat = NewChat(error, ready_at=12.0)
    assert chat.connect() == "connected"
    assert (chat.now, chat.asked) == (12.0, 0 if error is UNRESOLVED else 1)
    ((second, text),) = chat.said
    assert second == 3.0
    assert text == f"{error}: retrying for up to 20 s, as the chat may be new"


def test_a_short_wait_is_not_mentioned() -> None:
    chat = NewChat(refused(403), ready_at=2.5)
    assert (chat.connect(), chat.said) == ("connected", [])


def test_a_chat_that_accepts_is_asked_nothing() -> None:
    chat = NewChat(refused(403), ready_at=0.0)
    assert (chat.connect(), chat.attempts, chat.asked) == ("connected", 1, 0)


def test_retries_end_after_twenty_seconds() -> None:
    chat = NewChat(refused(403), ready_at=100.0)
    with pytest.raises(SocketClosed, match="HTTP 403"):
        chat.connect()
    assert (chat.now, chat.attempts) == (20.0, 41)
    with pytest.raises(SocketClosed):
        chat.connect()
    assert chat.attempts == 42, "all connections share the time"


@pytest.mark.parametrize(
    ("error", "stage_age"),
    [
        (refused(403), 31.0),
        (refused(500), float("inf")),
        (NO_HOST, 31.0),
        (refused(401), 5.0),
        (refused(None), 5.0),
        (ConnectionRefusedError("connection refused"), 5.0),
    ],
)
def test_other_refusals_are_final(error: OSError | SocketClosed, stage_age: float) -> None:
    chat = NewChat(error, ready_at=1.0, stage_age=stage_age)
    with pytest.raises((OSError, SocketClosed)):
        chat.connect()
    assert chat.attempts == 1
