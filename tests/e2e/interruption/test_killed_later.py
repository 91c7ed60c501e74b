"""SIGKILL at each call of an update of tags, of a rollback and of going forward again, while people talk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.e2e.support.forked_deploys import CommandLine
from tests.e2e.support.kill_points import KillRunner, Transition, plan_line, round_trip
from tests.e2e.support.operator import Operator
from tests.e2e.support.participants import with_participants
from tests.e2e.support.sandbox import Sandbox

OLD = CommandLine(("deploy", "--yes", "--json"), {"NWCHAT_CHAT__RATE_MESSAGES": "100000"})
TAGGED = replace(OLD, settings={**OLD.settings, "NWCHAT_TAGS__TEAM": "games"})
NEW = replace(OLD, newer=True)


@pytest.fixture
def kill_runner(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillRunner]:
    chat = Operator(
        sandbox, "e2e-killed-later", tmp_path_factory.mktemp("home"), NWCHAT_HISTORY__ENABLED="false"
    )
    with with_participants(chat, OLD, NEW) as kill_runner:
        yield kill_runner


def tags(kill_runner: KillRunner) -> list[Transition]:
    # The first deploy with a tag stores its key, and no later one does.
    for line in (TAGGED, OLD):
        kill_runner.run(line)
    return round_trip(kill_runner, "update of tags", OLD, TAGGED)


def rollbacks(kill_runner: KillRunner) -> list[Transition]:
    """Back without saying where to, and forward again by name."""
    kill_runner.run(NEW)
    releases = kill_runner.run(CommandLine(("releases", "--json")))["releases"]
    (now,) = [each["id"] for each in releases if each["current"]]
    back = kill_runner.run_uninterrupted(
        "rollback", CommandLine(("rollback", "--yes", "--json")), plan_line(OLD)
    )
    back = replace(back, once=True)
    again = CommandLine(("rollback", now, "--yes", "--json"))
    forward = kill_runner.run_uninterrupted("rollback forward", again, plan_line(NEW))
    assert forward.after == back.before
    return [back, forward]


TRANSITIONS: dict[str, tuple[Callable[[KillRunner], list[Transition]], int]] = {
    "tags": (tags, 12),
    # Three aliases and the stage.
    "rollback": (rollbacks, 4),
}


@pytest.mark.parametrize("name", TRANSITIONS)
def test_deploys_killed_at_every_call_keep_sockets_working(
    name: str, kill_runner: KillRunner, record_property: Callable[[str, object], None]
) -> None:
    transitions, least = TRANSITIONS[name]
    for progress in kill_runner.kill_at_every_call(transitions(kill_runner)):
        assert progress.changed >= least
        record_property("summary", str(progress))
