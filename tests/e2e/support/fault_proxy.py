"""A proxy in front of the sandbox that injects faults: it returns errors in AWS's wire format, drops
responses and connections, and records all calls.

Not microburst: it chooses faults without a seed, so a failing run cannot be repeated, and it has no 429
without a body. The Host header is forwarded unchanged, because the signature covers it.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from enum import StrEnum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Fault(StrEnum):
    """A fault of one call. RESET, CUT and LATE are faults of the connection; CONFLICT is API Gateway's, and
    TRANSACTION_CONFLICT DynamoDB's."""

    THROTTLED = auto()
    BARE_429 = auto()
    BROKEN_500 = auto()
    BROKEN_502 = auto()
    BROKEN_503 = auto()
    RESET_BEFORE = auto()
    RESET_AFTER = auto()
    CUT = auto()
    LATE = auto()
    CONFLICT = auto()
    TRANSACTION_CONFLICT = auto()


@dataclass(frozen=True)
class Call:
    """A call to AWS: `iam CreateRole`, `apigateway POST /v2/apis/*/routes`."""

    service: str
    operation: str
    writes: bool

    @property
    def faults(self) -> list[Fault]:
        """The faults that are possible for this call."""
        rest = self.service in ("apigateway", "lambda")
        return [
            each
            for each in Fault
            if (each is not Fault.BARE_429 or rest)
            and (each is not Fault.CONFLICT or (self.service == "apigateway" and self.writes))
            and (each is not Fault.TRANSACTION_CONFLICT or self.operation in CONFLICTING)
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.operation}"


CONFLICTING = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
"""The operations of DynamoDB that can meet a transaction."""

Choose = Callable[[Call], Fault | None]

CONFLICT_MESSAGE = "Unable to complete operation due to concurrent modification. Please try again later."

_IDS = re.compile(r"(?<=/)[0-9a-f]{8}(?=/|$)")


@dataclass
class SeededFaults:
    """Chooses a fault for `share` of all calls. The fault of the n-th call of a kind depends on the seed
    only.

    The same seed gives the same faults, in whatever order parallel calls arrive.
    """

    seed: int
    share: float = 0.2
    chosen: Counter[Fault] = field(default_factory=Counter)
    _counts: Counter[Call] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: Call) -> Fault | None:
        with self._lock:
            self._counts[call] += 1
            drawn = random.Random(f"{self.seed} {call} {self._counts[call]}")
            if drawn.random() >= self.share:
                return None
            fault = drawn.choice(call.faults)
            self.chosen[fault] += 1
            return fault


class Proxy(ThreadingHTTPServer):
    """Forwards requests to `upstream`; `choose` returns the fault of each call, or None."""

    daemon_threads = False

    def __init__(self, upstream: str, choose: Choose) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.choose = choose
        self.calls: list[tuple[Call, Fault | None]] = []
        self.connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def choosing(self, choose: Choose) -> Iterator[None]:
        """Uses `choose` within the context."""
        before, self.choose = self.choose, choose
        try:
            yield
        finally:
            self.choose = before


@contextmanager
def proxy(upstream: str, choose: Choose = lambda call: None) -> Iterator[Proxy]:
    """A running proxy. All its connections are closed at the end of the context."""
    with Proxy(upstream, choose) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            for each in list(server.connections):
                _shut_down(each)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)
        self._upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)

    def finish(self) -> None:
        self._upstream.close()
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None: ...

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = _call(self.command, self.path, self.headers, body)
        fault = self.server.choose(call)
        self.server.calls.append((call, fault))
        match fault:
            case None:
                self.wfile.write(self._forward(body))
            case Fault.RESET_BEFORE:
                self._reset()
            case Fault.RESET_AFTER:
                self._forward(body)
                self._reset()
            case Fault.CUT:
                answer = self._forward(body)
                self.wfile.write(answer[: len(answer) // 2])
                self.close_connection = True
            case Fault.LATE:
                self._forward(body)
                # Until the client times out.
                self.rfile.read(1)
                self.close_connection = True
            case _:
                self.wfile.write(_refusal(call, fault))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _forward(self, body: bytes) -> bytes:
        """The sandbox's whole answer to the request, as it goes over the wire."""
        self._upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self._upstream.putheader(name, value)
        self._upstream.endheaders(body)
        answer = self._upstream.getresponse()
        content = answer.read()
        kept = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in ("content-length", "transfer-encoding", "connection")
        }
        return _wire(answer.status, kept, content)

    def _reset(self) -> None:
        """Closes the connection with RST rather than FIN, as a router that lost its state does."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.connections.discard(self.connection)
        os.close(self.connection.detach())


def _call(method: str, path: str, headers: Message, body: bytes) -> Call:
    signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
    service = signed[1] if signed else ""
    if target := headers.get("X-Amz-Target"):
        operation = target.rpartition(".")[2]
    elif body.startswith(b"Action="):
        operation = parse_qs(body.decode())["Action"][0]
    else:
        return Call(service, f"{method} {_IDS.sub('*', urlsplit(path).path)}", method != "GET")
    return Call(service, operation, not operation.startswith(("Get", "List", "Describe")))


def _refusal(call: Call, fault: Fault) -> bytes:
    match fault:
        case Fault.BROKEN_500:
            return _error(call.service, 500, "InternalFailure", "An internal error occurred")
        case Fault.BROKEN_502:
            # From a load balancer, which does not use the protocol of the service.
            return _wire(502, {"Content-Type": "text/html"}, b"<html><body>Bad Gateway</body></html>")
        case Fault.BROKEN_503:
            return _error(call.service, 503, "ServiceUnavailable", "Service Unavailable")
        case Fault.BARE_429:
            return _wire(429, {}, b"")
        case Fault.CONFLICT:
            return _error(call.service, 409, "ConflictException", CONFLICT_MESSAGE)
        case Fault.TRANSACTION_CONFLICT:
            return _transaction_conflict(call)
        case _ if call.service in ("apigateway", "lambda"):
            return _error(call.service, 429, "TooManyRequestsException", "Too Many Requests")
        case _:
            code = "Throttling" if call.service in ("iam", "sts") else "ThrottlingException"
            return _error(call.service, 400, code, "Rate exceeded")


def _transaction_conflict(call: Call) -> bytes:
    if call.operation != "TransactWriteItems":
        message = "Transaction is ongoing for the item"
        return _error(call.service, 400, "TransactionConflictException", message)
    fields = {
        "__type": "TransactionCanceledException",
        "message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
    }
    return _wire(400, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(fields).encode())


def _error(service: str, status: int, code: str, message: str) -> bytes:
    """An error as `service` spells it: query XML, or JSON with the code in body or header."""
    if service in ("iam", "sts"):
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
            "</Error><RequestId>r</RequestId></ErrorResponse>"
        )
        return _wire(status, {"Content-Type": "text/xml"}, text.encode())
    fields = {"message": message}
    if service not in ("apigateway", "lambda"):
        fields["__type"] = code
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return _wire(status, headers, json.dumps(fields).encode())


def _wire(status: int, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(body))}.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
