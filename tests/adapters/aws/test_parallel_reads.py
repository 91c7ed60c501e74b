"""What the adapters read at once: each call waits until all that should be under way beside it are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from nwchatctl.aws.apigateway.websocket_api import WebSocketApi, WebSocketApiParts
from nwchatctl.aws.core.parallel import ParallelReads, run_inline
from nwchatctl.aws.dynamodb.tables import Tables
from nwchatctl.aws.iam import Roles
from nwchatctl.aws.logs import LogGroups
from nwchatctl.deploy.model.functions import Role
from nwchatctl.deploy.model.storage import LogGroup, Table
from nwchatctl.deploy.model.websocket import Authorizer, Deployment, Integration, Route, Stage


class Missing(Exception):
    """A client's own error for what is not there."""


class Exceptions:
    ResourceNotFoundException = NoSuchEntityException = NotFoundException = Missing


class Client:
    """Answers `answers` by method; those that `meet` names, in groups, answer when the whole group has come.
    Where they do not come together, the wait is over after some seconds and the test fails."""

    exceptions = Exceptions

    def __init__(self, answers: dict[str, Any], *meet: set[str]) -> None:
        self._answers = answers
        barriers = [(group, threading.Barrier(len(group), timeout=60)) for group in meet]
        self._barriers = {name: barrier for group, barrier in barriers for name in group}
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**wanted: Any) -> Any:
            self.asked.append(name)
            if name in self._barriers:
                self._barriers[name].wait()
            answer = self._answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer(**wanted) if callable(answer) else answer

        return call

    def get_paginator(self, name: str) -> Any:
        call = getattr(self, name)

        class Paginator:
            def paginate(self, **wanted: Any) -> list[Any]:
                return [call(**wanted)]

        return Paginator()


API = {
    "get_authorizers": {"Items": [{"AuthorizerId": "a1", "Name": "authorize", "IdentitySource": ["x"]}]},
    "get_integrations": {
        "Items": [
            {"IntegrationId": "i1", "Description": "nwchatctl:message", "IntegrationUri": "arn:m"},
            {"IntegrationId": "i2", "Description": "nwchatctl:ping", "IntegrationType": "MOCK"},
        ]
    },
    "get_integration_responses": {
        "Items": [{"IntegrationResponseKey": "$default", "ResponseTemplates": {"200": "pong"}}]
    },
    "get_routes": {
        "Items": [
            {"RouteKey": "$default", "RouteId": "r1", "Target": "integrations/i1"},
            {
                "RouteKey": "ping",
                "RouteId": "r2",
                "Target": "integrations/i2",
                "RouteResponseSelectionExpression": "$default",
            },
        ]
    },
    "get_route_responses": {"Items": [{"RouteResponseKey": "$default", "RouteResponseId": "rr"}]},
    "get_deployments": {"Items": [{"DeploymentId": "d9", "Description": "nwchatctl:abc"}]},
    "get_stages": {"Items": [{"StageName": "production", "DeploymentId": "d9"}]},
}

PARTS = WebSocketApiParts(
    integrations=[
        Integration("message", "", "arn:m", 29_000, "", ""),
        Integration("ping", "MOCK", "", 29_000, "", "pong"),
    ],
    routes=[
        Route("$default", "message", "NONE", False, False),
        Route("ping", "ping", "NONE", False, True),
    ],
    deployments=[Deployment("abc")],
    stages=[Stage("production", "abc", False, 0.0, 0, (), (), ())],
    authorizers=[Authorizer("authorize", "", "", ("x",))],
)


def test_api_parts_are_read_in_parallel_then_responses() -> None:
    client: Any = Client(
        API,
        {"get_authorizers", "get_integrations", "get_routes", "get_deployments", "get_stages"},
        {"get_integration_responses", "get_route_responses"},
    )
    gateway = WebSocketApi(client, "arn:", lambda: client)
    gateway.ids.api = "x"
    with ParallelReads() as start:
        assert gateway.read(start) == PARTS
    assert gateway.ids.integrations == {"message": "i1", "ping": "i2"}
    assert gateway.ids.routes == {"$default": "r1", "ping": "r2"}
    assert gateway.ids.deployments == {"abc": "d9"}


