"""How a closing handshake may end, against a server that is written by hand."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from nwchatctl.net.network import DIRECT
from nwchatctl.net.websocket_client import WebSocket

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Of RFC 6455, section 1.3."""


@contextmanager
def server(end: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that accepts one connection, and ends it so."""

    def serve() -> None:
        client, _ = listening.accept()
        with client:
            request = client.recv(65536).decode()
            key = next(line[19:] for line in request.split("\r\n") if line.startswith("Sec-WebSocket-Key: "))
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
            client.sendall(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )
            end(client)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            thread.join(60)


def close_frame(code: int | None) -> bytes:
    payload = b"" if code is None else struct.pack("!H", code)
    return bytes([0x88, len(payload)]) + payload


def answer(data: bytes, *, reset: bool = False) -> Callable[[socket.socket], None]:
    """Waits for the client's close frame, answers, and closes the TCP connection."""

    def end(client: socket.socket) -> None:
        assert client.recv(2)[0] == 0x88
        client.sendall(data)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return end


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (answer(close_frame(1000)), 1000),
        (answer(close_frame(1001)), 1001),
        (answer(close_frame(None)), 1005),
        (answer(b""), 1006),
        (answer(b"", reset=True), 1006),
        (answer(close_frame(1011)), 1011),
    ],
)
def test_close_returns_the_peers_code(end: Callable[[socket.socket], None], code: int) -> None:
    with server(end) as url:
        made = WebSocket.open(url, network=DIRECT)
        assert made.is_open
        assert made.close() == code
        assert not made.is_open


def test_connection_that_the_peer_closed_is_not_open() -> None:
    with server(lambda client: client.sendall(close_frame(1001))) as url:
        made = WebSocket.open(url, network=DIRECT)
        with pytest.raises(Exception, match="the chat closed the socket"):
            made.receive(5)
        assert not made.is_open
        assert made.close() == 1001
