"""The message function over services that fail at any call, and clients that keep the rules.

The store, the poster and the functions are the real ones. What they call is in memory: DynamoDB with stale
reads, API Gateway's sockets, and Lambda, which runs what it accepted later. Each call can fail as `Fault`
says.
"""

from __future__ import annotations

import io
import json
import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, ClassVar, NoReturn
from zlib import crc32

import pytest

from nwchat import message as message_module
from nwchat.config import Config, FanOut
from nwchat.fanout import Invocation, fan_out_segment
from nwchat.large_rooms.invoker import FailedInvocation
from nwchat.large_rooms.segments import Segment
from nwchat.log import JsonFormatter, Log
from nwchat.message import message
from nwchat.model.ids import RANDOM_BYTES, ROOM, UlidGenerator, first_ulid, ulid_time
from nwchat.model.limits import Limits
from nwchat.model.rows import Connection
from nwchat.runtime import Services
from nwchat.storage.store import Store
from tests.unit.nwchat.delivery import virtual_transport
from tests.unit.nwchat.delivery.virtual_transport import FAILED_CONDITION, holds
from tests.unit.nwchat.fake_chat import FakeBudgets, FakeStore

NOW = 1_700_000_000_000
STALE_MS = 1000
"""An eventually consistent read does not see what was written within this time."""
OVERLAP_MS = 30_000
"""How much earlier than its last message a client asks for what it missed."""


class Kind(Enum):
    """What happens at a call."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    FAILS = "fails"
    LOST = "its answer is lost"
    PAUSED_BEFORE = "something else before"
    PAUSED_AFTER = "something else after"


@dataclass(frozen=True)
class Fault:
    """`kind` happens at call number `call` of an invocation; `meanwhile` is what happens in a pause.

    `ack_first`: of the ack and the note that the message was sent, the ack is first.
    """

    call: int
    kind: Kind
    meanwhile: Callable[[], None] = lambda: None
    ack_first: bool = False


class Killed(BaseException):
    """The function has died."""


class ConditionFailed(Exception):
    response: ClassVar[Any] = {}


class TransactionCanceled(Exception):
    def __init__(self, reasons: list[Any]) -> None:
        super().__init__("cancelled")
        self.response = {"CancellationReasons": reasons}


class Tables:
    """DynamoDB's tables: rows by table and key, and when each was written."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.rows: dict[tuple[str, str, str], tuple[int, Any]] = {}

    def get(self, table: str, row: Any) -> Any:
        return self.rows.get(_key(table, row), (0, None))[1]

    def put(self, table: str, row: Any) -> None:
        self.rows[_key(table, row)] = self.clock(), row

    def delete(self, table: str, row: Any) -> None:
        self.rows.pop(_key(table, row), None)

    def find(self, table: str, room: str, *, consistent: bool) -> list[Any]:
        """The rows of a partition, or of a table without partitions, in order."""
        latest = self.clock() - (0 if consistent else STALE_MS)
        return [
            row
            for key, (written_at, row) in sorted(self.rows.items(), key=lambda item: item[0])
            if key[:2] == (table, room) and written_at <= latest
        ]


def _key(table: str, row: Any) -> tuple[str, str, str]:
    if "connection_id" in row:
        return table, "", row["connection_id"]["S"]
    return table, row["room"]["S"], row["id"]["S"]


def condition_holds(request: Any, row: Any) -> bool:
    """Whether a ConditionExpression of clauses joined by OR holds for a row, None for no row."""
    values, row = request.get("ExpressionAttributeValues", {}), row or {}

    def clause_holds(clause: str) -> bool:
        if clause.startswith("attribute_not_exists("):
            return clause[len("attribute_not_exists(") : -1] not in row
        name, operator, value = clause.split()
        if operator == "<=":
            return name in row and int(row[name]["N"]) <= int(values[value]["N"])
        assert operator == "="
        return bool(row.get(name) == values[value])

    text = request.get("ConditionExpression")
    return text is None or any(map(clause_holds, text.split(" OR ")))


