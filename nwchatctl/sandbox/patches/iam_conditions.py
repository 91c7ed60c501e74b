"""Condition keys of IAM policies that ministack 1.5.33 lacks or sets too rarely. Pure.

A key that is never set meets every condition with ForAllValues or IfExists, so that each policy that uses one
would seem to hold. Sources: each service's page in AWS's Service Authorization Reference ("condition keys"),
and those named below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

from nwchatctl.sandbox.patches.iam_checks import json_object

Keys = Mapping[str, Any]

BOUNDARY = "iam:PermissionsBoundary"
_SETS_BOUNDARY = ("iam:CreateRole", "iam:PutRolePermissionsBoundary")
_OF_BOUNDED_ROLE = (
    "iam:AttachRolePolicy",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePolicy",
)

_ITEM_ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
_ITEM_ACTIONS["ConditionCheck"] = "ConditionCheckItem"
"""The parts of a transaction, which AWS authorises item by item ("IAM with transactions")."""

LeadingKeys = dict[tuple[str, str], list[str]]
"""Partition keys by action and table."""


def permissions_boundary(action: str, body: bytes, boundary_of: Callable[[str], str]) -> dict[str, str]:
    """`iam:PermissionsBoundary`: the boundary that the call sets, or that of the role it is about. Absent
    where there is none. `boundary_of` gives a role's boundary, "" for none."""
    form = parse_qs(body.decode("utf-8", "replace"))
    found = ""
    if action in _SETS_BOUNDARY:
        found = form.get("PermissionsBoundary", [""])[0]
    elif action in _OF_BOUNDED_ROLE:
        found = boundary_of(form.get("RoleName", [""])[0])
    return {BOUNDARY: found} if found else {}


def lambda_principal(action: str, body: bytes) -> dict[str, str]:
    """`lambda:Principal` of AddPermission: who is permitted to invoke."""
    if action != "lambda:AddPermission":
        return {}
    return {"lambda:Principal": str(json_object(body).get("Principal", ""))}


def record_sets(action: str, body: bytes) -> dict[str, list[str]]:
    """The keys of ChangeResourceRecordSets: names in lower case, without the last dot, and with octal escapes
    for what is not a letter, digit or one of `_-.` (Route 53 developer guide, "Using IAM policy conditions
    for fine-grained access control")."""
    if action != "route53:ChangeResourceRecordSets":
        return {}
    try:
        changes = list(_elements(ElementTree.fromstring(body), "Change"))  # noqa: S314 - from this machine
    except ElementTree.ParseError:
        return {}
    prefix = "route53:ChangeResourceRecordSets"
    return {
        f"{prefix}NormalizedRecordNames": [_normalized(_text(each, "Name")) for each in changes],
        f"{prefix}RecordTypes": [_text(each, "Type") for each in changes],
        f"{prefix}Actions": [_text(each, "Action") for each in changes],
    }


def _elements(root: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (each for each in root.iter() if each.tag.rpartition("}")[2] == name)


def _text(root: ElementTree.Element, name: str) -> str:
    return next((each.text or "" for each in _elements(root, name)), "")


def _normalized(name: str) -> str:
    plain = name.lower().removesuffix(".")
    return re.sub(r"[^a-z0-9_.\\-]", lambda found: f"\\{ord(found[0]):03o}", plain)


def gateway_tags(service: str, body: bytes, params: Mapping[str, Any]) -> dict[str, Any]:
    """`aws:RequestTag` and `aws:TagKeys` of API Gateway's calls, whose action says only the HTTP method."""
    if service != "apigateway":
        return {}
    tags = json_object(body).get("tags") if body[:1] == b"{" else None
    tags = tags if isinstance(tags, dict) else {}
    given = params.get("tagKeys") or ()
    removed = [given] if isinstance(given, str) else [str(each) for each in given]
    if not tags and not removed:
        return {}
    return {
        **{f"aws:RequestTag/{key}".lower(): str(value) for key, value in tags.items()},
        "aws:TagKeys": [*map(str, tags), *removed],
    }


def leading_keys(
    action: str, body: bytes, partition_key: Callable[[str], str], table_arn: Callable[[str], str]
) -> LeadingKeys:
    """The partition keys of each action and table of a call (DynamoDB developer guide, "Using IAM policy
    conditions for fine-grained access control"). A scan and a call about a table have none.

    `partition_key` gives the name of a table's partition key, `table_arn` the ARN of its name or ARN.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for item_action, table, value in _items(action, json_object(body), partition_key):
        if isinstance(value, dict):
            found.setdefault((item_action, table_arn(table)), set()).update(map(str, value.values()))
    return {each: sorted(values) for each, values in found.items()}


def _items(
    action: str, data: dict[str, Any], partition_key: Callable[[str], str]
) -> Iterator[tuple[str, str, Any]]:
    """Action, table and typed partition key of each item that a call is about."""
    match action.removeprefix("dynamodb:"):
        case "GetItem" | "DeleteItem" | "UpdateItem" | "PutItem":
            table = str(data.get("TableName"))
            row = data.get("Key") or data.get("Item") or {}
            yield action, table, row.get(partition_key(table))
        case "Query":
            table = str(data.get("TableName"))
            yield action, table, _queried(data, partition_key(table))
        case "BatchGetItem":
            for table, request in (data.get("RequestItems") or {}).items():
                for row in request.get("Keys") or ():
                    yield action, table, row.get(partition_key(table))
        case "BatchWriteItem":
            for table, requests in (data.get("RequestItems") or {}).items():
                for each in requests:
                    row = (each.get("PutRequest") or {}).get("Item") or {}
                    row = row or (each.get("DeleteRequest") or {}).get("Key") or {}
                    yield action, table, row.get(partition_key(table))
        case "TransactWriteItems" | "TransactGetItems":
            for each in data.get("TransactItems") or ():
                for part, request in each.items():
                    table = str(request.get("TableName"))
                    row = request.get("Key") or request.get("Item") or {}
                    yield f"dynamodb:{_ITEM_ACTIONS.get(part, part)}", table, row.get(partition_key(table))


def _queried(data: Mapping[str, Any], key: str) -> Any:
    """The value of the partition key in a query's condition."""
    names = data.get("ExpressionAttributeNames") or {}
    spelled = {key, *(alias for alias, name in names.items() if name == key)}
    condition = str(data.get("KeyConditionExpression") or "")
    for name, value in re.findall(r"([#\w]+)\s*=\s*(:\w+)", condition):
        if name in spelled:
            return (data.get("ExpressionAttributeValues") or {}).get(value)
    return None


def is_trusted(trust: Any, service: str, account: str) -> bool:
    """Whether a role's trust policy lets `service` assume the role for this account. Knows the conditions of
    the tool's own trust policies; any other is not met."""
    statements = json_object(trust.encode() if isinstance(trust, str) else b"").get("Statement") or ()
    return any(_trusts(each, service, account) for each in statements if isinstance(each, dict))


def _trusts(statement: Mapping[str, Any], service: str, account: str) -> bool:
    principal = statement.get("Principal")
    services = principal.get("Service") or () if isinstance(principal, dict) else ()
    named = [services] if isinstance(services, str) else services
    condition = statement.get("Condition") or {}
    met = condition in ({}, {"StringEquals": {"aws:SourceAccount": account}})
    return statement.get("Effect") == "Allow" and service in named and met
