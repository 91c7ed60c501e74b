"""The function handlers over tables, a gateway and a log that are held in memory."""

from __future__ import annotations

import io
import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from nwchat.aws.signing import Credentials
from nwchat.config import Config
from nwchat.log import JsonFormatter, Log, Redaction
from nwchat.message import message
from nwchat.model.bans import Ban, ban_row
from nwchat.model.budget import BudgetWindow, entries_of, expired_entries, socket_entry, window_at
from nwchat.model.ids import first_ulid
from nwchat.model.limits import Limits
from nwchat.model.log_hash import log_hash
from nwchat.model.paging import page_of
from nwchat.model.rows import CONNECTION_KEYS, Connection, Origin, Recipient, Row, connection_row
from nwchat.model.wire import Message, Page
from nwchat.runtime import Event, Response, Services
from nwchat.storage.budgets import MANY, Budgets
from nwchat.storage.scan import ScanPage, ScanSegment
from nwchat.storage.store import Appended, Dedup, Duplicate, Store, Stored
from tests.unit.nwchat.delivery import virtual_transport
from tests.unit.nwchat.delivery.virtual_transport import FAILED_CONDITION, holds

NOW = 1_700_000_000_000


class FakeStore(Store):
    """Both tables in memory. A name in `broken` makes the method of that name raise."""

    def __init__(self, *connections: Connection, broken: str = "", allowed: int = 99) -> None:
        self.rows = {each.connection_id: each for each in connections}
        self.messages: list[Message] = []
        self.expiries: list[int] = []
        self.sent: dict[Dedup, Duplicate] = {}
        self.origins: list[Origin] = []
        self.activity: list[tuple[str, int, str, str]] = []
        self.broken = broken
        self.allowed = allowed
        self.banned: dict[str, Ban] = {}
        self.ban_lookups: list[Sequence[str]] = []

    def _may_break(self, name: str) -> None:
        if self.broken == name:
            raise OSError("table away")

    def add_connection(self, connection: Connection) -> None:
        self._may_break("add_connection")
        self.rows[connection.connection_id] = connection

    def remove_connection(self, connection_id: str) -> None:
        self._may_break("remove_connection")
        self.rows.pop(connection_id, None)

    def delete(self, call: Any) -> virtual_transport.Answer:
        """What DynamoDB answers to the DeleteItem of a fan-out."""
        request = json.loads(call.body)
        name = request["Key"]["connection_id"]["S"]
        there = self.rows.get(name)
        if not holds(request, None if there is None else connection_row(there)):
            return FAILED_CONDITION
        del self.rows[name]
        return 200, b"{}"

    def record_activity(
        self,
        connection_id: str,
        connected_at: int,
        uname: str,
        sender_id: str,
        now_ms: int,
        limits: Limits,
        *,
        origin: Origin = Origin(),
    ) -> bool:
        self._may_break("record_activity")
        self.origins.append(origin)
        self.activity.append((connection_id, connected_at, uname, sender_id))
        return len(self.activity) <= self.allowed

    def ban(self, *bans: Ban) -> None:
        self.banned |= {each.key: each for each in bans}

    def bans(self, keys: Sequence[str]) -> list[Row]:
        self._may_break("bans")
        self.ban_lookups.append(keys)
        return [ban_row(self.banned[key]) for key in keys if key in self.banned]

    def scan(self, segment: ScanSegment, now_ms: int, **options: Any) -> Iterator[ScanPage]:
        for each in sorted(self.rows.values(), key=lambda row: row.connection_id)[
            segment.number :: segment.total
        ]:
            if each.connection_id > segment.start:
                row = connection_row(each)
                kept = {name: row[name] for name in CONNECTION_KEYS if name in row}
                yield ScanPage([Recipient(each.connection_id, kept)], segment)
        self._may_break("scan")

    def append(
        self,
        message: Message,
        expires_at: int,
        dedup: Dedup | None = None,
        *,
        renew: Callable[[Message], Message] = lambda message: message,
    ) -> Appended:
        # The ids of these chats are of 1970, and would all be late.
        self._may_break("append")
        if dedup is not None:
            if dedup in self.sent:
                return self.sent[dedup]
            self.sent[dedup] = Duplicate(message.id)
        self.messages.append(message)
        self.expiries.append(expires_at)
        return Stored(message.id)

    def mark_sent(self, message: Message, dedup: Dedup) -> None:
        self._may_break("mark_sent")
        self.sent[dedup] = replace(self.sent[dedup], sent=True)

    def message(self, message_id: str) -> Message | None:
        return next((each for each in self.messages if each.id == message_id), None)

    def page(
        self,
        limit: int,
        now_ms: int,
        *,
        before: str | None = None,
        after: str | None = None,
        consistent: bool = False,
    ) -> Page:
        wanted = [each for each in self.messages if after is None or each.id > after]
        near_first = wanted if after is not None else wanted[::-1]
        return page_of(near_first[: limit + 1], limit, before=before, after=after)


