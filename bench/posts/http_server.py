"""A minimal HTTP/1.1 server for stubs in Python: complete requests, responses, persistent connections."""

from __future__ import annotations

import asyncio
import re

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)", re.I | re.M)


class HttpServerProtocol(asyncio.Protocol):
    """One connection. A subclass responds to each request with `write`."""

    def __init__(self) -> None:
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            head, body = bytes(self._received[: end + 2]), bytes(self._received[end + 4 : whole])
            del self._received[:whole]
            self.handle_request(head, body)

    def handle_request(self, head: bytes, body: bytes) -> None:
        """Handles a complete request. `head` is its first line and its headers."""
        raise NotImplementedError

    def write(self, *headers: str, body: bytes = b"", status: str = "200 OK") -> None:
        """Sends a response with these headers."""
        head = "".join(f"{each}\r\n" for each in (*headers, f"Content-Length: {len(body)}"))
        self._transport.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)
