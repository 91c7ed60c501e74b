"""SIGKILL at each call of an update of everything, to and fro, while people talk in the chat."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.support.forked_deploys import CommandLine
from tests.e2e.support.kill_points import KillRunner, round_trip
from tests.e2e.support.operator import Operator
from tests.e2e.support.participants import with_participants
from tests.e2e.support.sandbox import Sandbox

OLD = CommandLine(("deploy", "--yes", "--json"), {"NWCHAT_CHAT__RATE_MESSAGES": "100000"})
NEW = CommandLine(
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
def kill_runner(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillRunner]:
    chat = Operator(
        sandbox, "e2e-killed-update", tmp_path_factory.mktemp("home"), NWCHAT_HISTORY__ENABLED="false"
    )
    with with_participants(chat, OLD, NEW) as kill_runner:
        yield kill_runner


# A hundred processes wait for functions to be updated.
@pytest.mark.timeout(1200)
def test_update_killed_at_every_call(
    kill_runner: KillRunner, record_property: Callable[[str, object], None]
) -> None:
    there, back = kill_runner.kill_at_every_call(round_trip(kill_runner, "update", OLD, NEW))
    # Functions' code and settings, versions, aliases, integrations, a route, its permission, deployment,
    # stage and log groups; and back the route and its permission that go.
    assert there.changed >= 25
    assert back.changed >= 2
    record_property("summary", str(there))
    record_property("summary", str(back))
