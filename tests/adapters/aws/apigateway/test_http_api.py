"""The history API's calls: each once, in an order that leaves nothing that does not work, and found again
where an answer was lost."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.aws.apigateway.http_api import HttpApi
from nwchatctl.deploy.desired.history_api import history_api
from nwchatctl.deploy.names import ResourceNames
from tests.adapters.aws.stubbed_clients import PLACE, PREFIX, TAGS, Desk

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


KEYS = ("GET /health", "GET /messages")


def apis(desk: Desk) -> tuple[HttpApi, Any, Any]:
    """With the client that repeats calls, and the one that does not."""
    client, stub = desk.client("apigatewayv2")
    single, once = desk.client("apigatewayv2")
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


def test_it_is_made_in_five_calls_the_stage_last(desk: Desk) -> None:
    made, _, once = apis(desk)
    wanted = {
        "Name": "nwchat-x-history",
        "ProtocolType": "HTTP",
        "DisableExecuteApiEndpoint": False,
        "Tags": dict(TAGS),
        "CorsConfiguration": CORS,
    }
    once.add_response("create_api", {"ApiId": "h1"}, wanted)
    making(once)
    made.create(WANTED)
    assert made.id == "h1"


def test_what_is_as_wanted_reads_so(desk: Desk) -> None:
    made, stub, _ = apis(desk)
    sockets = {**API, "ApiId": "w1", "ProtocolType": "WEBSOCKET"}
    others = {**API, "ApiId": "o1", "Tags": {"nwchat:chat": "other"}}
    stub.add_response("get_apis", {"Items": [sockets, others, API]})
    inside(stub)
    assert made.read("nwchat-x-history", dict(TAGS)) == [WANTED]
    assert (made.id, made.duplicates) == ("h1", set())


def test_one_made_without_an_answer_is_found_and_filled(desk: Desk) -> None:
    made, stub, once = apis(desk)
    broken(once, "create_api")
    stub.add_response("get_apis", {"Items": [API]})
    stub.add_response("get_api", API, {"ApiId": "h1"})
    inside(stub, integrations=[], routes=[], stages=[])
    making(once)
    made.create(WANTED)
    assert made.id == "h1"


def test_one_that_was_not_made_is_made_again(desk: Desk) -> None:
    made, stub, once = apis(desk)
    broken(once, "create_api")
    stub.add_response("get_apis", {"Items": [{**API, "ProtocolType": "WEBSOCKET"}]})
    once.add_response("create_api", {"ApiId": "h1"})
    making(once)
    made.create(WANTED)


@pytest.mark.parametrize("lost", ["create_integration", "create_stage"])
def test_a_part_made_without_an_answer_is_found(desk: Desk, lost: str) -> None:
    made, stub, once = apis(desk)
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


def test_a_route_that_is_there_by_then_is_pointed_at_ours(desk: Desk) -> None:
    made, stub, once = apis(desk)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    inside(stub, routes=[{**route("GET /health"), "RouteId": "r1"}])
    exists = "Route with key GET /messages already exists for this API"
    once.add_client_error("create_route", "ConflictException", exists, http_status_code=409)
    inside(stub)
    wanted = {"ApiId": "h1", "RouteId": "r-GET /messages", **route("GET /messages")}
    stub.add_response("update_route", {}, wanted)
    made.update(WANTED)


def test_what_is_as_wanted_is_not_touched(desk: Desk) -> None:
    made, stub, _ = apis(desk)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    inside(stub)
    made.update(WANTED)


def test_a_stage_that_did_not_deploy_itself_deploys_what_is_there_and_does_so_again(desk: Desk) -> None:
    made, stub, _ = apis(desk)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    bent = {**STAGE, "AutoDeploy": False, "StageVariables": {"x": "1"}, "Tags": dict(TAGS)}
    inside(stub, stages=[bent])
    stub.add_response("create_deployment", {}, IN_STAGE)
    settings = {**STAGE["DefaultRouteSettings"], "DetailedMetricsEnabled": False}
    wanted = {**STAGE, "ApiId": "h1", "DefaultRouteSettings": settings, "StageVariables": {"x": ""}}
    stub.add_response("update_stage", {}, wanted)
    made.update(WANTED)


def test_access_logs_and_limits_of_a_route_are_taken_off(desk: Desk) -> None:
    made, stub, _ = apis(desk)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    logged = {"DestinationArn": "arn:x", "Format": "$context.requestId"}
    bent = {**STAGE, "AccessLogSettings": logged, "RouteSettings": {"GET /health": {}}, "Tags": dict(TAGS)}
    inside(stub, stages=[bent])
    stub.add_response("delete_route_settings", {}, {**IN_STAGE, "RouteKey": "GET /health"})
    stub.add_response("delete_access_log_settings", {}, IN_STAGE)
    made.update(WANTED)


def test_what_is_not_ours_goes_after_routes_have_left_it_and_gone_already_is_fine(desk: Desk) -> None:
    made, stub, _ = apis(desk)
    stub.add_response("get_api", API, {"ApiId": "h1"})
    ours = {**INTEGRATION, "IntegrationId": "i1"}
    # Ours by its description, but it gives the function another request than the caller's.
    bent = {**INTEGRATION, "IntegrationId": "i0", "RequestParameters": {"overwrite:path": "/x"}}
    twice = {**INTEGRATION, "IntegrationId": "i2"}
    led = [{**route(key, "i0"), "RouteId": key} for key in KEYS]
    extra = {**route("ANY /x"), "RouteId": "rx"}
    stages = [{**STAGE, "Tags": dict(TAGS)}, {"StageName": "other"}]
    inside(stub, integrations=[bent, ours, twice], routes=[*led, extra], stages=stages)
    for key in KEYS:
        stub.add_response("update_route", {}, {"ApiId": "h1", "RouteId": key, **route(key)})
    stub.add_client_error("delete_route", "NotFoundException", http_status_code=404)
    stub.add_response("delete_integration", {}, {"ApiId": "h1", "IntegrationId": "i0"})
    stub.add_response("delete_integration", {}, {"ApiId": "h1", "IntegrationId": "i2"})
    stub.add_response("delete_stage", {}, {"ApiId": "h1", "StageName": "other"})
    made.update(WANTED)


def test_cors_is_set_outright_or_taken_away(desk: Desk) -> None:
    made, stub, _ = apis(desk)
    wide = {**CORS, "ExposeHeaders": ["x"], "AllowCredentials": True}
    settings = {"ApiId": "h1", "Name": "nwchat-x-history", "DisableExecuteApiEndpoint": False}
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


def test_leftovers_are_found_and_go_by_their_ids(desk: Desk) -> None:
    made, stub, _ = apis(desk)
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
