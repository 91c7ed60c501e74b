"""The embedded AWS guards access logs, and the account's role behind them, as API Gateway does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nwchatctl.deploy.desired.policies import lambda_trust
from nwchatctl.deploy.logging_role import ROLE, ROLE_TRUST, role_policy
from tests.e2e.support.console import core, logging
from tests.e2e.support.operator import ACCOUNT, Operator
from tests.e2e.support.sandbox import Sandbox, echo_chat

ACCESS = {"DestinationArn": logging.ELSEWHERE, "Format": "$context.requestId"}
OTHER = "a-role-for-logs"
ARN = f"arn:aws:iam::{ACCOUNT}:role/{OTHER}"


@pytest.fixture
def root(sandbox: Sandbox, tmp_path: Path) -> Iterator[Operator]:
    """Changes by root, in an account without a logging role."""
    made = Operator(sandbox, "e2e-account", tmp_path)
    logging.account_logging_unset(made)
    yield made
    iam = made.root("iam")
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.delete_role_policy(RoleName=OTHER, PolicyName="x")
    logging.remove_log_role(made, OTHER)
    logging.account_logging_unset(made)


def refused(call: Any, **wanted: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**wanted)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def test_a_stage_logs_only_in_an_account_with_a_role(root: Operator, sandbox: Sandbox) -> None:
    chat = {"ApiId": echo_chat(sandbox, "access-logs")}
    of_stage = {**chat, "StageName": "production"}
    no_role = (
        "BadRequestException: CloudWatch Logs role ARN must be set in account settings to enable logging"
    )
    assert refused(root.api.update_stage, **of_stage, AccessLogSettings=ACCESS) == no_role
    for steps in (
        {"DefaultRouteSettings": {"LoggingLevel": "INFO"}},
        {"RouteSettings": {"x": {"LoggingLevel": "ERROR"}}},
    ):
        assert refused(root.api.update_stage, **of_stage, **steps) == no_role
    root.api.update_stage(**of_stage, DefaultRouteSettings={"LoggingLevel": "OFF"})
    assert refused(root.api.create_stage, **chat, StageName="test", AccessLogSettings=ACCESS) == no_role

    logging.set_account_role(root, logging.make_log_role(root, OTHER))
    root.api.update_stage(**of_stage, AccessLogSettings=ACCESS)
    assert root.api.get_stage(**of_stage)["AccessLogSettings"] == ACCESS
    # What is not given stays.
    root.api.update_stage(**of_stage, Description="x")
    assert root.api.get_stage(**of_stage)["AccessLogSettings"] == ACCESS
    for _ in range(2):
        root.api.delete_access_log_settings(**of_stage)
        there = root.api.get_stage(**of_stage)
        assert ("AccessLogSettings" in there, there["Description"]) == (False, "x")
    missing = refused(root.api.delete_access_log_settings, **chat, StageName="none")
    assert missing.startswith("NotFoundException")


def test_only_a_role_that_can_write_logs_is_taken(root: Operator) -> None:
    iam = root.root("iam")
    bad = "BadRequestException: The role ARN does not have required permissions configured"
    patch = {"patchOperations": [{"op": "replace", "path": "/cloudwatchRoleArn", "value": ARN}]}
    account = root.root("apigateway")
    assert refused(account.update_account, **patch).startswith(bad)
    iam.create_role(RoleName=OTHER, AssumeRolePolicyDocument=ROLE_TRUST)
    assert refused(account.update_account, **patch).startswith(bad)
    iam.attach_role_policy(RoleName=OTHER, PolicyArn=role_policy("aws"))
    iam.update_assume_role_policy(RoleName=OTHER, PolicyDocument=lambda_trust())
    assert refused(account.update_account, **patch).startswith(bad)
    assert logging.account_role(root) == ""
    iam.update_assume_role_policy(RoleName=OTHER, PolicyDocument=ROLE_TRUST)
    account.update_account(**patch)
    assert logging.account_role(root) == ARN
    # Another way of allowing it.
    iam.detach_role_policy(RoleName=OTHER, PolicyArn=role_policy("aws"))
    allowed = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
    iam.put_role_policy(
        RoleName=OTHER,
        PolicyName="x",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    account.update_account(**patch)


def test_operator_may_pass_only_the_logging_role(root: Operator, sandbox: Sandbox) -> None:
    iam, account = sandbox.client("iam"), sandbox.client("apigateway")
    logging.make_log_role(root, ROLE)
    logging.make_log_role(root, OTHER)

    def setting(arn: str) -> dict[str, Any]:
        return {"patchOperations": [{"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}]}

    denied = refused(account.update_account, **setting(ARN))
    assert "AccessDenied" in denied
    assert "iam:PassRole" in denied
    account.update_account(**setting(f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"))
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=role_policy("aws"))
    for role, policy in ((ROLE, core.MANAGED), (OTHER, role_policy("aws"))):
        denied = refused(iam.attach_role_policy, RoleName=role, PolicyArn=policy)
        assert "iam:AttachRolePolicy" in denied
