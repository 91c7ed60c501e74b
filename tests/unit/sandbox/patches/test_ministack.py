from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from nwchatctl.sandbox.patches import ministack

ACTION = "$request.body.action"


@pytest.mark.parametrize(
    ("frame", "route"),
    [
        ('{"action": "ping"}', "ping"),
        ('{"message": "hi"}', "$default"),
        ("just words", "$default"),
        ("", "$default"),
        ("[" * 100_000, "$default"),
        ('{"action": ' + "[" * 950 + "]" * 950 + "}", "$default"),
        ('{"action": "$connect"}', "$default"),
        ('{"action": "$disconnect"}', "$default"),
        ('{"action": "\\ud800"}', "\ud800"),
        ('{"action": ' + "9" * 5000 + "}", "$default"),
    ],
)
def test_every_frame_has_a_route(frame: str, route: str) -> None:
    chosen = ministack.select_route(ACTION, frame)
    # A list as an action is spelled out by ministack: any key that no route has will do.
    assert chosen == route or (frame.startswith('{"action": [') and chosen.startswith("["))


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "event-invoke-config", "GetFunctionEventInvokeConfig"),
        ("PUT", "event-invoke-config", "PutFunctionEventInvokeConfig"),
        ("DELETE", "event-invoke-config", "DeleteFunctionEventInvokeConfig"),
        ("PUT", "aliases/live", "UpdateAlias"),
        ("POST", "invocations", "InvokeFunction"),
    ],
)
def test_the_action_of_a_call_of_lambdas(method: str, path: str, action: str) -> None:
    assert ministack.lambda_action(method, f"/2019-09-25/functions/f/{path}") == action


def copies(*outcomes: object) -> Any:
    left = list(outcomes)

    def get_state() -> object:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return get_state


def test_a_state_that_changes_under_its_copy_is_copied_again() -> None:
    changed = RuntimeError("dictionary changed size during iteration")
    assert ministack._copy("iam", copies(changed, changed, {"users": 1})) == {"users": 1}


def test_a_state_that_never_holds_still_is_left_for_later() -> None:
    changed = RuntimeError("dictionary changed size during iteration")
    assert ministack._copy("iam", copies(changed, changed, changed, {"users": 1})) is ministack._INCOMPLETE


def test_a_state_that_cannot_be_read_spoils_no_other(caplog: pytest.LogCaptureFixture) -> None:
    assert ministack._copy("iam", copies(KeyError("x"))) is None
    assert "iam could not be read" in caplog.text


def test_a_deployment_can_be_described(monkeypatch: pytest.MonkeyPatch) -> None:
    deployments = {"a1": {"d1": {"deploymentId": "d1", "description": "by hand"}}}
    monkeypatch.setattr("ministack.services.apigateway._deployments", deployments)

    def patch(deployment: str, body: bytes) -> Any:
        path = f"/v2/apis/a1/deployments/{deployment}"
        status, _, answer = asyncio.run(ministack.handle_gateway("PATCH", path, {}, body, {}))
        return status, json.loads(answer)

    assert patch("d1", b'{"description": "kept"}') == (200, {"deploymentId": "d1", "description": "kept"})
    assert patch("d1", b"{}")[1]["description"] == "kept"
    assert patch("d2", b"{}")[0] == 404


def test_a_policy_is_parsed_once_and_another_version_of_it_again() -> None:
    def policy(action: str) -> str:
        return json.dumps({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})

    first = ministack.parse_policy(policy("s3:GetObject"))
    assert ministack.parse_policy(policy("s3:GetObject")) is first
    assert [each.actions for each in ministack.parse_policy(policy("s3:PutObject"))] == [["s3:PutObject"]]
    assert ministack.parse_policy({"Statement": []}) == ministack.parse_policy("no policy") == []
