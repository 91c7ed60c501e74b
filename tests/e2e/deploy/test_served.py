"""What a stage serves is what was deployed: changes made by hand show when they are deployed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.e2e.support.chat import SECONDS, unique
from tests.e2e.support.console import core, history
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox
from tests.e2e.support.token_factory import player, refused


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-served", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


def test_a_change_by_hand_goes_live_when_it_is_deployed_by_hand(operator: Operator) -> None:
    with player(operator.url) as socket:
        core.route_deleted(operator)
        core.route_response_deleted(operator)
        text = unique()
        socket.send({"action": "onMessage", "message": text, "uname": "a", "sender_id": "7"})
        assert socket.receive_text(text)["type"] == "message"
        socket.send({"action": "ping"})
        assert socket.receive_type("pong") == {"type": "pong"}

        core.stage_redeployed(operator)
        # Without the route response, no pong.
        socket.send({"action": "ping"})
        socket.send({"action": "history", "limit": 1})
        assert socket.receive()["type"] == "history"

        changes = [(each["action"], each["kind"], each["name"]) for each in operator.plan()]
        assert [each[:2] for each in changes] == [
            ("create", "route"),
            ("update", "route"),
            ("delete", "deployment"),
            ("update", "stage"),
        ]
        operator.deploy()
        socket.send({"action": "ping"})
        assert socket.receive_type("pong") == {"type": "pong"}
    assert operator.plan() == []


def test_a_stage_without_deployment_of_its_own_refuses_clients(operator: Operator) -> None:
    """As a stage is that was made in the console and never deployed."""
    stage = {"ApiId": operator.api_id, "StageName": "empty"}
    operator.api.create_stage(**stage)
    assert refused(operator.sandbox.socket_url(operator.api_id, "empty")) == 403
    assert refused(operator.sandbox.socket_url(operator.api_id, "missing")) == 403
    operator.api.delete_stage(**stage)


def test_history_serves_what_was_deployed(operator: Operator) -> None:
    def status() -> int:
        try:
            with urlopen(f"{operator.history_url}/messages", timeout=SECONDS) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    history.stage(AutoDeploy=False)(operator)
    history.route_deleted(operator)
    assert status() == 200
    operator.api.create_deployment(ApiId=operator.history_id, StageName="$default")
    assert status() == 404
    (change,) = operator.plan()
    assert (change["kind"], {each["name"] for each in change["fields"]}) == (
        "history-api",
        {"auto_deploy", "routes.GET /messages"},
    )
    operator.deploy()
    assert (status(), operator.plan()) == (200, [])
