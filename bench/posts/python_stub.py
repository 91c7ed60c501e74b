"""The stub for machines without nginx. It uses asyncio and is slower than the fast contenders.

    python -m bench.posts.python_stub CERTIFICATE KEY PORT:TLS:MS...

listens on these ports of 127.0.0.1, over TLS where TLS is 1, and responds to each request after MS.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from email.utils import formatdate
from functools import partial
from itertools import count
from urllib.parse import unquote_to_bytes

from bench.posts.gateway_stub import PARTLY_GONE, PARTLY_SLOW, is_gone, is_slow
from bench.posts.http_server import HttpServerProtocol

_numbers = count(1)


class _Connection(HttpServerProtocol):
    def __init__(self, delay: float) -> None:
        super().__init__()
        self._delay = delay

    def handle_request(self, head: bytes, body: bytes) -> None:
        number = next(_numbers)
        if head.startswith(b"GET /count "):
            # As nginx's `stub_status`, in which the tenth word is the number of requests.
            text = f"Active connections: 1\nserver accepts handled requests\n 0 0 {number}\n"
            self.write(body=text.encode())
        elif self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._answer, number, "200 OK")
        else:
            method, path, _ = head.split(b" ", 2)
            self._answer(number, _status(method, unquote_to_bytes(path).decode()))

    def _answer(self, number: int, status: str) -> None:
        self.write(
            f"Date: {formatdate(usegmt=True)}",
            "Content-Type: application/json",
            "Connection: keep-alive",
            f"x-amzn-RequestId: {number:032x}",
            status=status,
        )


def _status(method: bytes, path: str) -> str:
    if PARTLY_GONE in path and is_gone(path):
        return "410 Gone"
    if PARTLY_SLOW in path and is_slow(path.rpartition("/")[2]):
        return "204 No Content" if method == b"DELETE" else "429 Too Many Requests"
    return "200 OK"


async def serve(certificate: str, key: str, ports: list[str]) -> None:
    loop, servers = asyncio.get_running_loop(), []
    for each in ports:
        port, tls, latency_ms = map(int, each.split(":"))
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
        make = partial(_Connection, latency_ms / 1000)
        servers.append(await loop.create_server(make, "127.0.0.1", port, ssl=context, backlog=4096))
    await asyncio.gather(*(each.serve_forever() for each in servers))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], sys.argv[3:]))
