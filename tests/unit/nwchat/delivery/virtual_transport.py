"""A transport without a network, on which time passes by waiting alone, and sockets and rows behind it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

from nwchat.aws.signing import Credentials
from nwchat.delivery.poster import Poster
from nwchat.delivery.request import Call
from nwchat.delivery.scheduler import SOURCE_POLL_SECONDS, RequestScheduler
from nwchat.delivery.targets import RowDeletion
from nwchat.model.rows import Recipient

Answer: TypeAlias = tuple[int, bytes] | str
"""Status and body, or why the connection broke."""

GATEWAY = "https://gateway.example/prod"
DYNAMODB = "https://dynamodb.example"


@dataclass
class VirtualTransport:
    """`answer` is asked for the answer to each call, with its host; one takes `seconds` to come."""

    answer: Callable[[str, Call[Any]], Answer]
    seconds: float = 0.01
    now: float = 0.0
    max_in_flight: int = 0
    jitter: Callable[[], float] | None = None
    """None leaves the scheduler's own."""

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        coming: deque[tuple[float, Call[Any]]] = deque()
        if self.jitter is not None:
            scheduler._jitter = self.jitter
        while True:
            if stop_reason is not None and (reason := stop_reason()):
                scheduler.stop(reason)
            while (call := scheduler.next_call(self.now)) is not None:
                coming.append((self.now + self.seconds, call))
            if scheduler.done:
                return
            self.max_in_flight = max(self.max_in_flight, len(coming))
            if coming:
                due, call = coming.popleft()
                self.now = max(self.now, due)
                self._settle(scheduler, call)
            else:
                wait = scheduler.wait_seconds(self.now)
                # Whoever reads ahead does it in a thread and in real time. How long it takes depends on
                # the machine, so the time of the run stands still meanwhile.
                self.now += 0.0 if wait == SOURCE_POLL_SECONDS else max(wait, 0.001)
                time.sleep(0.0002)

    def close(self) -> None:
        pass

    def _settle(self, scheduler: RequestScheduler[Any], call: Call[Any]) -> None:
        match self.answer(scheduler.target.host, call):
            case str(reason):
                scheduler.record_failure(call, reason, self.now)
            case (status, body):
                scheduler.record_response(call, status, body, self.now)


@dataclass
class FakeGateway:
    """Sockets, and what each of them got. Those in `answers` get nothing and answer that, again and again.
    A DELETE, which has no body, closes the socket."""

    answers: dict[str, Answer] = field(default_factory=dict)
    got: dict[str, list[bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def __call__(self, call: Call[Any]) -> Answer:
        name = call.item.connection_id
        if not call.body:
            self.closed.append(name)
            return (204, b"")
        self.asked.append(name)
        answer = self.answers.get(name, (200, b""))
        if answer == (200, b""):
            self.got.setdefault(name, []).append(call.body)
        return answer


def make_poster(
    gateway: Callable[[Call[Any]], Answer],
    rows: Callable[[Call[Any]], Answer] = lambda call: (200, b"{}"),
    *,
    now_ms: int = 0,
    seconds: float = 0.01,
    credentials: Callable[[], Credentials] = lambda: Credentials("AK", "secret"),
) -> tuple[Poster, VirtualTransport]:
    """A real one, over a transport that is not. `rows` answers what deletes rows."""

    def answer(host: str, call: Call[Any]) -> Answer:
        return gateway(call) if host == "gateway.example" else rows(call)

    # A run is the same each time.
    transport = VirtualTransport(answer, seconds, jitter=Random(1).random)
    region = "us-east-2"
    deleting = RowDeletion(DYNAMODB, region, "connections", credentials)
    return Poster(transport, GATEWAY, region, credentials, deleting, lambda: now_ms), transport


def holds(request: Mapping[str, Any], row: Mapping[str, Any] | None) -> bool:
    """Whether the condition of a DeleteItem holds for a row: as DynamoDB, for what `delete_item` writes."""
    values = request.get("ExpressionAttributeValues", {})
    for clause in request["ConditionExpression"].split(" AND "):
        function, _, rest = clause.partition("(")
        if rest:
            there = row is not None and rest.rstrip(")") in row
            if there is not (function == "attribute_exists"):
                return False
        else:
            name, _, value = clause.partition(" = ")
            if row is None or row.get(name) != values[value]:
                return False
    return True


FAILED_CONDITION = (400, b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}')


@dataclass
class Pages:
    """A source of pages, with nothing yet where one is empty. An exception among them is raised."""

    pages: Sequence[Sequence[Recipient] | Exception]
    taken: int = 0

    def next(self) -> Sequence[Recipient] | None:
        if self.taken == len(self.pages):
            return None
        page = self.pages[self.taken]
        self.taken += 1
        if isinstance(page, Exception):
            raise page
        return page


def recipients(*names: str) -> tuple[Recipient, ...]:
    """Recipients that have been connected since the epoch."""
    return tuple(Recipient(name, {"connected_at": {"N": "0"}}) for name in names)
