"""Deployments of the sandbox: what they hold survives a restart, and those of an earlier sandbox work."""

from __future__ import annotations

import json
from typing import Any

from websockets.sync.client import connect

from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import process
from tests.e2e.support.chat import SECONDS
from tests.e2e.support.sandbox import Sandbox, echo_chat, make_answering


def answer(sandbox: Sandbox, api_id: str, action: str, stage: str = "production") -> str:
    with connect(sandbox.socket_url(api_id, stage), proxy=None) as client:
        client.send(json.dumps({"action": action}))
        return str(client.recv(SECONDS))


def add_route(api: Any, api_id: str, key: str) -> None:
    """A route that is answered by the function of the others."""
    target = api.get_routes(ApiId=api_id)["Items"][0]["Target"]
    api.create_route(ApiId=api_id, RouteKey=key, Target=target)
    make_answering(api, api_id, key)


def test_snapshots_survive_a_restart_and_may_be_missing(separate_sandbox: Sandbox) -> None:
    operations.start(separate_sandbox.state, separate_sandbox.port)
    api_id = echo_chat(separate_sandbox, "snapshots")
    api = separate_sandbox.client("apigatewayv2", root=True)
    add_route(api, api_id, "late")
    assert answer(separate_sandbox, api_id, "late").endswith("by $default")

    process.down(separate_sandbox.state)
    operations.start(separate_sandbox.state, separate_sandbox.port)
    assert answer(separate_sandbox, api_id, "late").endswith("by $default")

    # A deployment of an earlier sandbox has no content: its stage serves what the API has now.
    process.down(separate_sandbox.state)
    stored = separate_sandbox.state.data / "apigateway.json"
    state = json.loads(stored.read_text())
    del state["payload"]["deployment_snapshots"]
    stored.write_text(json.dumps(state))
    operations.start(separate_sandbox.state, separate_sandbox.port)
    assert answer(separate_sandbox, api_id, "late").endswith("by late")


def test_stages_with_auto_deploy_follow_at_once_and_others_when_moved(sandbox: Sandbox) -> None:
    api_id = echo_chat(sandbox, "deployments")
    api = sandbox.client("apigatewayv2", root=True)
    api.create_stage(ApiId=api_id, StageName="follows", AutoDeploy=True)
    first = api.get_stage(ApiId=api_id, StageName="follows")["DeploymentId"]
    add_route(api, api_id, "late")
    assert answer(sandbox, api_id, "late", "follows").endswith("by late")
    assert answer(sandbox, api_id, "late").endswith("by $default")
    automatic = {each["DeploymentId"]: each.get("AutoDeployed", False) for each in deployments(api, api_id)}
    assert first not in automatic
    assert sorted(automatic.values()) == [False, True]

    deployment = api.create_deployment(ApiId=api_id, StageName="production")["DeploymentId"]
    assert api.get_stage(ApiId=api_id, StageName="production")["DeploymentId"] == deployment
    assert answer(sandbox, api_id, "late").endswith("by late")
    assert not any("snapshot" in json.dumps(each, default=str).lower() for each in deployments(api, api_id))


def test_a_frame_without_a_deployed_route_is_forbidden_and_the_socket_stays_open(sandbox: Sandbox) -> None:
    api_id = echo_chat(sandbox, "forbidden")
    api = sandbox.client("apigatewayv2", root=True)
    add_route(api, api_id, "known")
    for each in api.get_routes(ApiId=api_id)["Items"]:
        if each["RouteKey"] == "$default":
            api.delete_route(ApiId=api_id, RouteId=each["RouteId"])
    api.create_deployment(ApiId=api_id, StageName="production")
    with connect(sandbox.socket_url(api_id), proxy=None) as client:
        client.send("hi")
        frame = json.loads(client.recv(SECONDS))
        assert (frame["message"], set(frame)) == ("Forbidden", {"message", "connectionId", "requestId"})
        client.send('{"action": "known"}')
        assert str(client.recv(SECONDS)).endswith("by known")


def deployments(api: Any, api_id: str) -> list[Any]:
    return list(api.get_deployments(ApiId=api_id)["Items"])
