"""Stages of the WebSocket API: auto-deploy ends in a call of its own, and logs set by hand stay."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.aws.apigateway.websocket_api import WebSocketApi
from nwchatctl.deploy.model.websocket import Stage
from tests.adapters.aws.stubbed_clients import PREFIX, TAGS, StubbedClients

pytestmark = pytest.mark.usefixtures("no_waiting")

STAGE = Stage("production", "d1", False, 100.0, 200, (("ping", "20/s, burst 200"),), (), TAGS)
LIMITS = {"ThrottlingRateLimit": 100.0, "ThrottlingBurstLimit": 200}
PING = {"ThrottlingRateLimit": 20.0, "ThrottlingBurstLimit": 200}
IN_STAGE = {"ApiId": "abc", "StageName": "production"}
UPDATE: Any = {
    **IN_STAGE,
    "AutoDeploy": False,
    "DeploymentId": "x",
    "DefaultRouteSettings": LIMITS,
    "RouteSettings": {"ping": PING},
    "StageVariables": {},
}
NO_METRICS = {"DetailedMetricsEnabled": False}
INFO = {"LoggingLevel": "INFO", "DataTraceEnabled": False}
DATA = {"LoggingLevel": "ERROR", "DataTraceEnabled": True}
OFF = {"LoggingLevel": "OFF", "DataTraceEnabled": False}
LOG = {"DestinationArn": "arn:aws:logs:us-east-2:1:log-group:/x", "Format": "$context.requestId"}


def api(clients: StubbedClients) -> tuple[WebSocketApi, Any]:
    client, stub = clients.client("apigatewayv2")
    made = WebSocketApi(client, PREFIX, lambda: client)
    made.ids.api = "abc"
    made.ids.deployments["d1"] = "x"
    return made, stub


def read(clients: StubbedClients, **settings: Any) -> Stage:
    """A stage with further settings, as it is read."""
    made, stub = api(clients)
    item = {"DefaultRouteSettings": LIMITS, "RouteSettings": {"ping": PING}, "DeploymentId": "x", **settings}
    stub.add_response("get_stages", {"Items": [{"StageName": "production", "Tags": dict(TAGS), **item}]})
    (found,) = made.stages.read()
    return found


def test_auto_deploy_ends_before_a_deployment_is_set(clients: StubbedClients) -> None:
    made, stub = api(clients)
    stub.add_response("update_stage", {}, {**IN_STAGE, "AutoDeploy": False})
    stub.add_response("update_stage", {}, UPDATE)
    made.stages.update(dataclasses.replace(STAGE, deployment="other", auto_deploy=True), STAGE)


def test_stage_without_auto_deploy_is_updated_in_one_call(clients: StubbedClients) -> None:
    made, stub = api(clients)
    stub.add_response("update_stage", {}, UPDATE)
    made.stages.update(dataclasses.replace(STAGE, deployment="other"), STAGE)


def test_stage_is_read_with_its_logs(clients: StubbedClients) -> None:
    logged = read(clients, DefaultRouteSettings={**LIMITS, **DATA}, RouteSettings={"ping": {**PING, **INFO}})
    assert (logged.execution_log, logged.route_settings) == (
        "ERROR with data",
        (("ping", "20/s, burst 200, INFO"),),
    )
    assert read(clients) == STAGE


def test_kept_logs_are_sent_as_they_are(clients: StubbedClients) -> None:
    """The access log not at all: the account may have no role to write it with any more."""
    made, stub = api(clients)
    kept = dataclasses.replace(
        STAGE,
        execution_log="ERROR with data",
        access_log=LOG["DestinationArn"],
        access_format=LOG["Format"],
        route_settings=(("ping", "20/s, burst 200, INFO"),),
    )
    wanted = {
        **UPDATE,
        "DefaultRouteSettings": {**LIMITS, **DATA, **NO_METRICS},
        "RouteSettings": {"ping": {**PING, **INFO}},
    }
    stub.add_response("update_stage", {}, wanted)
    made.stages.update(dataclasses.replace(kept, throttle_rate=7.0), kept)


def test_logs_are_switched_off(clients: StubbedClients) -> None:
    made, stub = api(clients)
    logged = dataclasses.replace(
        STAGE, execution_log="INFO", access_log="arn:x", route_settings=(("ping", "20/s, burst 200, INFO"),)
    )
    stub.add_response("delete_route_settings", {}, {**IN_STAGE, "RouteKey": "ping"})
    stub.add_response("delete_access_log_settings", {}, IN_STAGE)
    stub.add_response("update_stage", {}, {**UPDATE, "DefaultRouteSettings": {**LIMITS, **OFF, **NO_METRICS}})
    made.stages.update(logged, STAGE)


def test_a_level_is_set(clients: StubbedClients) -> None:
    made, stub = api(clients)
    wanted = dataclasses.replace(
        STAGE, execution_log="INFO", route_settings=(("ping", "20/s, burst 200, INFO"),)
    )
    stub.add_response(
        "update_stage",
        {},
        {
            **UPDATE,
            "DefaultRouteSettings": {**LIMITS, **INFO},
            "RouteSettings": {"ping": {**PING, **INFO}},
        },
    )
    made.stages.update(STAGE, wanted)
