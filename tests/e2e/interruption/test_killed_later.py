"""SIGKILL at each call of an update of tags, of a rollback and of going forward again, while people talk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.e2e.support.forked_deploys import Line
from tests.e2e.support.kill_points import Killing, Way, planning, there_and_back
from tests.e2e.support.operator import Operator
from tests.e2e.support.participants import talked
from tests.e2e.support.sandbox import Sandbox

OLD = Line(("deploy", "--yes", "--json"), {"NWCHAT_CHAT__RATE_MESSAGES": "100000"})
TAGGED = replace(OLD, settings={**OLD.settings, "NWCHAT_TAGS__TEAM": "games"})
NEW = replace(OLD, newer=True)


@pytest.fixture
def killing(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killing]:
    chat = Operator(
        sandbox, "e2e-killed-later", tmp_path_factory.mktemp("home"), NWCHAT_HISTORY__ENABLED="false"
    )
    with talked(chat, OLD, NEW) as killing:
        yield killing


def tags(killing: Killing) -> list[Way]:
    return there_and_back(killing, "update of tags", OLD, TAGGED)


def rollbacks(killing: Killing) -> list[Way]:
    """Back without saying where to, and forward again by name."""
    killing.done(NEW)
    releases = killing.done(Line(("releases", "--json")))["releases"]
    (now,) = [each["id"] for each in releases if each["current"]]
    back = killing.undisturbed("rollback", Line(("rollback", "--yes", "--json")), planning(OLD))
    back = replace(back, once=True)
    again = Line(("rollback", now, "--yes", "--json"))
    forward = killing.undisturbed("rollback forward", again, planning(NEW))
    assert forward.after == back.before
    return [back, forward]


WAYS: dict[str, tuple[Callable[[Killing], list[Way]], int]] = {
    "tags": (tags, 12),
    # Three aliases and the stage.
    "rollback": (rollbacks, 4),
}


@pytest.mark.parametrize("name", WAYS)
def test_while_people_talk(
    name: str, killing: Killing, record_property: Callable[[str, object], None]
) -> None:
    ways, least = WAYS[name]
    for tally in killing.at_every_call(ways(killing)):
        assert tally.changed >= least
        record_property("summary", str(tally))
