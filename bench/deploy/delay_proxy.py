"""A proxy on 127.0.0.1 that delays each AWS call by 50 ms and records when it began and ended.

Our own, because microburst, which can delay calls, keeps nothing of a single call (its statistics are sums),
and runs each through a rule engine on the same two cores that are measured here. This one reads no more of a
request than where it ends and what it asks for.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

DELAY = 0.05
"""Seconds before a request is forwarded to AWS."""

_TARGET = re.compile(rb"^x-amz-target:\s*\S*?\.?(\w+)\s*$", re.I | re.M)
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.I | re.M)
_CHUNKED = re.compile(rb"^transfer-encoding:\s*chunked", re.I | re.M)
_SERVICE = re.compile(rb"Credential=[^/]+/\d+/[^/]+/([\w-]+)/")
_NO_BODY = re.compile(rb"HTTP/1\.1 (?:204|304|1\d\d)")


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One AWS call. `began` (received) and `ended` (response ready) are seconds of `time.monotonic`."""

    service: str
    operation: str
    began: float
    ended: float


@dataclass
class DelayProxy:
    """Forwards everything to `upstream`, a port of 127.0.0.1, and records the calls."""

    upstream: int
    delay: float = DELAY
    port: int = 0
    _calls: list[AwsCall] = field(default_factory=list)

    def take_calls(self) -> list[AwsCall]:
        """Returns and clears the recorded calls, in the order in which they ended."""
        calls, self._calls = self._calls, []
        return calls

    @contextmanager
    def serve(self) -> Iterator[DelayProxy]:
        """Listens on a free port, in a separate thread."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512))
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever, name="proxy")
        thread.start()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            server.close()
            loop.run_until_complete(_close_connections())
            loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection of a client through one connection to AWS."""
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            aws_reader, aws_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
            with closing(aws_writer):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    began = time.monotonic()
                    body = await _body(head, reader)
                    await asyncio.sleep(self.delay)
                    aws_writer.write(head + body)
                    response = await aws_reader.readuntil(b"\r\n\r\n")
                    if not _NO_BODY.match(response):
                        response += await _body(response, aws_reader)
                    # Recorded before it is sent: the client may end right after, and its calls be read.
                    self._calls.append(AwsCall(*_service_and_operation(head, body), began, time.monotonic()))
                    writer.write(response)


async def _close_connections() -> None:
    """Closes the connections that are still open."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # A closed transport releases its socket in one of the next iterations of the loop.
    await asyncio.sleep(0.01)


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    if _CHUNKED.search(head):
        body = b""
        while not body.endswith(b"\r\n0\r\n\r\n") and body != b"0\r\n\r\n":
            size = await reader.readline()
            body += size + await reader.readexactly(int(size, 16) + 2)
        return body
    length = _LENGTH.search(head)
    return await reader.readexactly(int(length[1])) if length else b""


def _service_and_operation(head: bytes, body: bytes) -> tuple[str, str]:
    """The service and operation of a request. For a REST service, method and path are the operation."""
    service = _SERVICE.search(head)
    name = _TARGET.search(head) or _ACTION.search(body)
    operation = name[1] if name else b" ".join(head.split(b" ", 2)[:2])
    return (service[1] if service else b"?").decode(), operation.decode("latin-1")
