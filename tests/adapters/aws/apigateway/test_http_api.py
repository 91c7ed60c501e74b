"""The history API's calls: each once, in an order that leaves nothing that does not work, and found again
where an answer was lost."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.aws.apigateway.http_api import HttpApi
from nwchatctl.deploy.desired.history_api import history_api
from nwchatctl.deploy.names import ResourceNames
from tests.adapters.aws.stubbed_clients import PLACE, PREFIX, TAGS, StubbedClients

pytestmark = pytest.mark.usefixtures("no_waiting")

ORIGIN = "https://www.ninjawars.net"
WANTED = history_api(ResourceNames("x"), PLACE, TAGS, allowed=[ORIGIN], rate=5.0, burst=10)
CORS = {
    "AllowOrigins": [ORIGIN],
    "AllowMethods": ["GET"],
    "AllowHeaders": ["authorization"],
    "AllowCredentials": False,
    "MaxAge": 7200,
}
API: Any = {
    "ApiId": "h1",
    "Name": "nwchat-x-history",
    "Description": WANTED.description,
    "ProtocolType": "HTTP",
    "RouteSelectionExpression": "$request.method $request.path",
    "CorsConfiguration": CORS,
    "CreatedDate": "2026-01-01T00:00:00Z",
    "Tags": dict(TAGS),
}
INTEGRATION: Any = {
    "IntegrationType": "AWS_PROXY",
    "IntegrationUri": WANTED.uri,
    "IntegrationMethod": "POST",
    "PayloadFormatVersion": "2.0",
    "TimeoutInMillis": 29_000,
    "Description": "nwchatctl:history",
}
STAGE: Any = {
    "StageName": "$default",
    "AutoDeploy": True,
    "DefaultRouteSettings": {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 10},
}
IN_STAGE = {"ApiId": "h1", "StageName": "$default"}


def route(key: str, target: str = "i1") -> Any:
    return {"RouteKey": key, "Target": f"integrations/{target}", "AuthorizationType": "NONE"}


KEYS = ("GET /health", "GET /messages", "HEAD /health")


def apis(clients: StubbedClients) -> tuple[HttpApi, Any, Any]:
    """With the client that repeats calls, and the one that does not."""
    client, stub = clients.client("apigatewayv2")
    single, once = clients.client("apigatewayv2")
    made = HttpApi(client, PREFIX, lambda: single)
    made.id = "h1"
    return made, stub, once


def inside(stub: Any, **parts: list[Any]) -> None:
    """What is in the API, all of it where nothing else is said."""
    found = {
        "integrations": [{**INTEGRATION, "IntegrationId": "i1"}],
        "routes": [{**route(key), "RouteId": f"r-{key}"} for key in KEYS],
        "stages": [{**STAGE, "Tags": dict(TAGS)}],
        **parts,
    }
    for name, items in found.items():
        stub.add_response(f"get_{name}", {"Items": items}, {"ApiId": "h1"})


def broken(once: Any, call: str) -> None:
    once.add_client_error(call, "500", "Internal Server Error", http_status_code=500)


def making(once: Any, *, after: str = "") -> None:
    """The calls that fill it, from behind the one that is named."""
    calls: list[tuple[str, Any, Any]] = [
        ("create_integration", {"IntegrationId": "i1"}, {"ApiId": "h1", **INTEGRATION}),
        *(("create_route", {"RouteId": key}, {"ApiId": "h1", **route(key)}) for key in KEYS),
        ("create_stage", {}, {"ApiId": "h1", **STAGE, "Tags": dict(TAGS)}),
    ]
    names = [name for name, _, _ in calls]
    for each in calls[names.index(after) + 1 if after else 0 :]:
        once.add_response(*each)


def test_create_makes_five_calls_and_the_stage_last(clients: StubbedClients) -> None:
    made, _, once = apis(clients)
    wanted = {
        "Name": "nwchat-x-history",
        "ProtocolType": "HTTP",
        "Description": "History API of the chat x, by nwchatctl",
        "DisableExecuteApiEndpoint": False,
        "Tags": dict(TAGS),
        "CorsConfiguration": CORS,
    }
    once.add_response("create_api", {"ApiId": "h1"}, wanted)
    making(once)
    made.create(WANTED)
    assert made.id == "h1"


def test_read_equals_desired_when_nothing_differs(clients: StubbedClients) -> None:
    made, stub, _ = apis(clients)
    sockets = {**API, "ApiId": "w1", "ProtocolType": "WEBSOCKET"}
    others = {**API, "ApiId": "o1", "Tags": {"nwchat:chat": "other"}}
    stub.add_response("get_apis", {"Items": [sockets, others, API]})
    inside(stub)
    assert made.read("nwchat-x-history", dict(TAGS)) == [WANTED]
    assert (made.id, made.duplicates) == ("h1", set())


def test_create_completes_api_whose_response_was_lost(clients: StubbedClients) -> None:
    made, stub, once = apis(clients)
    broken(once, "create_api")
    stub.add_response("get_apis", {"Items": [API]})
    stub.add_response("get_api", API, {"ApiId": "h1"})
    inside(stub, integrations=[], routes=[], stages=[])
    making(once)
    made.create(WANTED)
    assert made.id == "h1"


def test_create_retries_when_no_api_was_created(clients: StubbedClients) -> None:
    made, stub, once = apis(clients)
    broken(once, "create_api")
    stub.add_response("get_apis", {"Items": [{**API, "ProtocolType": "WEBSOCKET"}]})
    once.add_response("create_api", {"ApiId": "h1"})
    making(once)
    made.create(WANTED)


@pytest.mark.parametrize("lost", ["create_integration", "create_stage"])
def test_create_finds_part_whose_response_was_lost(clients: StubbedClients, lost: str) -> None:
    made, stub, once = apis(clients)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    missing: dict[str, list[Any]] = {"stages": []}
    if lost == "create_integration":
        missing |= {"integrations": [], "routes": []}
    inside(stub, **missing)
    broken(once, lost)
    inside(stub)
    if lost == "create_integration":
        stub.add_response("update_integration", {}, {"ApiId": "h1", "IntegrationId": "i1", **INTEGRATION})
        making(once, after=lost)
    made.update(WANTED)


def test_existing_route_is_retargeted(clients: StubbedClients) -> None:
    made, stub, once = apis(clients)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    others = ("GET /health", "HEAD /health")
    inside(stub, routes=[{**route(key), "RouteId": f"r-{key}"} for key in others])
    exists = "Route with key GET /messages already exists for this API"
    once.add_client_error("create_route", "ConflictException", exists, http_status_code=409)
    inside(stub)
    wanted = {"ApiId": "h1", "RouteId": "r-GET /messages", **route("GET /messages")}
    stub.add_response("update_route", {}, wanted)
    made.update(WANTED)


def test_update_leaves_equal_parts_unchanged(clients: StubbedClients) -> None:
    made, stub, _ = apis(clients)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    inside(stub)
    made.update(WANTED)


def test_stage_without_auto_deploy_is_deployed_and_set_to_auto_deploy(
    clients: StubbedClients,
) -> None:
    made, stub, _ = apis(clients)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    changed = {**STAGE, "AutoDeploy": False, "StageVariables": {"x": "1"}, "Tags": dict(TAGS)}
    inside(stub, stages=[changed])
    stub.add_response("create_deployment", {}, IN_STAGE)
    settings = {**STAGE["DefaultRouteSettings"], "DetailedMetricsEnabled": False}
    wanted = {**STAGE, "ApiId": "h1", "DefaultRouteSettings": settings, "StageVariables": {"x": ""}}
    stub.add_response("update_stage", {}, wanted)
    made.update(WANTED)


def test_access_logs_and_route_limits_are_removed(clients: StubbedClients) -> None:
    made, stub, _ = apis(clients)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    logged = {"DestinationArn": "arn:x", "Format": "$context.requestId"}
    changed = {**STAGE, "AccessLogSettings": logged, "RouteSettings": {"GET /health": {}}, "Tags": dict(TAGS)}
    inside(stub, stages=[changed])
    stub.add_response("delete_route_settings", {}, {**IN_STAGE, "RouteKey": "GET /health"})
    stub.add_response("delete_access_log_settings", {}, IN_STAGE)
    made.update(WANTED)


def test_access_logs_are_written_and_kept_as_they_are(clients: StubbedClients) -> None:
    made, stub, _ = apis(clients)
    logs = {"DestinationArn": "arn:x", "Format": "$context.requestId"}
    logged = dataclasses.replace(WANTED, access_log="arn:x", access_format="$context.requestId")
    settings = {**STAGE["DefaultRouteSettings"], "DetailedMetricsEnabled": False}
    stub.add_response("get_api", API, {"ApiId": "h1"})
    inside(stub)
    wanted = {**STAGE, "ApiId": "h1", "DefaultRouteSettings": settings, "AccessLogSettings": logs}
    stub.add_response("update_stage", {}, wanted)
    made.update(logged)

    stub.add_response("get_api", API, {"ApiId": "h1"})
    inside(stub, stages=[{**STAGE, "AccessLogSettings": logs, "Tags": dict(TAGS)}])
    made.update(logged)


def test_extra_integration_is_deleted_after_its_routes_and_may_be_absent(
    clients: StubbedClients,
) -> None:
    made, stub, _ = apis(clients)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    ours = {**INTEGRATION, "IntegrationId": "i1"}
    # Ours by its description, but it gives the function another request than the caller's.
    changed = {**INTEGRATION, "IntegrationId": "i0", "RequestParameters": {"overwrite:path": "/x"}}
    twice = {**INTEGRATION, "IntegrationId": "i2"}
    led = [{**route(key, "i0"), "RouteId": key} for key in KEYS]
    extra = {**route("ANY /x"), "RouteId": "rx"}
    stages = [{**STAGE, "Tags": dict(TAGS)}, {"StageName": "other"}]
    inside(stub, integrations=[changed, ours, twice], routes=[*led, extra], stages=stages)
    for key in KEYS:
        stub.add_response("update_route", {}, {"ApiId": "h1", "RouteId": key, **route(key)})
    stub.add_client_error("delete_route", "NotFoundException", http_status_code=404)
    stub.add_response("delete_integration", {}, {"ApiId": "h1", "IntegrationId": "i0"})
    stub.add_response("delete_integration", {}, {"ApiId": "h1", "IntegrationId": "i2"})
    stub.add_response("delete_stage", {}, {"ApiId": "h1", "StageName": "other"})
    made.update(WANTED)


def test_cors_is_replaced_or_deleted(clients: StubbedClients) -> None:
    made, stub, _ = apis(clients)
    wide = {**CORS, "ExposeHeaders": ["x"], "AllowCredentials": True}
    settings = {
        "ApiId": "h1",
        "Name": "nwchat-x-history",
        "Description": WANTED.description,
        "DisableExecuteApiEndpoint": False,
    }
    stub.add_response("get_api", {**API, "CorsConfiguration": wide}, {"ApiId": "h1"})
    inside(stub)
    stub.add_response("update_api", {}, {**settings, "CorsConfiguration": {**CORS, "ExposeHeaders": []}})
    made.update(WANTED)

    none = dataclasses.replace(WANTED, cors_origins=(), cors_methods=(), cors_headers=(), cors_max_age=0)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    inside(stub)
    stub.add_response("delete_cors_configuration", {}, {"ApiId": "h1"})
    stub.add_response("update_api", {}, settings)
    made.update(none)


def test_duplicate_apis_are_found_and_deleted_by_id(clients: StubbedClients) -> None:
    made, stub, _ = apis(clients)
    stub.add_response("get_apis", {"Items": [{**API, "ApiId": "h0"}, API]})
    nothing: list[Any] = []
    for name in ("integrations", "routes", "stages"):
        stub.add_response(f"get_{name}", {"Items": nothing}, {"ApiId": "h0"})
    stub.add_response("get_integrations", {"Items": [INTEGRATION]}, {"ApiId": "h1"})
    assert made.find("nwchat-x-history", dict(TAGS)) == "h1"
    assert made.duplicates == {"h0"}
    stub.add_response("delete_api", {}, {"ApiId": "h0"})
    made.delete(dataclasses.replace(WANTED, name="h0"))
    assert made.id == "h1"
    stub.add_client_error("delete_api", "NotFoundException", http_status_code=404)
    made.delete(WANTED)
    assert made.id == ""