class FakeBudgets(Budgets):
    """Budgets in memory. A name in `broken` makes the method of that name raise."""

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.spent: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.sockets: dict[str, set[str]] = {}
        self.broken = ""

    def _may_break(self, name: str) -> None:
        if self.broken == name:
            raise OSError("table away")

    def _submit(self, room: str, window: BudgetWindow, price: int) -> Future[int]:
        future: Future[int] = Future()
        try:
            self._may_break("charge")
        except OSError as error:
            future.set_exception(error)
            return future
        self.spent[room, window.id] += price
        future.set_result(self.spent[room, window.id])
        return future

    def count_refusal(self, connection_id: str, now_ms: int, limits: Limits) -> int:
        if connection_id not in self.store.rows:
            return MANY
        counted = connection_id, window_at(now_ms, limits).id
        self.refused[counted] += 1
        return self.refused[counted]

    def add_socket(self, room: str, connection_id: str, connected_at: int, now_ms: int, most: int) -> bool:
        self._may_break("add_socket")
        there = self.sockets.setdefault(room, set())
        if len(there) >= most:
            there -= set(expired_entries(there, now_ms))
        if len(there) >= most:
            return False
        there.add(socket_entry(connection_id, connected_at))
        return True

    def remove_socket(self, room: str, connection_id: str, connected_at: int) -> None:
        self._may_break("remove_socket")
        there = self.sockets.get(room, set())
        there -= set(entries_of(connection_id, there))


class FakeGateway(virtual_transport.FakeGateway):
    """What each socket got, as objects."""

    @property
    def received(self) -> dict[str, list[Any]]:
        return {name: [json.loads(each) for each in frames] for name, frames in self.got.items()}


class Chat:
    """The handlers with everything around them in memory."""

    def __init__(
        self,
        store: FakeStore,
        gateway: FakeGateway | None = None,
        credentials: Callable[[], Credentials] = lambda: Credentials("AK", "secret"),
        **config: Any,
    ) -> None:
        self.store = store
        self.gateway = gateway or FakeGateway()
        self.poster, self.transport = virtual_transport.make_poster(
            self.gateway, store.delete, now_ms=NOW, seconds=1.0, credentials=credentials
        )
        self.output = io.StringIO()
        logger = logging.Logger("nwchat", logging.INFO)
        handler = logging.StreamHandler(self.output)
        handler.setFormatter(JsonFormatter())
        handler.addFilter(Redaction())
        logger.addHandler(handler)
        self.log = Log(logger, {"request_id": "r1", "connection_id": "c1"})
        made = iter(range(1, 1000))
        self.budgets = FakeBudgets(store)
        self.services = Services(
            Config("connections", "messages", **config),
            store,
            now_ms=lambda: NOW,
            new_id=lambda: first_ulid(next(made)),
            invoke_fanout=lambda segments: [],
            estimated_size=int,
            token_keys=tuple,
            log_hash=lambda text: log_hash(b"key", text),
            budgets=self.budgets,
        )

    def send(self, body: str | None, connection_id: str = "me", deadline: float = math.inf) -> Response:
        request = {"routeKey": "$default", "connectionId": connection_id, "connectedAt": NOW - 60_000}
        return self.handle({"requestContext": request, "body": body}, deadline)

    def handle(self, event: Event, deadline: float = math.inf) -> Response:
        """The message function's response to a whole event."""
        return message(event, self.services, self.poster, deadline, self.log)

    def logged(self) -> list[Any]:
        return [json.loads(line) for line in self.output.getvalue().splitlines()]


def room(*names: str) -> FakeStore:
    return FakeStore(*(Connection(name, NOW - 60_000) for name in names))


def frame(number: int, text: str, uname: str = "", sender_id: str = "") -> dict[str, str]:
    return {
        "type": "message",
        "id": first_ulid(number),
        "message": text,
        "uname": uname,
        "sender_id": sender_id,
        "date": str(NOW),
    }


def error(code: str, detail: str, **client_id: str) -> dict[str, str]:
    return {"type": "error", "code": code, "detail": detail, **client_id}


def handshake(**headers: str) -> dict[str, Any]:
    return {
        "headers": {"Host": "h", "User-Agent": "agent from headers", **headers},
        "requestContext": {
            "connectionId": "c1=",
            "connectedAt": NOW - 5,
            "identity": {"sourceIp": "1.2.3.4", "userAgent": "agent"},
        },
    }
