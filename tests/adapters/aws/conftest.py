from __future__ import annotations

from collections.abc import Iterator

import pytest

from nwchatctl.aws.core import retry
from tests.adapters.aws.stubbed_clients import ImmediateEvent, StubbedClients


@pytest.fixture
def clients() -> Iterator[StubbedClients]:
    clients = StubbedClients()
    yield clients
    for stub in clients.stubs:
        stub.assert_no_pending_responses()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_stop", ImmediateEvent())
