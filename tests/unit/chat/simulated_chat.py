"""A chat in memory: sockets as API Gateway knows them, the table of connections, and a transport whose
requests arrive, take effect and are answered at moments of a test's choice, while the sockets come and go.

AWS never gives an id twice; emulators do, and here ids are few, so that it happens all the time.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from nwchat.aws.signing import Credentials
from nwchat.delivery.request import Call
from nwchat.delivery.scheduler import RequestScheduler
from nwchat.delivery.socket_transport import CONNECT_TIMEOUT_SECONDS, RESPONSE_TIMEOUT_SECONDS
from nwchat.delivery.targets import ConnectionRequests, RowDeletion
from nwchat.model.ids import connection_expiry
from nwchat.model.rows import Recipient, Row

URL = "https://chat.example/production"
OPENING_MS = 3_000
"""How long a socket is being made at most: its row is there, and API Gateway says 410 of it."""
GRACE_MS = 10_000

Answer = tuple[int, bytes]
GONE: Answer = (410, b'{"message":"GoneException"}')
REFUSALS: tuple[Answer, ...] = (
    (429, b""),
    (429, b'{"message":"Too Many Requests"}'),
    (503, b"<html>"),
    (403, b'{"message":"Forbidden"}'),
    (404, b'{"message":"Not Found"}'),
)


class Decisions:
    """Decisions, as hypothesis draws them; once they are over, all goes its quiet way."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = iter(numbers)
        self.over = False

    def __call__(self, choices: int) -> int:
        """One of so many; 0 is the quiet way."""
        number = next(self._numbers, None)
        if number is None:
            self.over = True
            return 0
        return number % choices


@dataclass(eq=False)
class Socket:
    """One that somebody has; `open_at` is when it can be written to."""

    id: str
    connected_at: int
    open_at: int
    received: set[bytes] = field(default_factory=set)


class SimulatedChat:
    """`now_ms` goes on only when it is told to."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.now_ms = 1_700_000_000_000
        self.ids = ids
        self.sockets: dict[str, Socket] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.wrongly_deleted: list[str] = []

    # What happens by itself ---------------------------------------------------------------------

    def connect(self, key: str, opening_ms: int) -> None:
        if key not in self.sockets:
            self.sockets[key] = Socket(key, self.now_ms, self.now_ms + opening_ms)
            self.rows[key] = _row(key, self.now_ms)

    def disconnect(self, key: str, *, silently: bool) -> None:
        """`silently`: $disconnect never comes."""
        if self.sockets.pop(key, None) is not None and not silently:
            self.rows.pop(key, None)

    def record_activity(self, key: str) -> None:
        if (socket := self.open(key)) is not None:
            row = self.rows.setdefault(key, _row(key, socket.connected_at))
            self.rows[key] = {**row, "last_seen_at": {"N": str(self.now_ms)}}

    def wait(self, ms: int) -> None:
        self.now_ms += ms

    def open(self, key: str) -> Socket | None:
        socket = self.sockets.get(key)
        return socket if socket is not None and socket.open_at <= self.now_ms else None

    # What is asked of it ------------------------------------------------------------------------

    def gateway(self, method: str, key: str, body: bytes) -> Answer:
        socket = self.open(key)
        if socket is None:
            return GONE
        if method == "POST":
            socket.received.add(body)
        if method == "DELETE":
            self.disconnect(key, silently=False)
        return (204 if method == "DELETE" else 200), b""

    def delete_item(self, request: dict[str, Any]) -> Answer:
        key = request["Key"]["connection_id"]["S"]
        if not _holds(request, self.rows.get(key, {})):
            return 400, b'{"__type":"x#ConditionalCheckFailedException"}'
        if key in self.sockets:
            self.wrongly_deleted.append(key)
        del self.rows[key]
        return 200, b"{}"

    def scan(self, **request: Any) -> dict[str, Any]:
        """As a client's."""
        start = request.get("ExclusiveStartKey", {}).get("connection_id", {}).get("S", "")
        parts, part = request.get("TotalSegments", 1), request.get("Segment", 0)
        keys = sorted(key for key in self.rows if key > start and zlib.crc32(key.encode()) % parts == part)
        page = keys[: request.get("Limit", 1000)]
        answer: dict[str, Any] = {"Items": [self.rows[key] for key in page]}
        if len(page) < len(keys):
            answer["LastEvaluatedKey"] = {"connection_id": {"S": page[-1]}}
        return answer


