"""What only the transport over sockets has to do itself: addresses, and requests larger than a buffer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from selectors import DefaultSelector
from typing import Any

import pytest

from nwchat.delivery import socket_transport
from nwchat.delivery.connecting import Proxy, Server
from nwchat.delivery.http_connection import HttpConnection
from nwchat.delivery.outcome import Delivered, Failed, Refused
from nwchat.delivery.request import Call
from nwchat.delivery.socket_transport import SocketTransport
from tests.adapters.nwchat.delivery.scripted_server import OK, Authority, Peer, Stub
from tests.adapters.nwchat.delivery.transport_run import MakeTransport, send

Serve = Callable[..., Stub]
LARGE = b"x" * 8_000_000


def answer_all(peer: Peer) -> None:
    while peer.request():
        peer.send(OK)


@pytest.fixture
def sockets() -> Iterator[SocketTransport]:
    made = SocketTransport()
    yield made
    made.close()


def addresses(*ports: int) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]


@pytest.fixture
def look_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Any]], list[Server]]:
    """Makes every name have these addresses. Returns the routes that were looked up."""

    def make(found: list[Any]) -> list[Server]:
        asked: list[Server] = []

        def fake(server: Server) -> list[Any]:
            asked.append(server)
            return found

        monkeypatch.setattr(socket_transport, "look_up", fake)
        return asked

    return make


def closed_port(serve: Serve) -> int:
    stub = serve(answer_all)
    stub.close()
    return stub.port


def test_the_next_address_is_used_when_one_refuses(serve: Serve, sockets: Any, look_up: Any) -> None:
    stub = serve(answer_all)
    asked = look_up(addresses(closed_port(serve), stub.port))
    sent = send(sockets, "http://many.example/prod", map(str, range(20)), attempts=1, max_concurrency=4)
    assert sent.kinds == {Delivered: 20}
    assert len(asked) == 1, "looked up once for a run"


def test_a_name_is_looked_up_again_after_a_failure(serve: Serve, sockets: Any, look_up: Any) -> None:
    asked = look_up(addresses(closed_port(serve)))
    sent = send(sockets, "http://old.example/prod", "a", attempts=2)
    assert sent.outcomes == {"a": Failed("not connected: ConnectionRefusedError", 1)}
    assert len(asked) == 2


@pytest.mark.parametrize("secure", [False, True])
def test_a_request_larger_than_a_buffer(
    serve: Serve, make_transport: MakeTransport, authority: Authority, secure: bool
) -> None:
    stub = serve(answer_all, authority.context if secure else None)
    transport = make_transport(ca=authority.ca if secure else None)
    sent = send(transport, stub.url, "ab", body=LARGE, attempts=1)
    assert sent.kinds == {Delivered: 2}
    assert {request.body for request in stub.requests} == {LARGE}


def test_a_connection_is_not_used_again_when_its_request_was_answered_early(
    serve: Serve, sockets: SocketTransport
) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        peer.hold()

    stub = serve(script)
    sent = send(sockets, stub.url, "ab", body=4 * LARGE, attempts=1, max_concurrency=1)
    assert sent.outcomes == {"a": Refused(413, "413"), "b": Refused(413, "413")}
    assert stub.connections == 2


def test_no_socket_is_left_behind(serve: Serve, sockets: SocketTransport) -> None:
    """Of connections that are kept, refused, or given up."""
    send(sockets, serve(answer_all).url, "abc", max_concurrency=1)
    send(sockets, f"http://127.0.0.1:{closed_port(serve)}/prod", "abc", attempts=1)
    send(sockets, serve(Peer.hold).url, "a", attempts=1, deadline=0.0)
    assert len(sockets.selector.get_map()) == 1


def test_an_address_of_a_family_that_this_machine_lacks_is_passed_over(
    serve: Serve, sockets: Any, look_up: Any
) -> None:
    """As IPv6, where the kernel was started without it."""
    stub = serve(answer_all)
    unknown = (4000, socket.SOCK_STREAM, 0, "", ("::1", 1, 0, 0))
    look_up([unknown, *addresses(stub.port)])
    assert send(sockets, "http://both.example/prod", "ab", attempts=1).kinds == {Delivered: 2}


class Answers:
    """An owner whose requests are large, with what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def encode(self, call: Call[Any]) -> bytes:
        return LARGE

    def on_response(self, connection: HttpConnection, status: int, body: bytes, keep_alive: bool) -> None:
        self.told.append(status)
        connection.abort()

    def on_failure(self, connection: HttpConnection, reason: str, *, timed_out: bool = False) -> None:
        self.told.append(reason)


def test_an_early_answer_counts_though_the_rest_of_the_request_cannot_be_sent() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    answers = Answers()
    with DefaultSelector() as selector:
        connection = HttpConnection(ours, selector)
        connection.send(Call("a"), answers)
        theirs.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        # With unread data, so that the rest of the request meets an error.
        theirs.close()
        for key, events in selector.select(20.0):
            key.data(events)
        connection.abort()
    assert answers.told == [413]


def test_a_proxy_that_answers_too_slowly_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many parts of its response arrive meanwhile."""
    monkeypatch.setattr(socket_transport, "CONNECT_TIMEOUT_SECONDS", 0.3)
    given_up = threading.Event()

    def dribble(peer: Peer) -> None:
        peer.head()
        with suppress(OSError):
            for _ in range(300):
                peer.send(b"H")
                if given_up.wait(0.01):
                    return

    transport = SocketTransport(proxy=lambda _: Proxy("127.0.0.1", serve(dribble).port))
    sent = send(transport, "http://far.example/prod", "a", attempts=1)
    given_up.set()
    transport.close()
    assert sent.outcomes == {"a": Failed("not connected: TimeoutError", 0)}
