"""A chat of which something is left is deployed in part, unless that is what `destroy` keeps."""

from __future__ import annotations

import pytest

from nwchatctl.deploy.domains.facts import DomainFacts
from nwchatctl.deploy.live import DeployRows, Live
from nwchatctl.deploy.lock import LockState
from nwchatctl.deploy.model.functions import Role
from nwchatctl.deploy.model.state import Resource, key, state
from nwchatctl.deploy.model.storage import LogGroup, Table

TABLE = Table("nwchat-x-messages", "room", "id", "expires_at", True, "PAY_PER_REQUEST", ())
GROUP = LogGroup("/aws/lambda/nwchat-x-connect", 30, ())
ROLE = Role("nwchat-x-connect", "{}", "{}", (), ())
ROWS = DeployRows(True, LockState(None, ""), ())


@pytest.mark.parametrize(
    ("resources", "foreign", "api_id", "partly"),
    [
        ((), (), "", False),
        ((TABLE, GROUP), (), "", False),
        ((TABLE, GROUP, ROLE), (), "", True),
        ((ROLE,), (ROLE,), "", False),
        ((), (), "abc", True),
    ],
)
def test_partly_deployed(
    resources: tuple[Resource, ...], foreign: tuple[Resource, ...], api_id: str, partly: bool
) -> None:
    live = Live(state(*resources), tuple(key(each) for each in foreign), api_id, ROWS, "", DomainFacts())
    assert live.is_partly_deployed is partly
