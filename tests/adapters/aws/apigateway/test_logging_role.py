"""What the account's logging role takes of AWS, call by call, and the access log of a stage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from nwchatctl.aws.apigateway.logging_role import LoggingRole
from nwchatctl.aws.apigateway.websocket_api import WebSocketApi
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.logging_role import ROLE, ROLE_TAGS, ROLE_TRUST, role_policy
from nwchatctl.deploy.model.websocket import Stage
from nwchatctl.errors import ChatError

ARN = f"arn:aws:iam::123456789012:role/{ROLE}"
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
TAGS = [{"Key": key, "Value": value} for key, value in ROLE_TAGS]
SET = {"patchOperations": [{"op": "replace", "path": "/cloudwatchRoleArn", "value": ARN}]}


def stubbed(service: Any) -> tuple[Any, Stubber]:
    client = boto3.client(service, region_name="us-east-2", aws_access_key_id="a", aws_secret_access_key="b")
    stub = Stubber(client)
    stub.activate()
    return client, stub


class StubbedClients:
    """An `Account` on stubbed clients, and no waiting between attempts."""

    def __init__(self) -> None:
        gateway, self.gateway = stubbed("apigateway")
        iam, self.iam = stubbed("iam")
        self.account = LoggingRole(gateway, iam, Location("123456789012", "us-east-2"))

    def no_role(self) -> None:
        self.iam.add_client_error("get_role", "NoSuchEntity", expected_params={"RoleName": ROLE})

    def role(self, *attached: str, trust: str = ROLE_TRUST, tags: Any = TAGS) -> None:
        role: Any = {
            "Path": "/",
            "RoleName": ROLE,
            "RoleId": "AROA1234567890123456",
            "Arn": ARN,
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": trust,
            "Tags": tags,
        }
        self.iam.add_response("get_role", {"Role": role}, {"RoleName": ROLE})
        self.iam.add_response("list_role_policies", {"PolicyNames": []})
        policies: Any = [{"PolicyName": "x", "PolicyArn": each} for each in attached]
        self.iam.add_response("list_attached_role_policies", {"AttachedPolicies": policies})

    def attaches(self) -> None:
        self.iam.add_response("attach_role_policy", {}, {"RoleName": ROLE, "PolicyArn": POLICY})

    def sets(self) -> None:
        self.gateway.add_response("update_account", {"cloudwatchRoleArn": ARN}, SET)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubbedClients]:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.0)
    made = StubbedClients()
    yield made
    made.gateway.assert_no_pending_responses()
    made.iam.assert_no_pending_responses()


def test_policy_is_the_one_managed_by_aws() -> None:
    assert role_policy("aws") == POLICY
    assert role_policy("aws-cn").startswith("arn:aws-cn:iam::aws:policy/")
    (statement,) = json.loads(ROLE_TRUST)["Statement"]
    assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}


@pytest.mark.parametrize("answer", [{}, {"cloudwatchRoleArn": ""}])
def test_an_account_without_a_role(clients: StubbedClients, answer: dict[str, str]) -> None:
    clients.gateway.add_response("get_account", answer)
    assert clients.account.logging_role() == ""


def test_an_account_with_a_role_of_ours_and_of_others(clients: StubbedClients) -> None:
    for arn in (ARN, ARN, "arn:aws:iam::1:role/other"):
        clients.gateway.add_response("get_account", {"cloudwatchRoleArn": arn})
    assert clients.account.logging_role() == ARN
    assert clients.account.has_own_role()
    assert not clients.account.has_own_role()


def test_denied_read_is_ignored_when_role_is_not_needed(clients: StubbedClients) -> None:
    clients.gateway.add_client_error("get_account", "AccessDeniedException")
    assert not clients.account.has_own_role()
    clients.gateway.add_client_error("get_account", "AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        clients.account.logging_role()


def test_role_is_complete_before_account_uses_it(clients: StubbedClients) -> None:
    clients.no_role()
    clients.iam.add_response(
        "create_role",
        {
            "Role": {
                "Path": "/",
                "RoleName": ROLE,
                "RoleId": "AROA1234567890123456",
                "Arn": ARN,
                "CreateDate": "2026-01-01T00:00:00Z",
            }
        },
        {
            "RoleName": ROLE,
            "AssumeRolePolicyDocument": ROLE_TRUST,
            "Description": "Made by nwchatctl for API Gateway to write logs, in this account",
            "Tags": TAGS,
        },
    )
    clients.attaches()
    clients.sets()
    clients.account.set_logging_role()


def test_role_created_by_concurrent_deploy_is_used(clients: StubbedClients) -> None:
    clients.no_role()
    clients.iam.add_client_error("create_role", "EntityAlreadyExists")
    clients.attaches()
    clients.sets()
    clients.account.set_logging_role()


def test_role_left_incomplete_by_killed_deploy_is_completed(clients: StubbedClients) -> None:
    clients.role()
    clients.attaches()
    clients.sets()
    clients.account.set_logging_role()
    clients.role(POLICY)
    clients.sets()
    clients.account.set_logging_role()


def test_trust_policy_that_allows_others_is_replaced(clients: StubbedClients) -> None:
    clients.role(POLICY, trust='{"Statement":[],"Version":"2012-10-17"}')
    clients.iam.add_response(
        "update_assume_role_policy", {}, {"RoleName": ROLE, "PolicyDocument": ROLE_TRUST}
    )
    clients.sets()
    clients.account.set_logging_role()


def test_foreign_role_with_same_name_is_not_changed(clients: StubbedClients) -> None:
    clients.role(POLICY, tags=[])
    with pytest.raises(ChatError) as caught:
        clients.account.set_logging_role()
    assert caught.value.code == "not_ours"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "BadRequestException",
            "The role ARN does not have required permissions configured. Please grant trust permission "
            "for API Gateway and add the required role policy.",
        ),
        ("BadRequestException", "The role ARN does not have required permissions set to API Gateway"),
        (
            "BadRequestException",
            "API Gateway could not successfully write to CloudWatch Logs using the ARN specified",
        ),
        ("TooManyRequestsException", "Too Many Requests"),
    ],
)
def test_setting_role_retries_until_iam_and_account_accept_it(
    clients: StubbedClients, code: str, message: str
) -> None:
    clients.role(POLICY)
    for _ in range(3):
        clients.gateway.add_client_error("update_account", code, message)
    clients.sets()
    clients.account.set_logging_role()


def test_wait_for_role_is_bounded(clients: StubbedClients, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 40))
    monkeypatch.setattr("nwchatctl.aws.core.retry.time.monotonic", lambda: float(next(clock)))
    clients.role(POLICY)
    for _ in range(3):
        clients.gateway.add_client_error(
            "update_account", "BadRequestException", "The role ARN does not have required permissions"
        )
    with pytest.raises(Exception, match="required permissions"):
        clients.account.set_logging_role()


# The stage ------------------------------------------------------------------------------------

GROUP = "arn:aws:logs:us-east-2:123456789012:log-group:/aws/apigateway/nwchat-x-access"
QUIET = Stage("production", "d1", False, 100.0, 200, (), (), ())
LOGGED = dataclasses.replace(QUIET, access_log=GROUP, access_format="$context.requestId")
ACCESS = {"DestinationArn": GROUP, "Format": "$context.requestId"}
WANTED: dict[str, Any] = {
    "ApiId": "abc",
    "StageName": "production",
    "DeploymentId": "dep1",
    "AutoDeploy": False,
    "DefaultRouteSettings": {"ThrottlingRateLimit": 100.0, "ThrottlingBurstLimit": 200},
    "StageVariables": {},
}


@pytest.fixture
def stage() -> Iterator[tuple[WebSocketApi, Stubber]]:
    client, stub = stubbed("apigatewayv2")
    gateway = WebSocketApi(client, "arn:aws:apigateway:us-east-2::/apis/", lambda: client)
    gateway.ids.api = "abc"
    gateway.ids.deployments["d1"] = "dep1"
    yield gateway, stub
    stub.assert_no_pending_responses()


def test_access_logs_are_set_with_both_limits(stage: tuple[WebSocketApi, Stubber]) -> None:
    gateway, stub = stage
    stub.add_response("create_stage", {}, {**WANTED, "AccessLogSettings": ACCESS, "Tags": {}})
    gateway.stages.create(LOGGED)
    stub.add_response("update_stage", {}, {**WANTED, "AccessLogSettings": ACCESS})
    gateway.stages.update(QUIET, LOGGED)


def test_access_logs_are_removed_by_separate_call(stage: tuple[WebSocketApi, Stubber]) -> None:
    gateway, stub = stage
    of_stage = {"ApiId": "abc", "StageName": "production"}
    stub.add_response("delete_access_log_settings", {}, of_stage)
    stub.add_response("update_stage", {}, WANTED)
    gateway.stages.update(LOGGED, QUIET)
    stub.add_client_error("delete_access_log_settings", "NotFoundException", expected_params=of_stage)
    stub.add_response("update_stage", {}, WANTED)
    gateway.stages.update(LOGGED, QUIET)


def test_other_logging_settings_are_switched_off(stage: tuple[WebSocketApi, Stubber]) -> None:
    gateway, stub = stage
    limits = WANTED["DefaultRouteSettings"]
    off = {"LoggingLevel": "OFF", "DataTraceEnabled": False, "DetailedMetricsEnabled": False}
    for field in ({"execution_log": "INFO"}, {"detailed_metrics": True}):
        stub.add_response("update_stage", {}, {**WANTED, "DefaultRouteSettings": {**limits, **off}})
        changes: dict[str, Any] = field
        gateway.stages.update(dataclasses.replace(QUIET, **changes), QUIET)


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({}, ("", False)),
        ({"LoggingLevel": "OFF", "DataTraceEnabled": False}, ("", False)),
        ({"LoggingLevel": "ERROR"}, ("ERROR", False)),
        ({"LoggingLevel": "INFO", "DataTraceEnabled": True}, ("INFO with data", False)),
        ({"DataTraceEnabled": True, "DetailedMetricsEnabled": True}, ("OFF with data", True)),
    ],
)
def test_other_logging_settings_are_read(
    stage: tuple[WebSocketApi, Stubber], settings: dict[str, Any], read: tuple[str, bool]
) -> None:
    gateway, stub = stage
    there: Any = {"StageName": "production", "DefaultRouteSettings": settings}
    stub.add_response("get_stages", {"Items": [there]})
    (found,) = gateway.stages.read()
    assert (found.execution_log, found.detailed_metrics) == read


@pytest.mark.parametrize("arn", [GROUP, f"{GROUP}:*"])
def test_access_logs_are_read(stage: tuple[WebSocketApi, Stubber], arn: str) -> None:
    gateway, stub = stage
    there: Any = {
        "StageName": "production",
        "DeploymentId": "dep1",
        "DefaultRouteSettings": WANTED["DefaultRouteSettings"],
        "AccessLogSettings": {**ACCESS, "DestinationArn": arn},
    }
    stub.add_response("get_stages", {"Items": [there]})
    assert gateway.stages.read() == [LOGGED]
