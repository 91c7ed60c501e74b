"""Point-in-time recovery, which AWS offers minutes after a table was created."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from nwchatctl.aws.core import retry
from nwchatctl.aws.dynamodb import recovery
from nwchatctl.aws.dynamodb.recovery import Recoveries
from nwchatctl.deploy.model.storage import Recovery
from nwchatctl.errors import ChatError
from tests.adapters.aws.stubbed_clients import StubbedClients

ON = {"TableName": "t", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
UNAVAILABLE = ("update_continuous_backups", "ContinuousBackupsUnavailableException")


class Clock(threading.Event):
    """The event that a wait waits for: it moves the clock."""

    now = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(retry, "_stop", made)
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def test_recovery_is_awaited_and_the_operator_is_told(clients: StubbedClients, clock: Clock) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error("update_continuous_backups", "TableNotFoundException")
    for _ in range(23):
        stub.add_client_error(*UNAVAILABLE)
    stub.add_response("update_continuous_backups", {}, ON)
    said: list[str] = []
    Recoveries(client, said.append).create(Recovery("t"))
    assert clock.now == 120
    # After the first wait, and every minute.
    assert [each.partition("(")[2].partition(")")[0] for each in said] == ["minutes", "minutes, 1 min so far"]
    assert "Ctrl-C leaves this to the next deploy" in said[0]


def test_wait_is_bounded(clients: StubbedClients, clock: Clock) -> None:
    client, stub = clients.client("dynamodb")
    for _ in range(int(recovery.AVAILABLE_SECONDS / recovery.POLL_SECONDS) + 1):
        stub.add_client_error(*UNAVAILABLE)
    with pytest.raises(ChatError, match="the chat works without it") as caught:
        Recoveries(client).create(Recovery("t"))
    assert (caught.value.code, clock.now) == ("recovery_unavailable", recovery.AVAILABLE_SECONDS)


@pytest.mark.parametrize("by", ["failure elsewhere", "Ctrl-C"])
def test_wait_is_given_up(clients: StubbedClients, clock: Clock, by: str) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error(*UNAVAILABLE)
    recoveries = Recoveries(client)
    if by == "Ctrl-C":
        clock.set()
    else:
        recoveries.give_up()
    with pytest.raises(ChatError) as caught:
        recoveries.create(Recovery("t"))
    assert caught.value.code == "recovery_unavailable"


@pytest.mark.parametrize(("status", "found"), [("ENABLED", Recovery("t")), ("DISABLED", None)])
def test_recovery_is_read(clients: StubbedClients, status: str, found: Recovery | None) -> None:
    client, stub = clients.client("dynamodb")
    description: Any = {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status},
    }
    stub.add_response("describe_continuous_backups", {"ContinuousBackupsDescription": description})
    assert Recoveries(client).read("t") == found


def test_table_that_is_being_created_has_none(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error("describe_continuous_backups", "TableNotFoundException")
    assert Recoveries(client).read("t") is None
