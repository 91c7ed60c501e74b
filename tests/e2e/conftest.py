"""A real emulated AWS for tests: a process of its own, on a free port, in a directory with a space in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import process
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.state import SandboxPaths, announce_proxy
from tests.e2e.support.chat import Chat
from tests.e2e.support.fault_proxy import Proxy, proxy
from tests.e2e.support.proxied_sandbox import proxied_sandbox
from tests.e2e.support.sandbox import Sandbox, free_port

SHORTENED: dict[str, float | None] = {
    "parameter_recreation": 0.2,
    "queue_recreation": 0.2,
    "ttl_change": 0.2,
}
"""Seconds; most tests that destroy a chat and deploy it again, or repair it, are about something else."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One for all tests of this process; each test makes a chat of its own name in it."""
    made = Sandbox(SandboxPaths(tmp_path_factory.mktemp("e2e") / "a sandbox"), free_port())
    operations.start(made.state, made.port, RuleValues(chosen=SHORTENED))
    yield made
    process.down(made.state)


@pytest.fixture
def separate_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """One that a test may stop, kill and reset. It isn't started yet."""
    made = Sandbox(SandboxPaths(tmp_path / "a sandbox"), free_port())
    yield made
    process.down(made.state)


@pytest.fixture(scope="session")
def chat(sandbox: Sandbox) -> Chat:
    """A deployed chat for the tests that send messages; a test that breaks something repairs it."""
    # Hundreds of players connect at once, faster than a fifth of the stage's rate.
    made = Chat(sandbox, "e2e-talk", {"NWCHAT_STAGE__CONNECT_RATE": "100"})
    made.deploy()
    return made


@pytest.fixture
def fault_proxy(sandbox: Sandbox) -> Iterator[Proxy]:
    """A proxy before the sandbox, by which nothing goes wrong until a test chooses."""
    with proxy(sandbox.endpoint) as made, announce_proxy(sandbox.state, made.server_port):
        yield made


@pytest.fixture
def proxied_chat(chat: Chat, fault_proxy: Proxy, tmp_path: Path) -> Iterator[Chat]:
    """The chat, as it is through the proxy."""
    with proxied_sandbox(fault_proxy, chat.sandbox, tmp_path / "proxied") as made:
        yield replace(chat, sandbox=made)