@dataclass
class Client:
    """A client that keeps the rules: it asks for what it missed, and shows each id once."""

    name: str
    proven: bool
    socket: str = ""
    opened_at: int = 0
    asked_after: str = ""
    """The id after which it asked when its socket was opened."""
    shown: dict[str, str] = field(default_factory=dict)
    """Texts by id."""
    unacked: dict[str, str] = field(default_factory=dict)
    """Texts by `client_id`."""
    acks: list[tuple[str, str, str]] = field(default_factory=list)
    """Its texts that were acked, with the `client_id` and the id."""
    texts: dict[str, str] = field(default_factory=dict)
    senders: dict[str, str] = field(default_factory=dict)
    """Whose sender_id it claims with a `client_id`, where that is not its own."""
    page: Any = None

    def receive(self, frame: Any) -> None:
        match frame["type"]:
            case "message":
                self.show(frame)
            case "history":
                self.page = frame
                for each in frame["messages"]:
                    self.show(each)
            case "ack":
                self.unacked.pop(frame["client_id"], None)
                self.acks.append((self.texts[frame["client_id"]], frame["client_id"], frame["id"]))

    def show(self, shown: Any) -> None:
        assert self.shown.setdefault(shown["id"], shown["message"]) == shown["message"]

    def frame(self, client_id: str) -> dict[str, str]:
        sender = self.senders.get(client_id, self.name)
        return {"message": self.texts[client_id], "sender_id": sender, "client_id": client_id}


class FaultyChat:
    """A chat with the clients `names`; `large`: a room of more than one connection is a large one."""

    def __init__(self, names: Sequence[str], *, large: bool = False, tokens: bool = False) -> None:
        self.now = NOW
        self.tables = Tables(lambda: self.now)
        self.clients = {name: Client(name, tokens) for name in names}
        self.sockets: dict[str, Client] = {}
        self.config = Config(
            "connections",
            "messages",
            limits=Limits(rate_messages=10_000, sender_messages=1_000_000),
            tokens=tokens,
            fan_out=FanOut("f:live", 1 if large else 1000, 2),
        )
        self.accepted: list[Segment] = []
        self.numbers = iter(range(1_000_000))
        self.output = io.StringIO()

    # What a client does -------------------------------------------------------------------------

    def connect(self, name: str) -> None:
        """Open a socket and ask for what was missed. Another one of the client is closed before."""
        client = self.clients[name]
        self.disconnect(name)
        client.socket, client.opened_at = f"{name}-{next(self.numbers)}", self.now
        self.sockets[client.socket] = client
        _Invocation(self).store.add_connection(Connection(client.socket, self.now))
        last = max(client.shown, default="")
        client.asked_after = after = first_ulid(max(ulid_time(last) - OVERLAP_MS, 0)) if last else ""
        self.receive(client.socket, {"action": "history", "limit": 50, **({"after": after} if after else {})})
        while after and client.page["after"]:
            self.receive(client.socket, {"action": "history", "after": client.page["after"]})

    def disconnect(self, name: str) -> None:
        client = self.clients[name]
        if client.socket:
            del self.sockets[client.socket]
            self.tables.delete("connections", {"connection_id": {"S": client.socket}})
        client.socket = ""

    def say(self, name: str, fault: Fault | None = None, client_id: str = "") -> str:
        """Send a text that nobody has sent before; returns its `client_id`."""
        client, number = self.clients[name], next(self.numbers)
        client_id = client_id or f"k{number}"
        client.texts[client_id] = client.unacked[client_id] = f"text {number}"
        self.retry(name, client_id, fault)
        return client_id

    def retry(self, name: str, client_id: str, fault: Fault | None = None) -> list[str]:
        client = self.clients[name]
        return self.receive(client.socket, client.frame(client_id), fault)

    def forge(self, name: str, victim: str, client_id: str, fault: Fault | None = None) -> None:
        """Send a text under the sender_id and the `client_id` of another player, unless `name` has itself
        used that `client_id` for something else."""
        client = self.clients[name]
        if client.senders.get(client_id) != victim:
            if client_id in client.texts:
                return
            client.senders[client_id] = victim
            client.texts[client_id] = client.unacked[client_id] = f"forged {next(self.numbers)}"
        self.retry(name, client_id, fault)

    def receive(self, socket: str, frame: Any, fault: Fault | None = None) -> list[str]:
        """Run the function for a frame of a socket; returns the calls that it made."""
        client = self.sockets[socket]
        request: dict[str, Any] = {"connectionId": socket, "connectedAt": client.opened_at}
        if client.proven:
            request["authorizer"] = {"sender_id": client.name, "uname": client.name, "role": ""}
        invocation = _Invocation(self, fault)
        event = {"requestContext": request, "body": json.dumps(frame)}
        with invocation.inline_executor(), suppress(Killed):
            message(event, invocation.services(), invocation.poster, math.inf, invocation.log)
        return invocation.calls

    # What happens by itself ---------------------------------------------------------------------

    def accept(self, segment: Segment) -> None:
        self.accepted.append(segment)

    def run_accepted(self) -> None:
        """Run the invocations of `fanout` that Lambda has accepted."""
        accepted, self.accepted = self.accepted, []
        for each in accepted:
            fanout = _Invocation(self)
            services = fanout.services()
            again = Invocation(services, fanout.poster, self.accept, fanout.log, lambda: 0.0)
            fan_out_segment(each, again, math.inf)

    def stored(self) -> list[Any]:
        """The messages of the history."""
        return self.tables.find("messages", ROOM, consistent=True)


