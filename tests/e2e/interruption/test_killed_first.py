"""SIGKILL at each call of a first deploy and of taking a chat down: run again, it ends as if undisturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.e2e.support.forked_deploys import CommandLine, forks
from tests.e2e.support.kill_points import KillRunner, wipe
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox
from tests.e2e.support.state_dump import dump

NAME = "e2e-killed-first"
DEPLOY = CommandLine(("deploy", "--yes", "--json"))
SOCKETS = replace(DEPLOY, settings={"NWCHAT_HISTORY__ENABLED": "false"})
PLAN = CommandLine(("plan", "--json"))

Say = Callable[[str, object], None]


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(sandbox, NAME, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def kill_runner(chat: Operator) -> Iterator[KillRunner]:
    with forks({**chat.sandbox.environ, **chat.environ}, chat.home) as made:
        yield KillRunner(chat, made)
    wipe(chat)


# Every call of both APIs, some hundred processes.
@pytest.mark.timeout(1200)
def test_first_deploy_killed_at_every_call(
    kill_runner: KillRunner, chat: Operator, record_property: Say
) -> None:
    transition = kill_runner.run_uninterrupted("first deploy", DEPLOY, PLAN)
    assert (transition.before, transition.planned) == ({}, [])
    wipe(chat)
    (progress,) = kill_runner.kill_at_every_call([transition], lambda: wipe(chat))
    # All that a first deploy makes, one thing after another.
    assert progress.changed >= 48
    record_property("summary", str(progress))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("name", "argv", "left"),
    [
        ("destroy", ["--yes"], {"tables"}),
        ("destroy with data", ["--delete-data", "--confirm", NAME], set()),
    ],
    ids=["data kept", "data gone"],
)
def test_destroy_killed_at_every_call(
    kill_runner: KillRunner, name: str, argv: list[str], left: set[str], record_property: Say
) -> None:
    def deployed() -> None:
        kill_runner.run(SOCKETS)

    deployed()
    # What is left to do after a destroy is what it would still take away.
    again = CommandLine(("destroy", *argv, "--dry-run", "--json"))
    transition = kill_runner.run_uninterrupted(name, CommandLine(("destroy", *argv, "--json")), again)
    assert set(transition.after) == left
    assert transition.planned == []
    deployed()
    assert dump(kill_runner.chat) == transition.before
    (progress,) = kill_runner.kill_at_every_call([transition], deployed)
    assert progress.changed >= 12
    record_property("summary", str(progress))
