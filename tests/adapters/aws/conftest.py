from __future__ import annotations

from collections.abc import Iterator

import pytest

from nwchatctl.aws.core import retry
from tests.adapters.aws.stubbed_clients import Desk, Rush


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    for stub in desk.stubs:
        stub.assert_no_pending_responses()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_stop", Rush())
