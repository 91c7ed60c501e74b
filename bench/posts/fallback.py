"""The stub where there is no nginx: asyncio, so by far slower, and as fast as the contenders at most.

    python -m bench.posts.fallback CERTIFICATE KEY PORT:TLS:MS...

listens on these ports of 127.0.0.1, over TLS where TLS is 1, and answers each request after MS.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from email.utils import formatdate
from itertools import count

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)", re.I | re.M)
_numbers = count(1)


class _Connection(asyncio.Protocol):
    def __init__(self, delay: float) -> None:
        self._delay = delay
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
            counted = self._received.startswith(b"GET /count ")
            del self._received[:whole]
            number = next(_numbers)
            if counted:
                self._count(number)
            elif self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._answer, number)
            else:
                self._answer(number)

    def _count(self, number: int) -> None:
        """As nginx's `stub_status`, in which the tenth word is the number of requests."""
        text = f"Active connections: 1\nserver accepts handled requests\n 0 0 {number}\n"
        self._transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())

    def _answer(self, number: int) -> None:
        self._transport.write(
            f"HTTP/1.1 200 OK\r\nDate: {formatdate(usegmt=True)}\r\nContent-Type: application/json\r\n"
            f"Content-Length: 0\r\nConnection: keep-alive\r\n"
            f"x-amzn-RequestId: {number:032x}\r\n\r\n".encode()
        )


async def serve(certificate: str, key: str, ports: list[str]) -> None:
    loop, servers = asyncio.get_running_loop(), []
    for each in ports:
        port, tls, latency_ms = map(int, each.split(":"))
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
        delay = latency_ms / 1000
        servers.append(
            await loop.create_server(
                lambda delay=delay: _Connection(delay), "127.0.0.1", port, ssl=context, backlog=4096
            )
        )
    await asyncio.gather(*(each.serve_forever() for each in servers))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], sys.argv[3:]))
