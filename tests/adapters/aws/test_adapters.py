"""What the adapters ask of AWS where it is not plain creating and reading, call by call."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, cast

import pytest

from nwchatctl.aws.apigateway.websocket_api import WebSocketApi
from nwchatctl.aws.cloud import Cloud
from nwchatctl.aws.core.answers import UnreadableAnswer
from nwchatctl.aws.core.caller import Caller
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.aws.core.tags import to_list
from nwchatctl.aws.dynamodb.tables import Tables
from nwchatctl.aws.iam import Roles
from nwchatctl.deploy.fingerprints import version_fingerprint
from nwchatctl.deploy.model.functions import Alias, Function, Permission, Role, Version
from nwchatctl.deploy.model.storage import Table
from nwchatctl.deploy.model.websocket import Integration, Route, Stage
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.errors import ChatError
from tests.adapters.aws.stubbed_clients import PLACE, PREFIX, TAGS, StubbedClients, functions


def published(version: str, **settings: Any) -> Any:
    """A version as Lambda gives it; its function posts to API `abc`."""
    standard = {"MemorySize": 256, "State": "Active", "Environment": {"Variables": {"URL": "https://abc/x"}}}
    return {"Version": version, **standard, **settings}


LIVE = Alias(
    "f:live",
    "f",
    version_fingerprint(
        Function(
            "f", "", "", "", "x86_64", 256, 3, (("URL", "https://{api-id}/x"),), "", "Text", "",
            "/aws/lambda/f", False, (),
        ),
        "",
    ),
    (),
)  # fmt: skip


def test_an_alias_is_moved_without_weights(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_response("publish_version", published("7"), {"FunctionName": "f"})
    stub.add_response(
        "update_alias",
        {},
        {
            "FunctionName": "f",
            "Name": "live",
            "FunctionVersion": "7",
            "RoutingConfig": {"AdditionalVersionWeights": {}},
        },
    )
    functions(client).move_alias(LIVE, None, "abc")


def test_alias_is_moved_back_to_existing_version(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    # One that was killed may have published it a moment ago.
    for state in ("Pending", "Active"):
        found: Any = {"Configuration": {"State": state}}
        stub.add_response("get_function", found, {"FunctionName": "f", "Qualifier": "3"})
    stub.add_response("update_alias", {})
    functions(client).move_alias(LIVE, 3, "abc")


def test_a_version_with_a_snapshot_is_waited_for(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_response("publish_version", published("8", State="Pending"))
    ready: Any = {"Configuration": {"State": "Active"}}
    stub.add_response("get_function", ready, {"FunctionName": "f", "Qualifier": "8"})
    stub.add_response("update_alias", {})
    functions(client).move_alias(LIVE, None, "abc")


def test_concurrent_change_is_not_published(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_response("publish_version", published("8", MemorySize=512))
    with pytest.raises(ChatError) as caught:
        functions(client).move_alias(LIVE, None, "abc")
    assert caught.value.code == "changed_meanwhile"


def test_deleting_absent_version_succeeds(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_client_error(
        "delete_function",
        "ResourceNotFoundException",
        expected_params={"FunctionName": "f", "Qualifier": "3"},
    )
    functions(client).delete_version(Version("f:3", "f", 3, "x", ()))


def test_function_is_read_with_versions_and_their_aliases(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    listed: Any = {"Versions": [published("$LATEST"), published("1", MemorySize=128), published("2")]}
    stub.add_response("list_versions_by_function", listed)
    stub.add_response("list_tags", {"Tags": {"team": "chat"}})
    aliases: Any = {
        "Aliases": [
            {
                "Name": "live",
                "FunctionVersion": "2",
                "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.25}},
            },
            {"Name": "somebodys", "FunctionVersion": "1"},
        ]
    }
    stub.add_response("list_aliases", aliases)
    found = functions(client).read("f")
    assert found is not None
    function, *versions, live = found.resources("abc")
    assert isinstance(function, Function)
    assert function.tags == (("team", "chat"),)
    assert [(each.name, each.held_by) for each in versions if isinstance(each, Version)] == [
        ("f:1", ("live", "somebodys")),
        ("f:2", ("live",)),
    ]
    assert live == Alias("f:live", "f", LIVE.runs, (("1", "0.25"),))
    assert (found.newest_version(LIVE.runs, "abc"), found.newest_version("another", "abc")) == (2, None)


def test_a_missing_alias_is_made(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_response("publish_version", published("1"))
    stub.add_client_error("update_alias", "ResourceNotFoundException")
    stub.add_response("create_alias", {}, {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})
    functions(client).move_alias(LIVE, None, "abc")


PERMISSION = Permission("f:live nwchat-default", "f", "nwchat-default", "apigateway.amazonaws.com", "arn:new")
ADD = {
    "FunctionName": "f",
    "Qualifier": "live",
    "StatementId": "nwchat-default",
    "Action": "lambda:InvokeFunction",
    "Principal": "apigateway.amazonaws.com",
    "SourceArn": "arn:new",
}


def test_a_statement_of_the_same_id_is_replaced(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_client_error(
        "add_permission", "ResourceConflictException", "The statement id provided already exists"
    )
    stub.add_response(
        "remove_permission", {}, {"FunctionName": "f", "Qualifier": "live", "StatementId": "nwchat-default"}
    )
    stub.add_response("add_permission", {"Statement": "{}"}, ADD)
    functions(client).put_permission(PERMISSION)


@pytest.mark.parametrize("versions", [[published("1")], [published("1"), published("2")]])
def test_a_list_of_versions_without_latest_cannot_be_read(
    clients: StubbedClients, versions: list[Any]
) -> None:
    client, stub = clients.client("lambda")
    stub.add_response("list_versions_by_function", cast("Any", {"Versions": versions}))
    with pytest.raises(UnreadableAnswer, match=r"no \$LATEST of f"):
        functions(client).read("f")


def test_a_function_without_versions_does_not_exist(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_response("list_versions_by_function", {"Versions": []})
    assert functions(client).read("f") is None


def test_only_statements_of_ours_are_read(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    ours = {
        "Sid": "nwchat-default",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Condition": {"ArnLike": {"AWS:SourceArn": "arn:new"}},
    }
    theirs = {"Sid": "s3-trigger", "Principal": {"Service": "s3.amazonaws.com"}}
    stub.add_response("get_policy", {"Policy": json.dumps({"Statement": [ours, theirs]})})
    assert functions(client).read_permissions("f") == [PERMISSION]


def test_no_policy_is_no_permission(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_client_error("get_policy", "ResourceNotFoundException")
    assert functions(client).read_permissions("f") == []


def test_an_error_is_not_absence(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_client_error("list_versions_by_function", "AccessDeniedException")
    with pytest.raises(client.exceptions.ClientError):
        functions(client).read("f")


TABLE = Table("chat-messages", "room", "id", "expires_at", True, "PAY_PER_REQUEST", TAGS)
ACTIVE = {"Table": {"TableName": "chat-messages", "TableStatus": "ACTIVE"}}


def test_another_expiry_attribute_is_switched_off_first(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    for attribute, enabled in (("ttl", False), ("expires_at", True)):
        stub.add_response(
            "update_time_to_live",
            {},
            {
                "TableName": "chat-messages",
                "TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute},
            },
        )
    Tables(client).update(dataclasses.replace(TABLE, ttl_attribute="ttl"), TABLE)


def test_deletion_protection_is_removed_before_table_is_deleted(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_response("update_table", {}, {"TableName": "chat-messages", "DeletionProtectionEnabled": False})
    stub.add_response("describe_table", ACTIVE)
    stub.add_response("delete_table", {}, {"TableName": "chat-messages"})
    stub.add_client_error("describe_table", "ResourceNotFoundException")
    Tables(client).delete(TABLE)


def test_deleting_absent_resource_succeeds(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error("delete_table", "ResourceNotFoundException")
    Tables(client).delete(dataclasses.replace(TABLE, deletion_protection=False))


def test_other_policies_of_role_are_removed(clients: StubbedClients) -> None:
    client, stub = clients.client("iam")
    wanted = Role("f", "{}", "{}", (), TAGS)
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    stub.add_response("detach_role_policy", {}, {"RoleName": "f", "PolicyArn": admin})
    stub.add_response("delete_role_policy", {}, {"RoleName": "f", "PolicyName": "by-hand"})
    stub.add_response("untag_role", {}, {"RoleName": "f", "TagKeys": ["team"]})
    live = dataclasses.replace(wanted, other_policies=(admin, "by-hand"), tags=(*TAGS, ("team", "a")))
    Roles(client).update(live, wanted)


BOUNDARY = "arn:aws:iam::123456789012:policy/mine"


def test_the_boundary_of_a_role_is_set_before_its_policy(clients: StubbedClients) -> None:
    """The deploy policy allows the second only of a role that has it."""
    client, stub = clients.client("iam")
    live = Role("f", "{}", "{}", (), TAGS)
    stub.add_response("put_role_permissions_boundary", {}, {"RoleName": "f", "PermissionsBoundary": BOUNDARY})
    stub.add_response("update_assume_role_policy", {}, {"RoleName": "f", "PolicyDocument": '{"a":1}'})
    stub.add_response(
        "put_role_policy", {}, {"RoleName": "f", "PolicyName": "nwchat", "PolicyDocument": '{"b":1}'}
    )
    Roles(client).update(live, Role("f", '{"a":1}', '{"b":1}', (), TAGS, BOUNDARY))


@pytest.mark.parametrize("gone", [False, True])
def test_a_boundary_that_is_not_wanted_is_removed(clients: StubbedClients, gone: bool) -> None:
    client, stub = clients.client("iam")
    wanted = Role("f", "{}", "{}", (), TAGS)
    if gone:
        stub.add_client_error("delete_role_permissions_boundary", "NoSuchEntity")
    else:
        stub.add_response("delete_role_permissions_boundary", {}, {"RoleName": "f"})
    Roles(client).update(dataclasses.replace(wanted, boundary=BOUNDARY), wanted)


def test_a_role_is_made_with_its_boundary(clients: StubbedClients) -> None:
    client, stub = clients.client("iam")
    about: dict[str, object] = {
        "Path": "/",
        "RoleName": "f",
        "RoleId": "AROAEXAMPLEEXAMPLE",
        "Arn": "arn:aws:iam::123456789012:role/f",
        "CreateDate": "2026-01-01T00:00:00Z",
    }
    made = {
        "RoleName": "f",
        "Path": "/",
        "AssumeRolePolicyDocument": "{}",
        "Description": "Made by nwchatctl for a chat's Lambda function",
        "Tags": to_list(TAGS),
        "PermissionsBoundary": BOUNDARY,
    }
    stub.add_response("create_role", {"Role": about}, made)
    stub.add_response("put_role_policy", {})
    Roles(client).create(Role("f", "{}", "{}", (), TAGS, BOUNDARY))
    attached = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": BOUNDARY}
    stub.add_response("get_role", {"Role": {**about, "PermissionsBoundary": attached}})
    stub.add_response("list_role_policies", {"PolicyNames": []})
    stub.add_response("list_attached_role_policies", {"AttachedPolicies": []})
    read = Roles(client).read("f")
    assert read is not None
    assert read.boundary == BOUNDARY


def test_apis_are_found_on_every_page_and_by_tags_alone(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    mine: Any = {"Name": "x", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
    stub.add_response(
        "get_apis",
        {
            "Items": [{**mine, "ApiId": "untagged"}, {**mine, "ApiId": "http", "ProtocolType": "HTTP"}],
            "NextToken": "2",
        },
        {},
    )
    stub.add_response(
        "get_apis",
        {"Items": [{**mine, "ApiId": "abc", "Tags": {**dict(TAGS), "aws:x": "y"}}]},
        {"NextToken": "2"},
    )
    ((api_id, api),) = WebSocketApi(client, PREFIX, lambda: client).find("ours", dict(TAGS))
    assert (api_id, api.name, api.display_name) == ("abc", "ours", "x")
    assert api.tags == TAGS


def test_two_apis_of_one_chat_are_an_error(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    both: Any = [
        {
            "ApiId": each,
            "Name": "x",
            "ProtocolType": "WEBSOCKET",
            "RouteSelectionExpression": "$",
            "Tags": tags,
        }
        for each, tags in (
            ("a1", {"nwchat:chat": "x", "nwchat:managed-by": "nwchatctl"}),
            ("b2", {"nwchat:chat": "x", "nwchat:managed-by": "nwchatctl"}),
        )
    ]
    stub.add_response("get_apis", {"Items": both})
    aws = Aws(Access(region="us-east-2", credentials=StaticCredentials("a", "b")))
    cloud = Cloud(aws, Caller(PLACE, "me"), ResourceNames("x"), "production", lambda: 0)
    cloud.websocket_api = WebSocketApi(client, PREFIX, lambda: client)
    with pytest.raises(ChatError, match="a1, b2") as caught:
        cloud.find_api()
    assert caught.value.code == "api_ambiguous"


def gateway(client: Any) -> WebSocketApi:
    made = WebSocketApi(client, PREFIX, lambda: client)
    made.ids.api = "abc"
    made.ids.integrations["ping"] = "i1"
    made.ids.routes["ping"] = "r1"
    made.ids.deployments["d1"] = "dep1"
    return made


def test_mock_integration_without_response_is_completed(clients: StubbedClients) -> None:
    """What a killed deploy left half-made: the integration without its response."""
    client, stub = clients.client("apigatewayv2")
    ping = Integration("ping", "MOCK", "", 29_000, '{"statusCode":200}', '{"type":"pong"}')
    stub.add_response(
        "get_integrations",
        {
            "Items": [
                {
                    "IntegrationId": "i1",
                    "Description": "nwchatctl:ping",
                    "IntegrationType": "MOCK",
                    "TimeoutInMillis": 29_000,
                    "RequestTemplates": {"200": '{"statusCode":200}'},
                }
            ]
        },
    )
    stub.add_response("get_integration_responses", {"Items": []})
    made = WebSocketApi(client, PREFIX, lambda: client)
    made.ids.api = "abc"
    (live,) = made.integrations.read()
    assert live == dataclasses.replace(ping, response_template="")
    stub.add_response("update_integration", {})
    stub.add_response("get_integration_responses", {"Items": []})
    stub.add_response(
        "create_integration_response",
        {},
        {
            "ApiId": "abc",
            "IntegrationId": "i1",
            "IntegrationResponseKey": "$default",
            "ResponseTemplates": {"200": '{"type":"pong"}'},
            "TemplateSelectionExpression": "200",
        },
    )
    made.integrations.put(ping)


def test_second_integration_of_same_name_is_shown_by_id(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    twice: Any = [
        {"IntegrationId": each, "Description": "nwchatctl:connect", "IntegrationType": "AWS_PROXY"}
        for each in ("i1", "i2")
    ]
    stub.add_response("get_integrations", {"Items": twice})
    made = WebSocketApi(client, PREFIX, lambda: client)
    made.ids.api = "abc"
    assert [each.name for each in made.integrations.read()] == ["connect", "i2"]


def test_a_route_gets_its_response_once(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_response("update_route", {})
    stub.add_response(
        "get_route_responses", {"Items": [{"RouteResponseId": "rr", "RouteResponseKey": "$default"}]}
    )
    gateway(client).routes.put(Route("ping", "ping", "NONE", False, True))


LIMITED = (("$connect", "20/s, burst 200"), ("ping", "33.3333/s, burst 5"))


def test_limits_of_routes_are_read(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    settings: Any = {
        "ping": {"ThrottlingRateLimit": 33.3333, "ThrottlingBurstLimit": 5, "LoggingLevel": "OFF"},
        "$connect": {"ThrottlingRateLimit": 20.0, "ThrottlingBurstLimit": 200},
        "$default": {"DataTraceEnabled": True, "LoggingLevel": "INFO", "DetailedMetricsEnabled": True},
    }
    stub.add_response("get_stages", {"Items": [{"StageName": "production", "RouteSettings": settings}]})
    (stage,) = gateway(client).stages.read()
    assert stage.route_settings == (
        LIMITED[0],
        ("$default", "0/s, burst 0, INFO with data and metrics"),
        LIMITED[1],
    )


def test_stage_update_sets_both_limits_and_removes_manual_settings(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    wanted = Stage("production", "d1", False, 100.0, 200, LIMITED, (), TAGS)
    live = dataclasses.replace(
        wanted,
        throttle_rate=0.0,
        route_settings=(
            ("$connect", "20/s, burst 200, INFO with data"),
            ("onMessage", "1/s, burst 1"),
            ("ping", "1/s, burst 1"),
        ),
        variables=(("colour", "red"),),
        tags=(*TAGS, ("team", "a")),
    )
    # Another limit is updated; other settings, and those of other routes, have to be deleted.
    for route_key in ("$connect", "onMessage"):
        stub.add_response(
            "delete_route_settings", {}, {"ApiId": "abc", "StageName": "production", "RouteKey": route_key}
        )
    stub.add_response(
        "update_stage",
        {},
        {
            "ApiId": "abc",
            "StageName": "production",
            "DeploymentId": "dep1",
            "AutoDeploy": False,
            "DefaultRouteSettings": {"ThrottlingRateLimit": 100.0, "ThrottlingBurstLimit": 200},
            # Left out, it would stay.
            "StageVariables": {"colour": ""},
            "RouteSettings": {
                "$connect": {"ThrottlingRateLimit": 20.0, "ThrottlingBurstLimit": 200},
                "ping": {"ThrottlingRateLimit": 33.3333, "ThrottlingBurstLimit": 5},
            },
        },
    )
    stub.add_response(
        "untag_resource", {}, {"ResourceArn": f"{PREFIX}abc/stages/production", "TagKeys": ["team"]}
    )
    gateway(client).stages.update(live, wanted)
