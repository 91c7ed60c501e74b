"""What AWS has of several chats of an account, exactly: nothing is left out but what a read alone changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.e2e.support.operator import Operator

_MOVING = {
    *("ResponseMetadata", "RoleLastUsed", "storedBytes", "ItemCount", "TableSizeBytes"),
    *("EarliestRestorableDateTime", "LatestRestorableDateTime", "Location"),
}
"""Fields that change with time, or with the traffic of a chat."""

_FUNCTIONS = ("connect", "disconnect", "message", "fanout", "history", "authorize")

Exact = dict[str, str]


def exact(chats: Iterable[Operator]) -> Exact:
    """Everything of the chats, as JSON by `Region kind name`. A chat's messages and connections, which change
    with its traffic, are left out."""
    found: dict[str, Any] = {}
    for chat in chats:
        for kind in (_apis, _functions, _roles, _tables, _log_groups, _queues, _parameters):
            found |= {f"{chat.region} {kind.__name__} {name}": each for name, each in kind(chat).items()}
    return {name: json.dumps(_still(each), sort_keys=True, default=str) for name, each in found.items()}


def _still(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _still(each) for key, each in found.items() if key not in _MOVING}
    return [*map(_still, found)] if isinstance(found, list) else found


def _apis(chat: Operator) -> dict[str, Any]:
    api, found = chat.api, {}
    for each in chat._apis():
        if each.get("Tags", {}).get("nwchat:chat") != chat.name:
            continue
        parts = ("stages", "routes", "integrations", "deployments", "authorizers")
        found[each["Name"]] = {
            "api": each,
            **{part: getattr(api, f"get_{part}")(ApiId=each["ApiId"], MaxResults="500") for part in parts},
        }
    return found


def _functions(chat: Operator) -> dict[str, Any]:
    client, found = chat.root("lambda"), {}
    for short in _FUNCTIONS:
        name = chat.resource_name(short)
        try:
            found[name] = {"function": client.get_function(FunctionName=name)}
        except client.exceptions.ResourceNotFoundException:
            continue
        found[name] |= {
            "versions": client.list_versions_by_function(FunctionName=name),
            "aliases": client.list_aliases(FunctionName=name),
            "policy": client.get_policy(FunctionName=name, Qualifier="live") if short != "fanout" else "",
        }
    return found


def _roles(chat: Operator) -> dict[str, Any]:
    """The roles that the chat's functions run on, as they are and in the versions that clients use."""
    arns = []
    for one in _functions(chat).values():
        live = [each["FunctionVersion"] for each in one["aliases"]["Aliases"]]
        versions = one["versions"]["Versions"]
        arns += [each["Role"] for each in versions if each["Version"] in ("$LATEST", *live)]
    client, found = chat.root("iam"), {}
    pages = client.get_paginator("list_roles").paginate()
    there = {each["RoleName"] for page in pages for each in page["Roles"]}
    for name in {arn.rpartition("/")[2] for arn in arns} & there:
        inline = client.list_role_policies(RoleName=name)["PolicyNames"]
        found[name] = {
            "role": client.get_role(RoleName=name)["Role"],
            "attached": client.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
            "inline": [client.get_role_policy(RoleName=name, PolicyName=each) for each in inline],
        }
    return found


def _tables(chat: Operator) -> dict[str, Any]:
    client, found = chat.root("dynamodb"), {}
    for name in map(chat.resource_name, ("connections", "messages", "deploys")):
        try:
            found[name] = {"table": (table := client.describe_table(TableName=name)["Table"])}
        except client.exceptions.ResourceNotFoundException:
            continue
        found[name] |= {
            "expiry": client.describe_time_to_live(TableName=name),
            "recovery": client.describe_continuous_backups(TableName=name),
            "tags": client.list_tags_of_resource(ResourceArn=table["TableArn"]),
            "rows": client.scan(TableName=name)["Items"] if name.endswith("-deploys") else [],
        }
    return found


def _log_groups(chat: Operator) -> dict[str, Any]:
    client, found = chat.root("logs"), {}
    for name in (*map(chat.log_group, _FUNCTIONS), chat.access_log):
        for each in client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
            if each["logGroupName"] == name:
                arn = chat.arn("logs", f"log-group:{name}")
                found[name] = {"group": each, "tags": client.list_tags_for_resource(resourceArn=arn)}
    return found


def _queues(chat: Operator) -> dict[str, Any]:
    client, name = chat.root("sqs"), chat.resource_name("dead-letters")
    try:
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist:
        return {}
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return {name: {"attributes": attributes, "tags": client.list_queue_tags(QueueUrl=url)}}


def _parameters(chat: Operator) -> dict[str, Any]:
    client = chat.root("ssm")
    name = f"/nwchat-{chat.name}"
    found = client.get_parameters_by_path(Path=name, Recursive=True, WithDecryption=True)["Parameters"]
    return {each["Name"]: each for each in found}
