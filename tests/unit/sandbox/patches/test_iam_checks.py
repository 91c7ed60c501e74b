from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from nwchatctl.sandbox.patches.iam_checks import Check, further_checks

ROLE = "arn:aws:iam::000000000000:role/nwchat-x"
PASS = Check("lambda", "iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"})


def checks(method: str, path: str, target: str, body: bytes) -> tuple[Check, ...]:
    return further_checks(method, path, target, body, account="000000000000", region="us-east-2")


@pytest.mark.parametrize(
    ("method", "path", "data", "expected"),
    [
        ("POST", "/2015-03-31/functions", {"FunctionName": "nwchat-x", "Role": ROLE}, (PASS,)),
        (
            "POST",
            "/2015-03-31/functions/",
            {"FunctionName": "nwchat-x", "Role": ROLE, "Tags": {"a": "b"}},
            (
                PASS,
                Check(
                    "lambda",
                    "lambda:TagResource",
                    "arn:aws:lambda:us-east-2:000000000000:function:nwchat-x",
                ),
            ),
        ),
        ("PUT", "/2015-03-31/functions/nwchat-x/configuration", {"Role": ROLE}, (PASS,)),
        ("PUT", "/2015-03-31/functions/nwchat-x/configuration", {"MemorySize": 256}, ()),
        ("GET", "/2015-03-31/functions/nwchat-x/configuration", {"Role": ROLE}, ()),
        ("POST", "/2015-03-31/functions/nwchat-x/invocations", {"Role": ROLE}, ()),
    ],
)
def test_functions(method: str, path: str, data: dict[str, Any], expected: tuple[Check, ...]) -> None:
    assert checks(method, path, "", json.dumps(data).encode()) == expected


def test_tags_at_creation() -> None:
    table = {"TableName": "nwchat-x", "Tags": [{"Key": "a", "Value": "b"}]}
    assert checks("POST", "/", "DynamoDB_20120810.CreateTable", json.dumps(table).encode()) == (
        Check("dynamodb", "dynamodb:TagResource", "arn:aws:dynamodb:us-east-2:000000000000:table/nwchat-x"),
    )
    group = {"logGroupName": "/aws/lambda/x", "tags": {"a": "b"}}
    assert checks("POST", "/", "Logs_20140328.CreateLogGroup", json.dumps(group).encode()) == (
        Check("logs", "logs:TagResource", "arn:aws:logs:us-east-2:000000000000:log-group:/aws/lambda/x"),
    )
    role = {"Action": "CreateRole", "RoleName": "nwchat-x", "Path": "/", "Tags.member.1.Key": "a"}
    assert checks("POST", "/", "", urlencode(role).encode()) == (Check("iam", "iam:TagRole", ROLE),)


def test_the_role_that_api_gateway_logs_with_is_passed() -> None:
    def patch(*operations: dict[str, str]) -> bytes:
        return json.dumps({"patchOperations": operations}).encode()

    set_role = patch({"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE})
    passed = {"iam:PassedToService": "apigateway.amazonaws.com"}
    assert checks("PATCH", "/account", "", set_role) == (Check("apigateway", "iam:PassRole", ROLE, passed),)
    assert checks("GET", "/account", "", set_role) == ()
    for harmless in (
        patch({"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}),
        patch({"op": "remove", "path": "/cloudwatchRoleArn"}),
        patch({"op": "add", "path": "/features", "value": "UsagePlans"}),
        b"not json",
    ):
        assert checks("PATCH", "/account", "", harmless) == ()


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("DynamoDB_20120810.CreateTable", b'{"TableName": "x"}'),
        ("DynamoDB_20120810.CreateTable", b"[" * 100_000),
        ("DynamoDB_20120810.PutItem", b'{"Tags": [1]}'),
        ("Logs_20140328.CreateLogGroup", b"not json"),
        ("", b"Action=CreateRole&RoleName=x"),
        ("", b"Action=GetRole&RoleName=x&Tags.member.1.Key=a"),
        ("", b""),
    ],
)
def test_what_needs_nothing_more(target: str, body: bytes) -> None:
    assert checks("POST", "/", target, body) == ()


def test_a_queue_made_with_tags_is_tagged() -> None:
    made = {"QueueName": "nwchat-x", "tags": {"a": "b"}}
    queue = "arn:aws:sqs:us-east-2:000000000000:nwchat-x"
    tag = (Check("sqs", "sqs:TagQueue", queue),)
    assert checks("POST", "/", "AmazonSQS.CreateQueue", json.dumps(made).encode()) == tag
    assert checks("POST", "/", "AmazonSQS.CreateQueue", b'{"QueueName": "nwchat-x"}') == ()


def test_a_parameter_made_with_tags_is_tagged() -> None:
    made = {"Name": "/nwchat-x/token-keys", "Tags": [{"Key": "a", "Value": "b"}]}
    parameter = "arn:aws:ssm:us-east-2:000000000000:parameter/nwchat-x/token-keys"
    assert checks("POST", "/", "AmazonSSM.PutParameter", json.dumps(made).encode()) == (
        Check("ssm", "ssm:AddTagsToResource", parameter),
    )
    assert checks("POST", "/", "AmazonSSM.PutParameter", b'{"Name": "/x", "Overwrite": true}') == ()


@pytest.mark.parametrize(
    ("path", "collection"),
    [("/v2/apis", "/apis"), ("/v2/apis/a1/stages/", "/apis/a1/stages"), ("/v2/domainnames", "/domainnames")],
)
def test_what_is_made_with_tags_in_api_gateway_is_tagged(path: str, collection: str) -> None:
    (check,) = checks("POST", path, "", b'{"tags": {"nwchat:chat": "x"}}')
    assert (check.action, check.resource) == (
        "apigateway:TagResource",
        f"arn:aws:apigateway:us-east-2::{collection}",
    )
    assert check.context == {"aws:RequestTag/nwchat:chat": "x", "aws:TagKeys": ["nwchat:chat"]}
    assert checks("POST", path, "", b"{}") == ()
    assert checks("PATCH", path, "", b'{"tags": {"a": "b"}}') == ()
