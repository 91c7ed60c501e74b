"""Every change can be sent again: after an answer that was lost, beside what is there already."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nwchatctl.aws.apigateway.websocket_api import WebSocketApi
from nwchatctl.aws.cloud import Cloud
from nwchatctl.aws.core.caller import Caller
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.aws.core.tags import to_list
from nwchatctl.aws.dynamodb.tables import Tables
from nwchatctl.aws.iam import Roles
from nwchatctl.aws.logs import LogGroups
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.storage import LogGroup, Table
from nwchatctl.deploy.model.websocket import Api, Deployment, Integration, Route, Stage
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.errors import ChatError
from tests.adapters.aws.stubbed_clients import PLACE, PREFIX, TAGS, StubbedClients, functions

pytestmark = pytest.mark.usefixtures("no_waiting")

THEIRS = (("nwchat:chat", "another"), ("nwchat:managed-by", "nwchatctl"))


def refuses(caught: pytest.ExceptionInfo[ChatError], what: str) -> bool:
    return (caught.value.code, caught.value.message) == (
        "not_ours",
        f"not this chat's, and in its way: {what}",
    )


# Tables ---------------------------------------------------------------------------------------

TABLE = Table("tab", "id", "", "expires_at", True, "PAY_PER_REQUEST", TAGS)
ARN = "arn:aws:dynamodb:us-east-2:123456789012:table/tab"


def described(status: str, **others: Any) -> Any:
    return {
        "Table": {
            "TableName": "tab",
            "TableArn": ARN,
            "TableStatus": status,
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            **others,
        }
    }


def taken(stub: Any, tags: Any, statuses: tuple[str, ...] = ("ACTIVE",)) -> None:
    """A table is there already, not yet protected and without expiry."""
    stub.add_client_error("create_table", "ResourceInUseException", "Table already exists: tab")
    for each in (*statuses, "ACTIVE", "ACTIVE"):
        stub.add_response("describe_table", described(each))
    stub.add_response("describe_time_to_live", {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})
    stub.add_response("list_tags_of_resource", {"Tags": to_list(tags)})


def test_a_table_that_is_there_is_completed(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    # Still being made by the call whose answer was lost.
    taken(stub, TAGS, ("CREATING", "CREATING", "ACTIVE"))
    stub.add_response("update_table", {}, {"TableName": "tab", "DeletionProtectionEnabled": True})
    stub.add_response("describe_table", described("ACTIVE"))
    stub.add_response(
        "update_time_to_live",
        {},
        {"TableName": "tab", "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "expires_at"}},
    )
    Tables(client).create(TABLE)


def test_foreign_table_is_refused(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    taken(stub, THEIRS)
    with pytest.raises(ChatError) as caught:
        Tables(client).create(TABLE)
    assert refuses(caught, "table tab")


def test_table_that_is_being_deleted_is_created_again(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error("create_table", "ResourceInUseException", "Table already exists: tab")
    stub.add_response("describe_table", described("DELETING"))
    stub.add_client_error("describe_table", "ResourceNotFoundException")
    stub.add_client_error("describe_table", "ResourceNotFoundException")
    stub.add_response("create_table", {})
    # One host of DynamoDB's does not know it yet.
    stub.add_client_error("describe_table", "ResourceNotFoundException")
    stub.add_response("describe_table", described("ACTIVE"))
    Tables(client).create(dataclasses.replace(TABLE, ttl_attribute=""))


def test_deleting_table_that_is_being_deleted_succeeds(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error(
        "update_table",
        "ResourceInUseException",
        "Attempt to change a resource which is still in use: Table is being deleted: tab",
    )
    stub.add_response("describe_table", described("DELETING"))
    stub.add_client_error("describe_table", "ResourceNotFoundException")
    Tables(client).delete(TABLE)


def test_billing_and_protection_are_changed_one_after_the_other(clients: StubbedClients) -> None:
    """UpdateTable takes one kind of change, and only of a table that is ACTIVE."""
    client, stub = clients.client("dynamodb")
    stub.add_response("update_table", {}, {"TableName": "tab", "DeletionProtectionEnabled": True})
    stub.add_response("describe_table", described("UPDATING"))
    stub.add_response("describe_table", described("ACTIVE"))
    stub.add_response("update_table", {}, {"TableName": "tab", "BillingMode": "PAY_PER_REQUEST"})
    stub.add_response("describe_table", described("ACTIVE"))
    Tables(client).update(dataclasses.replace(TABLE, deletion_protection=False, billing="PROVISIONED"), TABLE)


def test_table_that_is_deleted_while_it_is_completed_is_created_again(clients: StubbedClients) -> None:
    """A destroy takes its protection away first, so that it is seen as ACTIVE."""
    client, stub = clients.client("dynamodb")
    taken(stub, TAGS)
    gone = "Attempt to change a resource which is still in use: Table is being deleted: tab"
    stub.add_client_error("update_table", "ResourceInUseException", gone)
    stub.add_response("create_table", {})
    stub.add_response("describe_table", described("ACTIVE"))
    Tables(client).create(dataclasses.replace(TABLE, ttl_attribute=""))


def test_new_table_without_visible_tags_is_not_read(clients: StubbedClients) -> None:
    """Nobody knows yet whose it is; with its tags it is."""
    client, stub = clients.client("dynamodb")
    off = {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    for tags in ([], to_list(TAGS)):
        stub.add_response("describe_table", described("CREATING"))
        stub.add_response("describe_time_to_live", off)
        stub.add_response("list_tags_of_resource", {"Tags": tags})
    assert Tables(client).read("tab") is None
    found = Tables(client).read("tab")
    assert (found and found.tags) == TAGS


@pytest.mark.parametrize(
    ("status", "code", "raises"),
    [
        # ListTagsOfResource of a table that does not exist (measured by the emulator's authors).
        ("gone", "AccessDeniedException", False),
        ("ACTIVE", "AccessDeniedException", True),
        ("gone", "ResourceNotFoundException", False),
    ],
)
def test_table_that_is_deleted_while_it_is_read_is_not_there(
    clients: StubbedClients, status: str, code: str, raises: bool
) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_response("describe_table", described("ACTIVE"))
    stub.add_response("describe_time_to_live", {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})
    stub.add_client_error("list_tags_of_resource", code)
    if status == "ACTIVE":
        stub.add_response("describe_table", described("ACTIVE"))
    elif code == "AccessDeniedException":
        stub.add_client_error("describe_table", "ResourceNotFoundException")
    if raises:
        with pytest.raises(ClientError):
            Tables(client).read("tab")
    else:
        assert Tables(client).read("tab") is None


def test_expiry_that_is_on_already_is_on(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error("update_time_to_live", "ValidationException", "TimeToLive is already enabled")
    on = {"TimeToLiveStatus": "ENABLING", "AttributeName": "expires_at"}
    stub.add_response("describe_time_to_live", {"TimeToLiveDescription": on})
    Tables(client).update(dataclasses.replace(TABLE, ttl_attribute=""), TABLE)


def test_expiry_that_was_changed_too_often_is_an_error(clients: StubbedClients) -> None:
    client, stub = clients.client("dynamodb")
    often = "Time to live has been modified multiple times within a fixed interval"
    stub.add_client_error("update_time_to_live", "ValidationException", often)
    stub.add_response("describe_time_to_live", {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})
    with pytest.raises(ChatError) as caught:
        Tables(client).update(dataclasses.replace(TABLE, ttl_attribute=""), TABLE)
    assert (caught.value.code, "in an hour" in caught.value.hint) == ("ttl_too_soon", True)


# Log groups, roles, functions -----------------------------------------------------------------


def test_a_log_group_that_is_there_gets_retention_and_tags(clients: StubbedClients) -> None:
    """Lambda makes a group by itself, so that it is ours by its name."""
    client, stub = clients.client("logs")
    stub.add_client_error("create_log_group", "ResourceAlreadyExistsException")
    stub.add_response("describe_log_groups", {"logGroups": [{"logGroupName": "g"}]})
    stub.add_response("list_tags_for_resource", {"tags": {}})
    stub.add_response("put_retention_policy", {}, {"logGroupName": "g", "retentionInDays": 30})
    stub.add_response("tag_resource", {}, {"resourceArn": "arn:g", "tags": dict(TAGS)})
    LogGroups(client, lambda name: f"arn:{name}").create(LogGroup("g", 30, TAGS))


ROLE = Role("r", '{"Statement":[]}', '{"Statement":[1]}', (), TAGS)


def about_role(tags: Any = ()) -> Any:
    return {
        "Role": {
            "Path": "/",
            "RoleName": "r",
            "RoleId": "AROAEXAMPLEEXAMPLE",
            "Arn": "arn:aws:iam::123456789012:role/r",
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": ROLE.trust,
            "Tags": to_list(tags),
        }
    }


def role_taken(stub: Any, tags: Any) -> None:
    stub.add_client_error("create_role", "EntityAlreadyExists", "Role with name r already exists.")
    stub.add_response("get_role", about_role(tags))
    stub.add_response("list_role_policies", {"PolicyNames": []})
    stub.add_response("list_attached_role_policies", {"AttachedPolicies": []})


def test_a_role_that_is_there_gets_its_policy(clients: StubbedClients) -> None:
    client, stub = clients.client("iam")
    role_taken(stub, TAGS)
    policy = {"RoleName": "r", "PolicyName": "nwchat", "PolicyDocument": ROLE.policy}
    stub.add_response("put_role_policy", {}, policy)
    Roles(client).create(ROLE)


def test_policy_of_a_role_that_is_not_visible_yet_is_put_again(clients: StubbedClients) -> None:
    client, stub = clients.client("iam")
    stub.add_response("create_role", about_role())
    stub.add_client_error("put_role_policy", "NoSuchEntity")
    stub.add_client_error("put_role_policy", "NoSuchEntity")
    stub.add_response("put_role_policy", {})
    Roles(client).create(ROLE)


def test_role_that_is_not_visible_yet_is_read_again(clients: StubbedClients) -> None:
    """The answer to the first create was lost."""
    client, stub = clients.client("iam")
    stub.add_client_error("create_role", "EntityAlreadyExists", "Role with name r already exists.")
    stub.add_client_error("get_role", "NoSuchEntity")
    stub.add_response("get_role", about_role(TAGS))
    stub.add_response("list_role_policies", {"PolicyNames": []})
    stub.add_response("list_attached_role_policies", {"AttachedPolicies": []})
    stub.add_response("put_role_policy", {})
    Roles(client).create(ROLE)


def test_foreign_role_is_refused(clients: StubbedClients) -> None:
    client, stub = clients.client("iam")
    role_taken(stub, ())
    with pytest.raises(ChatError) as caught:
        Roles(client).create(ROLE)
    assert refuses(caught, "role r")


def test_policy_attached_during_role_deletion_is_detached(clients: StubbedClients) -> None:
    client, stub = clients.client("iam")
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    stub.add_response("delete_role_policy", {}, {"RoleName": "r", "PolicyName": "nwchat"})
    stub.add_client_error("delete_role", "DeleteConflict", "Cannot delete entity, must detach all policies")
    stub.add_response("list_role_policies", {"PolicyNames": ["by-hand"]})
    attached = [{"PolicyName": "ReadOnlyAccess", "PolicyArn": arn}]
    stub.add_response("list_attached_role_policies", {"AttachedPolicies": attached})
    stub.add_response("delete_role_policy", {}, {"RoleName": "r", "PolicyName": "by-hand"})
    stub.add_response("detach_role_policy", {}, {"RoleName": "r", "PolicyArn": arn})
    stub.add_response("delete_role", {}, {"RoleName": "r"})
    Roles(client).delete(ROLE)


def test_role_whose_policies_stay_is_an_error(clients: StubbedClients) -> None:
    client, stub = clients.client("iam")
    stub.add_response("delete_role_policy", {})
    for last in (False, False, True):
        stub.add_client_error("delete_role", "DeleteConflict", "must remove roles from instance profile")
        if not last:
            stub.add_response("list_role_policies", {"PolicyNames": []})
            stub.add_response("list_attached_role_policies", {"AttachedPolicies": []})
    with pytest.raises(ClientError, match="instance profile"):
        Roles(client).delete(ROLE)


FUNCTION = Function(
    "f", "r", "h", "python3.13", "arm64", 256, 10, (), "sha", "JSON", "INFO", "/aws/lambda/f", False, TAGS
)


def function_taken(stub: Any, tags: Any, **others: Any) -> None:
    stub.add_client_error("create_function", "ResourceConflictException", "Function already exist: f")
    configuration = {
        "FunctionName": "f",
        "Role": PLACE.role_arn("r"),
        "Handler": "h",
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "MemorySize": 256,
        "Timeout": 10,
        "CodeSha256": "sha",
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "LogGroup": "/aws/lambda/f"},
        **others,
    }
    stub.add_response("get_function", {"Configuration": {**configuration, "State": "Pending"}})
    stub.add_response("get_function", {"Configuration": {**configuration, "State": "Active"}})
    stub.add_response("list_versions_by_function", {"Versions": [{**configuration, "Version": "$LATEST"}]})
    stub.add_response("list_tags", {"Tags": dict(tags)})
    stub.add_response("list_aliases", {"Aliases": []})


def test_existing_equal_function_is_not_changed(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    function_taken(stub, TAGS)
    functions(client).create(FUNCTION)


def test_existing_function_is_updated(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    function_taken(stub, TAGS, CodeSha256="old")
    code = {"FunctionName": "f", "ZipFile": b"zip", "Architectures": ["arm64"], "Publish": False}
    stub.add_response("update_function_code", {}, code)
    changing = {"State": "Active", "LastUpdateStatus": "InProgress"}
    stub.add_response("get_function", {"Configuration": changing})
    stub.add_response("get_function", {"Configuration": {**changing, "LastUpdateStatus": "Successful"}})
    functions(client).create(FUNCTION)


def test_foreign_function_is_refused(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    function_taken(stub, THEIRS)
    with pytest.raises(ChatError) as caught:
        functions(client).create(FUNCTION)
    assert refuses(caught, "function f")


@pytest.mark.parametrize(
    "failed",
    [
        {"State": "Failed", "StateReason": "no such layer"},
        {"State": "Active", "LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no such layer"},
    ],
    ids=["made", "changed"],
)
def test_a_function_that_fails_is_not_waited_for(clients: StubbedClients, failed: dict[str, str]) -> None:
    client, stub = clients.client("lambda")
    stub.add_response("create_function", {})
    stub.add_response("get_function", {"Configuration": failed})
    with pytest.raises(ChatError, match="function f could not be made ready: no such layer") as caught:
        functions(client).create(FUNCTION)
    assert caught.value.code == "function_failed"


# API Gateway ----------------------------------------------------------------------------------


def gateway(clients: StubbedClients) -> tuple[WebSocketApi, Any, Any]:
    """With the stub of the client that may repeat calls, and of the one that must not."""
    client, stub = clients.client("apigatewayv2")
    single, once = clients.client("apigatewayv2")
    made = WebSocketApi(client, PREFIX, lambda: single)
    made.ids.api = "abc"
    made.ids.integrations["ping"] = "i1"
    made.ids.deployments["d1"] = "dep1"
    return made, stub, once


def broken(once: Any, call: str) -> None:
    once.add_client_error(call, "500", "Internal Server Error", http_status_code=500)


API = Api("x", "nwchat-x", "$request.body.action", True, TAGS)


def an_api(api_id: str, name: str = "nwchat-x", created: str = "2026-01-01") -> Any:
    return {
        "ApiId": api_id,
        "Name": name,
        "ProtocolType": "WEBSOCKET",
        "RouteSelectionExpression": "$request.body.action",
        "CreatedDate": f"{created}T00:00:00Z",
        "Tags": dict(TAGS),
    }


def test_an_api_made_without_an_answer_is_found(clients: StubbedClients) -> None:
    made, stub, once = gateway(clients)
    broken(once, "create_api")
    stub.add_response("get_apis", {"Items": [an_api("new")]})
    made.create_api(API)
    assert made.ids.api == "new"


def test_an_api_that_was_not_made_is_made_again(clients: StubbedClients) -> None:
    made, stub, once = gateway(clients)
    broken(once, "create_api")
    stub.add_response("get_apis", {"Items": [an_api("other", name="somebody's")]})
    once.add_response("create_api", {"ApiId": "new"})
    made.create_api(API)
    assert made.ids.api == "new"


def test_an_integration_made_without_an_answer_is_found(clients: StubbedClients) -> None:
    made, stub, once = gateway(clients)
    broken(once, "create_integration")
    items = [{"IntegrationId": "i2", "Description": "nwchatctl:connect"}, {"IntegrationId": "i3"}]
    stub.add_response("get_integrations", {"Items": items})
    stub.add_response("update_integration", {})
    made.integrations.put(Integration("connect", "AWS_PROXY", "arn:f", 29_000, "", ""))
    assert made.ids.integrations["connect"] == "i2"


def test_a_deployment_made_without_an_answer_is_found(clients: StubbedClients) -> None:
    made, stub, once = gateway(clients)
    broken(once, "create_deployment")
    stub.add_response("get_deployments", {"Items": [{"DeploymentId": "y", "Description": "nwchatctl:d2"}]})
    made.deployments.create(Deployment("d2"))
    assert made.ids.deployments["d2"] == "y"


def test_a_route_that_is_there_is_retargeted(clients: StubbedClients) -> None:
    made, stub, once = gateway(clients)
    exists = "Route with key ping already exists for this API"
    once.add_client_error("create_route", "ConflictException", exists, http_status_code=409)
    stub.add_response("get_routes", {"Items": [{"RouteId": "r1", "RouteKey": "ping"}]})
    wanted = {"ApiId": "abc", "RouteKey": "ping", "Target": "integrations/i1"}
    others = {"AuthorizationType": "NONE", "ApiKeyRequired": False, "RouteId": "r1"}
    answering = {"RouteResponseSelectionExpression": "$default"}
    stub.add_response("update_route", {}, {**wanted, **others, **answering})
    stub.add_response("get_route_responses", {"Items": []})
    # Its response is made twice as easily.
    broken(once, "create_route_response")
    response = {"RouteResponseId": "rr", "RouteResponseKey": "$default"}
    stub.add_response("get_route_responses", {"Items": [response]})
    made.routes.put(Route("ping", "ping", "NONE", False, True))
    assert made.ids.routes == {"ping": "r1"}


def test_a_stage_that_is_there_is_changed(clients: StubbedClients) -> None:
    made, stub, once = gateway(clients)
    once.add_client_error("create_stage", "ConflictException", "Stage already exists", http_status_code=409)
    stub.add_response("get_stages", {"Items": [{"StageName": "production", "Tags": dict(TAGS)}]})
    stub.add_response("update_stage", {})
    made.stages.create(Stage("production", "d1", False, 100.0, 200, (), (), TAGS))


def test_tagging_retries_throttling_and_conflicts(clients: StubbedClients) -> None:
    made, stub, _ = gateway(clients)
    stub.add_response("update_api", {})
    stub.add_client_error("tag_resource", "TooManyRequestsException", http_status_code=429)
    stub.add_client_error("tag_resource", "ConflictException", "concurrent modification")
    stub.add_response("tag_resource", {})
    made.update_api(dataclasses.replace(API, tags=()), API)


def test_reading_twice_reads_the_same(clients: StubbedClients) -> None:
    """A retry repeats a whole reading: what the first half of it saw must not look like duplicates."""
    made, stub, _ = gateway(clients)
    items = [{"IntegrationId": "i1", "Description": "nwchatctl:connect", "IntegrationType": "AWS_PROXY"}]
    for _ in range(2):
        stub.add_response("get_integrations", {"Items": items})
    assert made.integrations.read() == made.integrations.read()


# Leftovers ------------------------------------------------------------------------------------


def cloud(client: Any) -> Cloud:
    made = Cloud(
        Aws(Access(region="us-east-2", credentials=StaticCredentials("a", "b"))),
        Caller(PLACE, "me"),
        ResourceNames("x"),
        "production",
        lambda: 0,
    )
    made.websocket_api = WebSocketApi(client, PREFIX, lambda: client)
    return made


def nothing_in(stub: Any, api_id: str) -> None:
    for each in ("get_routes", "get_integrations", "get_stages"):
        stub.add_response(each, {"Items": []}, {"ApiId": api_id})


def test_of_bare_apis_the_oldest_is_kept(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    apis = [an_api("a", created="2026-01-02"), an_api("b"), an_api("c", created="2026-01-03")]
    stub.add_response("get_apis", {"Items": apis})
    for each in "bac":
        nothing_in(stub, each)
    made = cloud(client)
    assert made.find_api() == "b"
    assert made.websocket_api.ids.duplicates == {"a", "c"}
    stub.add_response("delete_api", {}, {"ApiId": "c"})
    stub.add_response("delete_api", {}, {"ApiId": "b"})
    made.websocket_api.delete_api(dataclasses.replace(API, name="c"))
    made.websocket_api.delete_api(dataclasses.replace(API, name="nwchat-x"))


def test_the_one_that_is_in_use_is_kept(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_response("get_apis", {"Items": [an_api("a"), an_api("b", name="renamed")]})
    nothing_in(stub, "a")
    stub.add_response("get_routes", {"Items": [{"RouteKey": "$default"}]}, {"ApiId": "b"})
    made = cloud(client)
    assert made.find_api() == "b"
    assert made.websocket_api.ids.duplicates == {"a"}


@pytest.mark.parametrize(
    ("failures", "code"), [(0, ""), (2, ""), (3, "changed_meanwhile")], ids=["once", "thrice", "too often"]
)
def test_chat_of_which_a_part_disappears_is_read_again(
    clients: StubbedClients, monkeypatch: pytest.MonkeyPatch, failures: int, code: str
) -> None:
    client, _ = clients.client("apigatewayv2")
    made, reads = cloud(client), 0

    def read() -> str:
        nonlocal reads
        reads += 1
        if reads <= failures:
            gone: Any = {"Error": {"Code": "NotFoundException", "Message": "no such route"}}
            raise ClientError(gone, "GetRouteResponses")
        return "live"

    monkeypatch.setattr(made, "_read_once", read)
    if not code:
        assert str(made.read()) == "live"
        return
    with pytest.raises(ChatError) as caught:
        made.read()
    assert (caught.value.code, reads) == (code, 3)


def test_other_errors_of_a_reading_are_raised(
    clients: StubbedClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = clients.client("apigatewayv2")
    made = cloud(client)

    def read() -> str:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetRoutes")

    monkeypatch.setattr(made, "_read_once", read)
    with pytest.raises(ClientError):
        made.read()
