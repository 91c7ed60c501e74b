"""What `smoke` asks with follows nobody elsewhere, waits no longer than it is told, and fails as a step."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from nwchatctl.chat.smoke_test import SocketClosed
from nwchatctl.net.http_client import get
from nwchatctl.net.network import DIRECT
from nwchatctl.net.websocket_client import WebSocket

TOKEN = "aaaa.bbbb.cccc"


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers each request so; its port, and the requests."""
    asked: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client:
                asked.append(client.recv(65536))
                with suppress(OSError):
                    answer(client)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1], asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(60)


def saying(text: str) -> Callable[[socket.socket], None]:
    return lambda client: client.sendall(text.replace("\n", "\r\n").encode())


def redirect(port: int, scheme: str) -> Callable[[socket.socket], None]:
    return saying(f"HTTP/1.1 302 Found\nLocation: {scheme}://127.0.0.1:{port}/x\nContent-Length: 0\n\n")


def test_redirect_does_not_receive_token() -> None:
    nothing = saying("HTTP/1.1 200 OK\nContent-Length: 0\n\n")
    with (
        server(nothing) as (other, stolen),
        server(redirect(other, "http")) as (port, asked),
        pytest.raises(OSError, match=f"HTTP 302, which leads to http://127.0.0.1:{other}/x"),
    ):
        get(f"http://127.0.0.1:{port}/messages", 5, network=DIRECT, token=TOKEN)
    assert (len(asked), stolen) == (1, [])
    assert TOKEN.encode() in asked[0]
    with (
        server(nothing) as (other, stolen),
        server(redirect(other, "ws")) as (port, offered),
        pytest.raises(SocketClosed, match=f"302, which leads to ws://127.0.0.1:{other}/x") as caught,
    ):
        WebSocket.open(f"ws://127.0.0.1:{port}/", network=DIRECT, subprotocols=("nwchat", TOKEN))
    assert (len(offered), stolen) == (1, [])
    assert TOKEN.encode() in offered[0]
    assert caught.value.status == 302


def test_slow_response_is_a_failure() -> None:
    def drop(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(0.05):
            client.sendall(b"x")

    over = threading.Event()
    with server(drop) as (port, _):
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=r"no whole answer within 0\.4 s"):
            get(f"http://127.0.0.1:{port}/", 0.4, network=DIRECT)
        assert time.monotonic() - began < 20
        over.set()


@pytest.mark.parametrize("status", ["200 OK", "500 Broken"])
def test_truncated_response_is_a_failure(status: str) -> None:
    with (
        server(saying(f"HTTP/1.1 {status}\nTransfer-Encoding: chunked\n\n9\nhalf")) as (port, _),
        pytest.raises(OSError, match="no HTTP answer: IncompleteRead"),
    ):
        get(f"http://127.0.0.1:{port}/", 5, network=DIRECT)


def test_other_statuses_are_responses() -> None:
    with server(saying("HTTP/1.1 403 No\nContent-Length: 4\n\nwhat")) as (port, _):
        found = get(f"http://127.0.0.1:{port}/", 5, network=DIRECT)
    assert (found.status, found.body) == (403, "what")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ws://"])
def test_invalid_url_is_a_failed_handshake(url: str) -> None:
    with pytest.raises(SocketClosed, match="the handshake failed"):
        WebSocket.open(url, network=DIRECT)


def test_server_without_websocket_is_a_failed_handshake() -> None:
    with (
        server(saying("SSH-2.0-x\n\n")) as (port, _),
        pytest.raises(SocketClosed, match="the handshake failed"),
    ):
        WebSocket.open(f"ws://127.0.0.1:{port}/", network=DIRECT)
