"""The complete state of a chat on AWS, read without the tool's code, as data that can be compared.

Ids and times differ in every deploy: a dump has stable names instead of ids, and no times. Duplicate and
orphan resources are included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from tests.e2e.support.operator import Operator

NEWEST = 4
"""How many versions and deployments are compared; the number of older ones depends on earlier runs."""

_VOLATILE = {
    *("CreateDate", "CreatedDate", "CreationDateTime", "creationTime", "LastModified", "LastUpdatedDate"),
    *("RevisionId", "RoleId", "TableId", "RoleLastUsed", "ResponseMetadata", "BillingModeSummary"),
    *("ItemCount", "TableSizeBytes", "storedBytes", "created_at", "DeploymentStatus", "Arn", "RouteId"),
    *("State", "StateReason", "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason"),
    *("LastUpdateStatusReasonCode", "IntegrationResponseId", "RouteResponseId", "CodeSize"),
    *("CreatedTimestamp", "LastModifiedTimestamp"),
    *("EarliestRestorableDateTime", "LatestRestorableDateTime", "ProvisionedThroughput"),
}

Dump = dict[str, Any]


def dump(chat: Operator) -> Dump:
    """All resources with the name or tags of the chat."""
    reader = _Reader(chat)
    found = {
        "apis": reader.apis(),
        "functions": reader.functions(),
        "roles": reader.roles(),
        "tables": reader.tables(),
        "log groups": reader.log_groups(),
        "queues": reader.queues(),
    }
    return reader.with_stable_names({kind: each for kind, each in found.items() if each})


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """The differences between two dumps, as lines for an assertion message."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [line for key in keys for line in differences(one.get(key), other.get(key), f"{path}/{key}")]
    if isinstance(one, list) and isinstance(other, list):
        left = [each for each in one if each not in other]
        right = [each for each in other if each not in one]
        if len(left) == len(right) == 1:
            return differences(left[0], right[0], f"{path}[…]")
        if left or right:
            return [f"{path}: only before: {each}" for each in left] + [
                f"{path}: only after: {each}" for each in right
            ]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]