def test_sequential_reads_return_the_same() -> None:
    client: Any = Client(API)
    gateway = WebSocketApi(client, "arn:", lambda: client)
    gateway.ids.api = "x"
    assert gateway.read(run_inline) == PARTS


def test_table_is_described_in_parallel() -> None:
    client: Any = Client(
        {
            "describe_table": {
                "Table": {
                    "TableName": "t",
                    "TableArn": "arn:t",
                    "KeySchema": [{"KeyType": "HASH", "AttributeName": "room"}],
                    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
                }
            },
            "describe_time_to_live": {
                "TimeToLiveDescription": {"AttributeName": "expires_at", "TimeToLiveStatus": "ENABLED"}
            },
            "list_tags_of_resource": lambda ResourceArn: {"Tags": [{"Key": "arn", "Value": ResourceArn}]},
        },
        {"describe_time_to_live", "list_tags_of_resource"},
    )
    with ParallelReads() as start:
        assert Tables(client).read("t", start) == Table(
            "t", "room", "", "expires_at", False, "PAY_PER_REQUEST", (("arn", "arn:t"),)
        )


ROLE = {
    "get_role": {
        "Role": {"RoleId": "AROA1", "AssumeRolePolicyDocument": {}, "Tags": [{"Key": "a", "Value": "b"}]}
    },
    "list_attached_role_policies": {"AttachedPolicies": [{"PolicyArn": "arn:p"}]},
    "get_role_policy": {"PolicyDocument": {"Statement": []}},
}


@pytest.mark.parametrize(("inline", "policy"), [(["nwchat", "mine"], '{"Statement":[]}'), (["mine"], "")])
def test_role_policies_are_read_in_parallel(inline: list[str], policy: str) -> None:
    client: Any = Client(
        {**ROLE, "list_role_policies": {"PolicyNames": inline}},
        {"list_role_policies", "list_attached_role_policies"},
    )
    with ParallelReads() as start:
        assert Roles(client).read("r", start) == Role("r", "{}", policy, ("arn:p", "mine"), (("a", "b"),))
    # What it does not have is not asked for: the operator may not, of roles that are not a chat's.
    assert ("get_role_policy" in client.asked) == bool(policy)


def test_absent_resource_is_read_once() -> None:
    role: Any = Client({"get_role": Missing()})
    table: Any = Client({"describe_table": Missing()})
    with ParallelReads() as start:
        roles = Roles(role)
        assert roles.read("r", start) is None
        assert Tables(table).read("t", start) is None
    assert (role.asked, table.asked, roles.id("r")) == (["get_role"], ["describe_table"], "")


def test_log_groups_are_listed_in_one_call_and_filtered() -> None:
    listed: list[Any] = [
        {"logGroupName": f"/x-{name}", "retentionInDays": 7} for name in ("a", "b", "b-other")
    ]
    client: Any = Client(
        {
            "describe_log_groups": lambda logGroupNamePrefix: {
                "logGroups": [each for each in listed if each["logGroupName"].startswith(logGroupNamePrefix)]
            },
            "list_tags_for_resource": lambda resourceArn: {"tags": {"arn": resourceArn}},
        }
    )
    with ParallelReads() as start:
        found = LogGroups(client, lambda name: f"arn:{name}").read_all("/x-", ["/x-a", "/x-b", "/x-c"], start)
    assert found == [
        LogGroup("/x-a", 7, (("arn", "arn:/x-a"),)),
        LogGroup("/x-b", 7, (("arn", "arn:/x-b"),)),
    ]
    assert client.asked.count("describe_log_groups") == 1