def _row(key: str, connected_at: int) -> dict[str, Any]:
    return {
        "connection_id": {"S": key},
        "connected_at": {"N": str(connected_at)},
        "expires_at": {"N": str(connection_expiry(connected_at))},
    }


def _holds(request: dict[str, Any], row: Row) -> bool:
    """Whether the condition does, of which this knows what we write."""
    values = request.get("ExpressionAttributeValues", {})
    for term in request["ConditionExpression"].split(" AND "):
        if term.startswith("attribute_exists("):
            holds = term[len("attribute_exists(") : -1] in row
        elif term.startswith("attribute_not_exists("):
            holds = term[len("attribute_not_exists(") : -1] not in row
        else:
            name, _, value = term.partition(" = ")
            holds = row.get(name) == values[value]
        if not holds:
            return False
    return True


@dataclass(eq=False)
class _Request:
    call: Call[Any]
    answer: Answer | None = None
    arrived: bool = False


class SteppedTransport:
    """A transport: at each step the tape says what comes next, of the requests or of the `happenings`."""

    def __init__(
        self, chat: SimulatedChat, decisions: Decisions, events: Sequence[Callable[[], None]]
    ) -> None:
        self._chat = chat
        self._decisions = decisions
        self._events = events

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        requests: list[_Request] = []
        while not scheduler.done:
            if stop_reason is not None and (reason := stop_reason()):
                scheduler.stop(reason)
            match self._decisions(6):
                case 4 if requests:
                    self._step(scheduler, requests, requests[self._decisions(len(requests))])
                case 5 if self._events:
                    self._events[self._decisions(len(self._events))]()
                case _:
                    self._advance(scheduler, requests)

    def close(self) -> None: ...

    def _advance(self, scheduler: RequestScheduler[Any], requests: list[_Request]) -> None:
        if (call := scheduler.next_call(self._now)) is not None:
            requests.append(_Request(call))
        elif requests:
            self._step(scheduler, requests, requests[0])
        elif not scheduler.done:
            self._chat.wait(max(1, round(scheduler.wait_seconds(self._now) * 1000)))

    def _step(self, scheduler: RequestScheduler[Any], requests: list[_Request], request: _Request) -> None:
        """One step of it: first it takes effect, or does not; then that is told, or is not."""
        if not request.arrived:
            request.arrived = True
            match self._decisions(8):
                case 6:
                    request.answer = REFUSALS[self._decisions(len(REFUSALS))]
                case 7:
                    request.answer = None
                case fate:
                    done = self._execute(scheduler, request.call)
                    request.answer = None if fate == 5 else done
            return
        requests.remove(request)
        late = self._now - request.call.sent_at > CONNECT_TIMEOUT_SECONDS + RESPONSE_TIMEOUT_SECONDS
        if request.answer is None or late:
            scheduler.record_failure(request.call, "reset", self._now)
        else:
            scheduler.record_response(request.call, *request.answer, self._now)

    def _execute(self, scheduler: RequestScheduler[Any], call: Call[Any]) -> Answer:
        if isinstance(scheduler.target, RowDeletion):
            return self._chat.delete_item(json.loads(call.body))
        key = unquote(call.signed.path.rpartition("/")[2])
        return self._chat.gateway(scheduler.target.method, key, call.body)

    @property
    def _now(self) -> float:
        return self._chat.now_ms / 1000


class RecordingSource:
    """A source of pages that records the recipients it returned."""

    def __init__(self, pages: Iterator[Sequence[Recipient]]) -> None:
        self.given: list[str] = []
        self.ended = False
        self._pages = pages

    def next(self) -> Sequence[Recipient] | None:
        page = next(self._pages, None)
        self.ended = page is None
        self.given += [each.connection_id for each in page or ()]
        return page


def keys() -> Credentials:
    return Credentials("AKIAEXAMPLE", "secret")


def request_target(method: Any, body: bytes = b"") -> ConnectionRequests:
    return ConnectionRequests(method, URL, "us-east-2", keys, body)


def deletion_target() -> RowDeletion:
    return RowDeletion("https://dynamodb.example", "us-east-2", "connections", keys)