class _Reader:
    def __init__(self, chat: Operator) -> None:
        self.chat = chat
        self.prefix = f"nwchat-{chat.name}"
        self.ids: dict[str, str] = {}

    def belongs_to_chat(self, name: str) -> bool:
        return name == self.prefix or f"{self.prefix}-" in name

    def with_stable_names(self, found: Dump) -> Dump:
        """`found` with stable names instead of ids, also inside texts such as ARNs."""
        text = json.dumps(found, sort_keys=True, default=str)
        if self.ids:
            pattern = "|".join(map(re.escape, self.ids))
            text = re.sub(pattern, lambda match: self.ids[match[0]], text)
        named: Dump = json.loads(text)
        return named

    # API Gateway ------------------------------------------------------------------------------

    def apis(self) -> list[Any]:
        found = [
            each
            for each in self.chat._apis()
            if self.belongs_to_chat(each["Name"]) or each.get("Tags", {}).get("nwchat:chat") == self.chat.name
        ]
        found.sort(key=lambda each: each["ProtocolType"] != "WEBSOCKET")
        for number, each in enumerate(found):
            self.ids[each["ApiId"]] = f"API {number}" if number else "API"
        return [{**_stable(each), **self.api_parts(each["ApiId"])} for each in found]

    def api_parts(self, api_id: str) -> Dump:
        api = self.chat.api
        integrations = _items(api.get_integrations, ApiId=api_id)
        for each in integrations:
            self.ids[each["IntegrationId"]] = each.get("Description", "nameless")
            each["responses"] = _items(
                api.get_integration_responses, ApiId=api_id, IntegrationId=each["IntegrationId"]
            )
        routes = _items(api.get_routes, ApiId=api_id)
        for each in routes:
            each["responses"] = _items(api.get_route_responses, ApiId=api_id, RouteId=each["RouteId"])
        deployments = sorted(_items(api.get_deployments, ApiId=api_id), key=lambda each: each["CreatedDate"])
        for each in deployments:
            self.ids[each["DeploymentId"]] = each.get("Description", "nameless")
        return {
            "integrations": _ordered(integrations),
            "routes": _ordered(routes),
            "deployments": [each.get("Description") for each in deployments[-NEWEST:]],
            "stages": _ordered(_items(api.get_stages, ApiId=api_id)),
            "authorizers": _ordered(_items(api.get_authorizers, ApiId=api_id)),
        }

    # Lambda -----------------------------------------------------------------------------------

    def functions(self) -> Dump:
        pages = self.chat.root("lambda").get_paginator("list_functions").paginate()
        names = [each["FunctionName"] for page in pages for each in page["Functions"]]
        return {name: self.function(name) for name in names if self.belongs_to_chat(name)}

    def function(self, name: str) -> Dump:
        client = self.chat.root("lambda")
        found = client.get_function(FunctionName=name)
        listed = client.list_versions_by_function(FunctionName=name, MaxItems=1000)["Versions"]
        versions = sorted((each for each in listed if each["Version"] != "$LATEST"), key=_number)
        ages = {each["Version"]: age for age, each in enumerate(reversed(versions))}
        aliases = client.list_aliases(FunctionName=name)["Aliases"]
        return {
            "latest": _content(found["Configuration"]),
            "tags": found.get("Tags", {}),
            "concurrency": found.get("Concurrency"),
            "versions": [_content(each) for each in versions[-NEWEST:]],
            "aliases": {
                each["Name"]: {
                    "age": ages.get(each["FunctionVersion"], each["FunctionVersion"]),
                    "routing": each.get("RoutingConfig"),
                    "allows": self.statements(name, each["Name"]),
                    "events": self.events(name, each["Name"]),
                }
                for each in aliases
            },
            "allows": self.statements(name),
        }

    def events(self, name: str, alias: str) -> Any:
        client = self.chat.root("lambda")
        try:
            found = client.get_function_event_invoke_config(FunctionName=name, Qualifier=alias)
        except client.exceptions.ResourceNotFoundException:
            return None
        return _stable(found)

    def statements(self, name: str, alias: str = "") -> list[Any]:
        client = self.chat.root("lambda")
        qualified = {"Qualifier": alias} if alias else {}
        try:
            policy = client.get_policy(FunctionName=name, **qualified)["Policy"]
        except client.exceptions.ResourceNotFoundException:
            return []
        return _ordered(json.loads(policy)["Statement"])

    # The others -------------------------------------------------------------------------------

    def roles(self) -> Dump:
        client = self.chat.root("iam")
        pages = client.get_paginator("list_roles").paginate()
        names = [each["RoleName"] for page in pages for each in page["Roles"]]
        return {name: self.role(name) for name in names if self.belongs_to_chat(name)}

    def role(self, name: str) -> Dump:
        client = self.chat.root("iam")
        inline = client.list_role_policies(RoleName=name)["PolicyNames"]
        return {
            **_stable(client.get_role(RoleName=name)["Role"]),
            "inline": {
                each: client.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
                for each in inline
            },
            "attached": client.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
        }

    def tables(self) -> Dump:
        names = self.chat.root("dynamodb").list_tables()["TableNames"]
        return {name: self.table(name) for name in names if self.belongs_to_chat(name)}

    def table(self, name: str) -> Dump:
        client = self.chat.root("dynamodb")
        described = client.describe_table(TableName=name)["Table"]
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        return {
            **_stable(described),
            "billing": described.get("BillingModeSummary", {}).get("BillingMode"),
            "expiry": client.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
            "recovery": _stable(backups),
            "tags": _ordered(client.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"]),
            **({"rows": self.rows(name)} if name.endswith("-deploys") else {}),
        }

    def rows(self, table: str) -> list[Any]:
        """The deploys table: releases, newest first, and whether the lock is held. The last lock holder is
        left out, and the keys of tags that the settings once had, which stay."""
        return [_record(each) for each in self.chat.root("dynamodb").scan(TableName=table)["Items"]]

    def queues(self) -> Dump:
        client = self.chat.root("sqs")
        urls = client.list_queues().get("QueueUrls", [])
        return {
            url.rpartition("/")[2]: {
                "attributes": _stable(
                    client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
                ),
                "tags": client.list_queue_tags(QueueUrl=url).get("Tags", {}),
            }
            for url in urls
            if self.belongs_to_chat(url.rpartition("/")[2])
        }

    def log_groups(self) -> Dump:
        client = self.chat.root("logs")
        pages = client.get_paginator("describe_log_groups").paginate()
        found = [
            each for page in pages for each in page["logGroups"] if self.belongs_to_chat(each["logGroupName"])
        ]
        return {
            each["logGroupName"]: {
                "retention": each.get("retentionInDays"),
                "tags": client.list_tags_for_resource(
                    resourceArn=self.chat.arn("logs", f"log-group:{each['logGroupName']}")
                )["tags"],
            }
            for each in found
        }


def _items(call: Callable[..., Any], **wanted: Any) -> list[Any]:
    found: list[Any] = call(**wanted, MaxResults="500")["Items"]
    return found


def _stable(found: Any) -> Any:
    """`found` without the fields that differ between two equal deploys."""
    if isinstance(found, dict):
        return {key: _stable(each) for key, each in found.items() if key not in _VOLATILE}
    return [_stable(each) for each in found] if isinstance(found, list) else found


def _ordered(found: Iterable[Any]) -> list[Any]:
    """`found` in a stable order."""
    return sorted(map(_stable, found), key=lambda each: json.dumps(each, sort_keys=True, default=str))


def _record(row: Any) -> Any:
    releases = {name: each for name, each in row.items() if name.startswith("release.")}
    names = sorted(releases, key=lambda name: int(releases[name]["M"]["created_at"]["N"]), reverse=True)
    left_out = {*releases, "lock", "last", *(name for name in row if name.startswith("tag."))}
    rest = {name: each for name, each in row.items() if name not in left_out}
    newest = [[name, _stable(releases[name])] for name in names[:NEWEST]]
    return {**rest, "held": "lock" in row, "releases": newest}


def _content(configuration: Any) -> Any:
    found = {
        key: each
        for key, each in _stable(configuration).items()
        if key not in ("Version", "FunctionArn", "FunctionName")
    }
    # The id of the role, which the description has.
    return {**found, "Description": re.sub(r"AROA\w+", "AROA", str(found.get("Description", "")))}


def _number(version: Any) -> int:
    return int(version["Version"])
