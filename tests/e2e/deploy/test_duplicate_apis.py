"""An API that a lost answer left behind goes with the next deploy; one that may be somebody's stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox


@pytest.fixture
def operator(sandbox: Sandbox, tmp_path: Path) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-leftover", tmp_path)
    yield made
    for each in mine(made):
        made.api.delete_api(ApiId=each)
    if made.resources():
        made.destroy()


def mine(operator: Operator) -> set[str]:
    """The ids of all WebSocket APIs with the chat's tags."""
    every = [each for each in operator.api.get_apis()["Items"] if each["ProtocolType"] == "WEBSOCKET"]
    return {each["ApiId"] for each in every if operator.tags.items() <= each["Tags"].items()}


def make(operator: Operator, name: str = "") -> str:
    made = operator.api.create_api(
        Name=name or f"nwchat-{operator.name}",
        ProtocolType="WEBSOCKET",
        RouteSelectionExpression="$request.body.action",
        Tags=operator.tags,
    )
    return str(made["ApiId"])


def test_duplicate_api_is_deleted(operator: Operator) -> None:
    operator.deploy()
    (own,) = mine(operator)
    leftover = make(operator)
    gone = {"action": "delete", "kind": "api", "name": leftover, "fields": []}
    assert operator.plan() == [gone]
    assert operator.run("status", "--check").code == 6
    assert operator.run("deploy").code == 7
    assert operator.deploy()["changes"] == [gone]
    assert mine(operator) == {own}
    assert operator.plan() == []


def test_duplicate_api_is_deleted_while_chat_is_updated(operator: Operator) -> None:
    """A new deployment, and the stage that moves to it, wait for what goes inside the API, not for this."""
    operator.deploy()
    (own,) = mine(operator)
    integration = operator.integration("message")
    operator.api.create_route(ApiId=own, RouteKey="stray", Target=f"integrations/{integration}")
    operator.api.update_integration(ApiId=own, IntegrationId=integration, TimeoutInMillis=1000)
    ours = operator.api.get_deployments(ApiId=own)["Items"]
    by_hand = operator.api.create_deployment(ApiId=own)["DeploymentId"]
    operator.api.update_stage(ApiId=own, StageName="production", DeploymentId=by_hand)
    for each in ours:
        operator.api.delete_deployment(ApiId=own, DeploymentId=each["DeploymentId"])
    leftover = make(operator)
    changes = {(each["action"], each["kind"]) for each in operator.deploy()["changes"]}
    assert changes == {
        ("delete", "api"),
        ("delete", "route"),
        ("update", "integration"),
        ("create", "deployment"),
        # By hand, and served no more.
        ("delete", "deployment"),
        ("update", "stage"),
    }
    assert leftover not in mine(operator)
    assert operator.plan() == []


def test_one_of_two_empty_apis_is_used(operator: Operator) -> None:
    both = {make(operator), make(operator)}
    operator.deploy()
    assert len(mine(operator)) == 1
    assert mine(operator) < both
    assert operator.plan() == []


def test_destroy_deletes_duplicate_api(operator: Operator) -> None:
    operator.deploy()
    make(operator)
    operator.destroy()
    assert mine(operator) == set()
    assert operator.resources() == set()


def test_api_that_may_be_foreign_is_kept(operator: Operator) -> None:
    operator.deploy()
    for name, used in (("another name", False), ("", True)):
        other = make(operator, name)
        if used:
            operator.api.create_integration(ApiId=other, IntegrationType="MOCK")
        for argv in (["deploy", "--yes"], ["plan"], ["status"], ["destroy", "--yes"]):
            ran = operator.run(*argv)
            assert (ran.code, ran.writes, ran.error and ran.error.code) == (1, [], "api_ambiguous")
        operator.api.delete_api(ApiId=other)
    assert operator.plan() == []