class _Inline:
    """Runs what is submitted at once, or at the end of the block."""

    late = False

    def __init__(self, *_: Any, **__: Any) -> None:
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def __enter__(self) -> _Inline:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for future, run in self._waiting:
            if kind is None:
                _settle(future, run)

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.late:
            self._waiting.append((future, lambda: function(*args)))
        else:
            _settle(future, lambda: function(*args))
        return future


class _InlineLate(_Inline):
    late = True


def _settle(future: Future[Any], run: Callable[[], Any]) -> None:
    try:
        future.set_result(run())
    except Exception as error:
        future.set_exception(error)


class _Invocation:
    """One invocation of a function: a DynamoDB client, a poster and Lambda, one of whose calls fails."""

    class exceptions:
        ConditionalCheckFailedException = ConditionFailed
        TransactionCanceledException = TransactionCanceled

    def __init__(self, chat: FaultyChat, fault: Fault | None = None) -> None:
        self.chat = chat
        self.fault = fault
        self.calls: list[str] = []
        self.dead = False
        client: Any = self
        self.store = Store(client, "connections", "messages", sleep=lambda _: None, jitter=lambda: 0.5)
        self.poster, _ = virtual_transport.make_poster(self._post, self._delete_row, now_ms=chat.now)
        logger = logging.Logger("nwchat", logging.INFO)
        handler = logging.StreamHandler(chat.output)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        self.log = Log(logger, {})

    @contextmanager
    def inline_executor(self) -> Iterator[None]:
        """Concurrent writes are made in a fixed order, so that a fault is at the same call every time."""
        late = self.fault is not None and self.fault.ack_first
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(message_module, "ThreadPoolExecutor", _InlineLate if late else _Inline)
            yield

    def services(self) -> Services:
        return Services(
            self.chat.config,
            self.store,
            now_ms=lambda: self.chat.now,
            new_id=UlidGenerator(
                lambda: self.chat.now, lambda count: next(self.chat.numbers).to_bytes(RANDOM_BYTES, "big")
            ),
            invoke_fanout=self._invoke,
            estimated_size=lambda seen: max(seen, self.store.item_count()),
            token_keys=tuple,
            budgets=FakeBudgets(FakeStore()),
            log_hash=str,
        )

    def call(self, name: str, effect: Callable[[], Any]) -> Any:
        """One call to AWS, with the fault that was meant for it."""
        number = len(self.calls)
        self.calls.append(name)
        fault = self.fault if self.fault is not None and self.fault.call == number else None
        kind = None if fault is None else fault.kind
        if self.dead or kind is Kind.KILLED_BEFORE:
            self._die()
        if kind is Kind.FAILS:
            raise ConnectionError("refused")
        if fault is not None and kind is Kind.PAUSED_BEFORE:
            fault.meanwhile()
        result = effect()
        if fault is not None and kind is Kind.PAUSED_AFTER:
            fault.meanwhile()
        if kind is Kind.KILLED_AFTER:
            self._die()
        if kind is Kind.LOST:
            raise TimeoutError("read timed out")
        return result

    def _die(self) -> NoReturn:
        """Nothing more happens. A thread that reads ahead must not end with an error that nobody catches."""
        self.dead = True
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("the function has died")
        raise Killed

    # API Gateway and Lambda ---------------------------------------------------------------------

    def _post(self, call: Any) -> virtual_transport.Answer:
        def post() -> virtual_transport.Answer:
            client = self.chat.sockets.get(call.item.connection_id)
            if client is None:
                return 410, b""
            client.receive(json.loads(call.body))
            return 200, b""

        return self._answer("post", post)

    def _delete_row(self, call: Any) -> virtual_transport.Answer:
        request = json.loads(call.body)

        def delete() -> virtual_transport.Answer:
            if not holds(request, self.chat.tables.get("connections", request["Key"])):
                return FAILED_CONDITION
            self.chat.tables.delete("connections", request["Key"])
            return 200, b"{}"

        return self._answer("delete_item", delete)

    def _answer(self, name: str, effect: Callable[[], virtual_transport.Answer]) -> virtual_transport.Answer:
        try:
            answer: virtual_transport.Answer = self.call(name, effect)
        except (ConnectionError, TimeoutError) as error:
            return str(error)
        return answer

    def _invoke(self, segments: Sequence[Segment]) -> list[FailedInvocation]:
        failed = []
        for each in segments:
            try:
                self.call("invoke", partial(self.chat.accept, each))
            except (ConnectionError, TimeoutError) as error:
                failed.append(FailedInvocation(each, str(error)))
        return failed

    # DynamoDB -----------------------------------------------------------------------------------

    def put_item(self, **request: Any) -> Any:
        def put() -> Any:
            table, row = request["TableName"], request["Item"]
            if not condition_holds(request, self.chat.tables.get(table, row)):
                raise ConditionFailed
            self.chat.tables.put(table, row)
            return {}

        return self.call("put_item", put)

    def transact_write_items(self, TransactItems: Any) -> Any:
        def write() -> Any:
            tables, puts = self.chat.tables, [each["Put"] for each in TransactItems]
            old = [tables.get(each["TableName"], each["Item"]) for each in puts]
            kept = [condition_holds(each, row) for each, row in zip(puts, old, strict=True)]
            if not all(kept):
                reasons = [
                    {"Code": "None"} if ok else {"Code": "ConditionalCheckFailed", "Item": row}
                    for ok, row in zip(kept, old, strict=True)
                ]
                raise TransactionCanceled(reasons)
            for each in puts:
                tables.put(each["TableName"], each["Item"])
            return {}

        return self.call("transact_write_items", write)

    def update_item(self, **request: Any) -> Any:
        def update() -> Any:
            values = request["ExpressionAttributeValues"]
            old = self.chat.tables.get(request["TableName"], request["Key"])
            if old is None and request["TableName"] == "connections":
                row = {**request["Key"], "connected_at": values[":connected"]}
                self.chat.tables.put(request["TableName"], row)
            return {}

        return self.call("update_item", update)

    def batch_get_item(self, **_: Any) -> Any:
        return self.call("batch_get_item", lambda: {"Responses": {}})

    def describe_table(self, **_: Any) -> Any:
        return self.call("describe_table", lambda: {"Table": {"ItemCount": 0}})

    def scan(self, **request: Any) -> Any:
        def read() -> Any:
            assert "ExclusiveStartKey" not in request
            found = self.chat.tables.find("connections", "", consistent=request["ConsistentRead"])
            number, total = request.get("Segment", 0), request.get("TotalSegments", 1)
            segment = [row for row in found if crc32(row["connection_id"]["S"].encode()) % total == number]
            return {"Items": segment}

        return self.call("scan", read)

    def query(self, **request: Any) -> Any:
        def read() -> Any:
            values = {
                name: value["S"]
                for name, value in request["ExpressionAttributeValues"].items()
                if "S" in value
            }
            consistent = request.get("ConsistentRead", False)
            found = self.chat.tables.find("messages", values[":room"], consistent=consistent)
            after, before = values.get(":after", ""), values.get(":before", "~")
            inclusive = "BETWEEN" in request["KeyConditionExpression"]
            found = [
                row
                for row in found
                if after < row["id"]["S"] < before or (inclusive and row["id"]["S"] in (after, before))
            ]
            if not request["ScanIndexForward"]:
                found.reverse()
            # Without a limit: the pages of a query are not what is tested.
            return {"Items": found}

        return self.call("query", read)
