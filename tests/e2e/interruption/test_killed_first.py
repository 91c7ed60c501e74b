"""SIGKILL at each call of a first deploy and of taking a chat down: run again, it ends as if undisturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.e2e.support.forked_deploys import Line, forks
from tests.e2e.support.kill_points import Killing, wipe
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox
from tests.e2e.support.state_dump import dump

NAME = "e2e-killed-first"
DEPLOY = Line(("deploy", "--yes", "--json"))
SOCKETS = replace(DEPLOY, settings={"NWCHAT_HISTORY__ENABLED": "false"})
PLAN = Line(("plan", "--json"))

Say = Callable[[str, object], None]


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(sandbox, NAME, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def killing(chat: Operator) -> Iterator[Killing]:
    with forks({**chat.sandbox.environ, **chat.environ}, chat.home) as made:
        yield Killing(chat, made)
    wipe(chat)


# Every call of both APIs, some hundred processes.
@pytest.mark.timeout(600)
def test_a_first_deploy(killing: Killing, chat: Operator, record_property: Say) -> None:
    way = killing.undisturbed("first deploy", DEPLOY, PLAN)
    assert (way.before, way.planned) == ({}, [])
    wipe(chat)
    (tally,) = killing.at_every_call([way], lambda: wipe(chat))
    # All that a first deploy makes, one thing after another.
    assert tally.changed >= 47
    record_property("summary", str(tally))


@pytest.mark.parametrize(
    ("name", "argv", "left"),
    [
        ("destroy", ["--yes"], {"tables"}),
        ("destroy with data", ["--delete-data", "--confirm", NAME], set()),
    ],
    ids=["data kept", "data gone"],
)
def test_a_destroy(
    killing: Killing, name: str, argv: list[str], left: set[str], record_property: Say
) -> None:
    def deployed() -> None:
        killing.done(SOCKETS)

    deployed()
    # What is left to do after a destroy is what it would still take away.
    again = Line(("destroy", *argv, "--dry-run", "--json"))
    way = killing.undisturbed(name, Line(("destroy", *argv, "--json")), again)
    assert set(way.after) == left
    assert way.planned == []
    deployed()
    assert dump(killing.chat) == way.before
    (tally,) = killing.at_every_call([way], deployed)
    assert tally.changed >= 12
    record_property("summary", str(tally))
