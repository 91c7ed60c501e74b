"""The rows of budgets against moto's DynamoDB."""

from __future__ import annotations

import io
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from nwchat.log import JsonFormatter, Log
from nwchat.model.budget import window_at
from nwchat.model.ids import CONNECTION_SECONDS
from nwchat.model.limits import Limits
from nwchat.model.rows import Connection
from nwchat.storage import budgets as module
from nwchat.storage.budgets import MANY, Budgets
from nwchat.storage.store import Store
from tests.adapters.dynamodb_clients import Atomic

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_700_000_000_000
LIMITS = Limits(sender_messages=3, rate_seconds=10)
ROOM = "budget#someone"


@pytest.fixture(autouse=True)
def no_charge_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a write takes longer than a sender waits for it. It would limit no one, and the late
    write would reach the tables of the next test."""
    monkeypatch.setattr(module, "_WAIT_SECONDS", 60.0)


@pytest.fixture
def budgets(client: DynamoDBClient) -> Budgets:
    return Budgets(client, "connections", "messages")


class Logged:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.output = io.StringIO()
        logger = logging.Logger("nwchat")
        handler = logging.StreamHandler(self.output)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        self.log = Log(logger, {})


def spend(budgets: Budgets, now_ms: int = NOW, price: int = 1, room: str = ROOM) -> int | None:
    return budgets.charge(room, price, now_ms, LIMITS, Logged().log).retry_after()


def items(client: DynamoDBClient) -> list[Any]:
    return client.scan(TableName="messages")["Items"]


def test_sender_is_within_its_budget_until_the_next_window(budgets: Budgets) -> None:
    times = [0, 1, 2, 3, 9_999, 10_000]
    assert [spend(budgets, NOW + each) for each in times] == [None, None, None, 10, 1, None]
    assert spend(budgets, NOW + 10_001, price=3) == 10
    assert spend(budgets, NOW, room="budget#other") is None
    assert spend(budgets, NOW, room="", price=99) is None


def test_a_window_is_one_row_that_expires(budgets: Budgets, client: DynamoDBClient) -> None:
    spend(budgets, NOW + 1)
    spend(budgets, NOW + 2, price=2)
    (row,) = items(client)
    assert row == {
        "room": {"S": ROOM},
        "id": {"S": window_at(NOW, LIMITS).id},
        "spent": {"N": "3"},
        "expires_at": {"N": str(NOW // 1000 + 10 + 60)},
    }


def test_concurrent_charges_are_all_counted(client: DynamoDBClient) -> None:
    one_at_a_time: Any = Atomic(client)
    budgets = Budgets(one_at_a_time, "connections", "messages")
    with ThreadPoolExecutor(8) as pool:
        refused = [each for each in pool.map(lambda _: spend(budgets), range(12)) if each is not None]
    assert len(refused) == 12 - 3


class SlowClient:
    """A client whose writes wait for `event`."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.event = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def update_item(self, **request: Any) -> Any:
        assert self.event.wait(60)
        return self.client.update_item(**request)


def test_charge_is_written_beside_other_work(client: DynamoDBClient) -> None:
    slow: Any = SlowClient(client)
    budgets = Budgets(slow, "connections", "messages")
    charge = budgets.charge(ROOM, 99, NOW, LIMITS, Logged().log)
    # The caller works while the write is in progress, and so does another charge.
    other = budgets.charge(ROOM, 99, NOW, LIMITS, Logged().log)
    assert items(client) == []
    slow.event.set()
    assert [charge.retry_after(), other.retry_after()] == [10, 10]


def test_slow_or_failed_charge_limits_no_one(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.01)
    slow: Any = SlowClient(client)
    logged = Logged()
    budgets = Budgets(slow, "connections", "messages")
    charge = budgets.charge(ROOM, 99, NOW, LIMITS, logged.log)
    assert charge.retry_after() is None
    slow.event.set()
    monkeypatch.setattr(module, "_WAIT_SECONDS", 60.0)
    # Written in the end. Without waiting, the write would reach the tables of a later test.
    assert charge.retry_after() == 10
    missing = Budgets(client, "connections", "no-such-table")
    assert missing.charge(ROOM, 99, NOW, LIMITS, logged.log).retry_after() is None
    assert logged.output.getvalue().count("the budget cannot be counted") == 2
    assert ROOM not in logged.output.getvalue()


def test_refusals_are_counted_in_the_connections_row(budgets: Budgets, client: DynamoDBClient) -> None:
    Store(client, "connections", "messages").add_connection(Connection("a", NOW, NOW // 1000 + 100))
    times = [0, 1, 9_999, 10_000, 10_001, 30_000]
    assert [budgets.count_refusal("a", NOW + each, LIMITS) for each in times] == [1, 2, 3, 1, 2, 1]


def test_refusal_of_a_closed_connection_makes_no_row(budgets: Budgets, client: DynamoDBClient) -> None:
    assert budgets.count_refusal("a", NOW, LIMITS) == MANY
    assert client.scan(TableName="connections")["Items"] == []


def add(budgets: Budgets, name: str, *, most: int = 2, now_ms: int = NOW, age_ms: int = 0) -> bool:
    return budgets.add_socket(ROOM, name, now_ms - age_ms, now_ms, most)


def test_address_has_at_most_so_many_connections(budgets: Budgets) -> None:
    assert [add(budgets, each) for each in "abc"] == [True, True, False]
    # A repeated write is no second connection.
    assert add(budgets, "b") is True
    budgets.remove_socket(ROOM, "a", NOW)
    budgets.remove_socket(ROOM, "a", NOW)
    budgets.remove_socket(ROOM, "unknown", NOW)
    assert [add(budgets, each) for each in "cd"] == [True, False]


def test_connection_is_removed_although_its_time_differs(budgets: Budgets) -> None:
    assert add(budgets, "a", most=1)
    budgets.remove_socket(ROOM, "a", NOW + 2_000)
    assert add(budgets, "b", most=1)


def test_expired_connections_make_room(budgets: Budgets, client: DynamoDBClient) -> None:
    lifetime = CONNECTION_SECONDS * 1000
    assert [add(budgets, each, age_ms=lifetime) for each in "ab"] == [True, True]
    assert [add(budgets, each) for each in "cde"] == [True, True, False]
    (row,) = items(client)
    assert len(row["entries"]["SS"]) == 2
    assert row["expires_at"] == {"N": str(NOW // 1000 + CONNECTION_SECONDS)}


def test_row_of_an_address_stays_small(budgets: Budgets, client: DynamoDBClient) -> None:
    for each in range(200):
        assert add(budgets, f"L0SM9cOFvHcCIh{each:03}=", most=200)
    (row,) = items(client)
    # A write unit is 1 KB.
    assert len("".join(row["entries"]["SS"])) < 4096


def test_removing_the_last_connection_makes_no_row(budgets: Budgets, client: DynamoDBClient) -> None:
    budgets.remove_socket(ROOM, "a", NOW)
    assert items(client) == []
