"""The condition keys that a call has, as the Service Authorization Reference lists them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from nwchatctl.deploy.desired.policies import lambda_trust, service_trust
from nwchatctl.sandbox.patches.iam_conditions import (
    gateway_tags,
    is_trusted,
    lambda_principal,
    leading_keys,
    permissions_boundary,
    record_sets,
)

BOUNDARY = "iam:PermissionsBoundary"
ROOM: dict[str, Any] = {"room": {"S": "bans"}, "id": {"S": "x"}}


@pytest.mark.parametrize(
    ("action", "form", "expected"),
    [
        ("iam:CreateRole", {"RoleName": "bounded"}, {}),
        ("iam:CreateRole", {"RoleName": "new", "PermissionsBoundary": "arn:b"}, {BOUNDARY: "arn:b"}),
        ("iam:PutRolePermissionsBoundary", {"RoleName": "r", "PermissionsBoundary": "x"}, {BOUNDARY: "x"}),
        ("iam:PutRolePolicy", {"RoleName": "bounded"}, {BOUNDARY: "arn:old"}),
        ("iam:PutRolePolicy", {"RoleName": "free"}, {}),
        ("iam:DetachRolePolicy", {"RoleName": "bounded"}, {BOUNDARY: "arn:old"}),
        ("iam:UpdateAssumeRolePolicy", {"RoleName": "bounded"}, {}),
        ("iam:DeleteRole", {"RoleName": "bounded"}, {}),
    ],
)
def test_the_boundary_of_a_role(action: str, form: dict[str, str], expected: dict[str, str]) -> None:
    boundaries = {"bounded": "arn:old"}
    found = permissions_boundary(action, urlencode(form).encode(), lambda name: boundaries.get(name, ""))
    assert found == expected


def test_who_is_permitted_to_invoke() -> None:
    body = json.dumps({"Principal": "s3.amazonaws.com"}).encode()
    assert lambda_principal("lambda:AddPermission", body) == {"lambda:Principal": "s3.amazonaws.com"}
    assert lambda_principal("lambda:RemovePermission", body) == {}


def test_records_by_name_and_kind() -> None:
    def change(action: str, name: str, kind: str) -> str:
        record = f"<ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type></ResourceRecordSet>"
        return f"<Change><Action>{action}</Action>{record}</Change>"

    changes = change("UPSERT", "Chat.Example.COM.", "A") + change("DELETE", "*.example.com", "CNAME")
    root = "ChangeResourceRecordSetsRequest xmlns='https://route53.amazonaws.com/doc/2013-04-01/'"
    body = f"<{root}><ChangeBatch><Changes>{changes}</Changes></ChangeBatch></{root.split(maxsplit=1)[0]}>"
    prefix = "route53:ChangeResourceRecordSets"
    assert record_sets(prefix, body.encode()) == {
        f"{prefix}NormalizedRecordNames": ["chat.example.com", "\\052.example.com"],
        f"{prefix}RecordTypes": ["A", "CNAME"],
        f"{prefix}Actions": ["UPSERT", "DELETE"],
    }
    assert record_sets(prefix, b"not XML") == {}
    assert record_sets("route53:GetChange", body.encode()) == {}


def test_tags_of_calls_that_are_only_methods() -> None:
    body = b'{"tags": {"nwchat:chat": "x", "Team": "a"}}'
    assert gateway_tags("apigateway", body, {}) == {
        "aws:requesttag/nwchat:chat": "x",
        "aws:requesttag/team": "a",
        "aws:TagKeys": ["nwchat:chat", "Team"],
    }
    assert gateway_tags("apigateway", b"", {"tagKeys": ["a", "b"]}) == {"aws:TagKeys": ["a", "b"]}
    assert gateway_tags("apigateway", b"", {"tagKeys": "a"}) == {"aws:TagKeys": ["a"]}
    assert gateway_tags("apigateway", b'{"name": "x"}', {}) == {}
    assert gateway_tags("lambda", body, {}) == {}


def keys(action: str, data: object) -> dict[tuple[str, str], list[str]]:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return leading_keys(action, body, {"t": "room", "u": "pk"}.__getitem__, lambda table: f"arn:{table}")


@pytest.mark.parametrize(
    ("call", "data"),
    [
        ("GetItem", {"TableName": "t", "Key": ROOM}),
        ("DeleteItem", {"TableName": "t", "Key": ROOM}),
        ("UpdateItem", {"TableName": "t", "Key": ROOM}),
        ("PutItem", {"TableName": "t", "Item": {**ROOM, "pk": {"S": "no key"}}}),
        ("BatchGetItem", {"RequestItems": {"t": {"Keys": [ROOM, ROOM]}}}),
        ("BatchWriteItem", {"RequestItems": {"t": [{"PutRequest": {"Item": ROOM}}]}}),
        ("BatchWriteItem", {"RequestItems": {"t": [{"DeleteRequest": {"Key": ROOM}}]}}),
        (
            "Query",
            {
                "TableName": "t",
                "KeyConditionExpression": "#r = :r AND id BETWEEN :a AND :b",
                "ExpressionAttributeNames": {"#r": "room"},
                "ExpressionAttributeValues": {":r": {"S": "bans"}, ":a": {"S": "1"}, ":b": {"S": "2"}},
            },
        ),
        (
            "Query",
            {
                "TableName": "t",
                "KeyConditionExpression": "id = :a and room=:r",
                "ExpressionAttributeValues": {":r": {"S": "bans"}, ":a": {"S": "1"}},
            },
        ),
    ],
)
def test_the_partition_keys_of_a_call(call: str, data: dict[str, Any]) -> None:
    action = f"dynamodb:{call}"
    assert keys(action, data) == {(action, "arn:t"): ["bans"]}


def test_the_partition_keys_of_several_tables_and_actions() -> None:
    other = {"pk": {"N": "7"}, "room": {"S": "no key"}}
    batch = {"RequestItems": {"t": {"Keys": [ROOM]}, "u": {"Keys": [other]}}}
    action = "dynamodb:BatchGetItem"
    assert keys(action, batch) == {(action, "arn:t"): ["bans"], (action, "arn:u"): ["7"]}
    items = [
        {"Put": {"TableName": "t", "Item": ROOM}},
        {"Put": {"TableName": "t", "Item": {**ROOM, "room": {"S": "main"}}}},
        {"Update": {"TableName": "u", "Key": other}},
        {"ConditionCheck": {"TableName": "u", "Key": other}},
    ]
    assert keys("dynamodb:TransactWriteItems", {"TransactItems": items}) == {
        ("dynamodb:PutItem", "arn:t"): ["bans", "main"],
        ("dynamodb:UpdateItem", "arn:u"): ["7"],
        ("dynamodb:ConditionCheckItem", "arn:u"): ["7"],
    }


@pytest.mark.parametrize("call", ["Scan", "DescribeTable"])
def test_a_call_about_a_whole_table_has_no_keys(call: str) -> None:
    assert keys(f"dynamodb:{call}", {"TableName": "t"}) == {}
    assert keys("dynamodb:BatchGetItem", b"[") == {}


def test_who_may_assume_a_role() -> None:
    service = "lambda.amazonaws.com"
    for trust, trusted in (
        (lambda_trust(), True),
        (lambda_trust("1"), True),
        (lambda_trust("2"), False),
        (service_trust("ec2.amazonaws.com"), False),
        ('{"Statement": [{"Effect": "Allow", "Principal": "*"}]}', False),
        ("not JSON", False),
        (None, False),
    ):
        assert is_trusted(trust, service, "1") is trusted
