"""SIGKILL at each call of an update of everything, to and fro, while people talk in the chat."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.support.forked_deploys import Line
from tests.e2e.support.kill_points import Killing, there_and_back
from tests.e2e.support.operator import Operator
from tests.e2e.support.participants import talked
from tests.e2e.support.sandbox import Sandbox

OLD = Line(("deploy", "--yes", "--json"), {"NWCHAT_CHAT__RATE_MESSAGES": "100000"})
NEW = Line(
    OLD.argv,
    {
        "NWCHAT_CHAT__RATE_MESSAGES": "100001",
        "NWCHAT_FUNCTIONS__MEMORY_MB": "320",
        "NWCHAT_STAGE__THROTTLE_RATE": "500",
        "NWCHAT_LOGS__RETENTION_DAYS": "7",
    },
    newer=True,
)


@pytest.fixture
def killing(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killing]:
    chat = Operator(
        sandbox, "e2e-killed-update", tmp_path_factory.mktemp("home"), NWCHAT_HISTORY__ENABLED="false"
    )
    with talked(chat, OLD, NEW) as killing:
        yield killing


# A hundred processes wait for functions to be updated.
@pytest.mark.timeout(600)
def test_an_update(killing: Killing, record_property: Callable[[str, object], None]) -> None:
    there, back = killing.at_every_call(there_and_back(killing, "update", OLD, NEW))
    # Functions' code and settings, versions, aliases, integrations, a route, its permission, deployment,
    # stage and log groups; and back the route and its permission that go.
    assert there.changed >= 25
    assert back.changed >= 2
    record_property("summary", str(there))
    record_property("summary", str(back))
