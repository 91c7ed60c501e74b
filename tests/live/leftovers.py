"""Removes what runs have made, found by name: of one run, or of earlier ones that were killed.

A resource of another machine's run is removed only after its expiry (`run.EXPIRES_TAG`); what has the prefix
but no such tag is never removed, because it may be a chat that somebody named so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from tests.live.run import EXPIRES_TAG, PREFIX, RUN_TAG

PASSES = 12
"""How often a removal is repeated: an API's stages, a table in creation or a role in use need a moment."""

PASS_SECONDS = 5.0

PREFIXES = (PREFIX, f"nwchat-{PREFIX}")

_RUN = re.compile(rf"^/?(?:aws/(?:lambda|apigateway)/)?(?:nwchat-)?{PREFIX}([a-z][a-z0-9]{{7}})(?:[-/]|$)")


@dataclass(frozen=True)
class Leftover:
    """A resource. `read_tags` reads its tags, which is a call for most kinds; `delete` removes it."""

    kind: str
    name: str
    read_tags: Callable[[], Mapping[str, str]]
    delete: Callable[[], object]

    @property
    def run(self) -> str:
        """The id of the run in the name."""
        return run_of(self.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def run_of(name: str) -> str:
    """The id of the run that made what has this name, "" for any other name.

    >>> run_of("/aws/lambda/nwchat-livecheck-abcd1234-a-connect"), run_of("nwchat-dojo-connect")
    ('abcd1234', '')
    """
    found = _RUN.match(name)
    return found[1] if found else ""


class Account:
    """Lists the resources of an account that have a run's name. `client` gives an administrator's client."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def leftovers(self) -> list[Leftover]:
        """In the order in which they can be removed."""
        kinds = (
            *(self._apis, self._domain_names, self._functions, self._tables, self._queues),
            *(self._parameters, self._log_groups, self._roles, self._users, self._policies),
        )
        return [each for kind in kinds for each in kind() if each.run]

    def _apis(self) -> Iterator[Leftover]:
        api = self._client("apigatewayv2")
        for each in _pages(api, "get_apis", "Items"):
            yield Leftover(
                "API", each["Name"], _given(each.get("Tags")), _call(api.delete_api, ApiId=each["ApiId"])
            )

    def _domain_names(self) -> Iterator[Leftover]:
        api = self._client("apigatewayv2")
        for each in _pages(api, "get_domain_names", "Items"):
            name = each["DomainName"]
            yield Leftover(
                "domain name", name, _given(each.get("Tags")), _call(api.delete_domain_name, DomainName=name)
            )

    def _functions(self) -> Iterator[Leftover]:
        functions = self._client("lambda")
        for each in _pages(functions, "list_functions", "Functions"):
            name, arn = each["FunctionName"], each["FunctionArn"]
            yield Leftover(
                "function",
                name,
                _read(functions.list_tags, "Tags", Resource=arn),
                _call(functions.delete_function, FunctionName=name),
            )

    def _tables(self) -> Iterator[Leftover]:
        tables = self._client("dynamodb")

        def tags(name: str) -> Any:
            arn = tables.describe_table(TableName=name)["Table"]["TableArn"]
            return tables.list_tags_of_resource(ResourceArn=arn)

        def delete(name: str) -> None:
            if tables.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
                tables.update_table(TableName=name, DeletionProtectionEnabled=False)
            tables.delete_table(TableName=name)

        for name in _pages(tables, "list_tables", "TableNames"):
            yield Leftover("table", name, _read(tags, "Tags", name=name), partial(delete, name))

    def _queues(self) -> Iterator[Leftover]:
        queues = self._client("sqs")
        urls = [
            url
            for prefix in PREFIXES
            for url in _pages(queues, "list_queues", "QueueUrls", QueueNamePrefix=prefix)
        ]
        for url in urls:
            yield Leftover(
                "queue",
                url.rpartition("/")[2],
                _read(queues.list_queue_tags, "Tags", QueueUrl=url),
                _call(queues.delete_queue, QueueUrl=url),
            )

    def _parameters(self) -> Iterator[Leftover]:
        parameters = self._client("ssm")
        chosen = [{"Key": "Name", "Option": "BeginsWith", "Values": [f"/{each}" for each in PREFIXES]}]
        for each in _pages(parameters, "describe_parameters", "Parameters", ParameterFilters=chosen):
            name = each["Name"]
            yield Leftover(
                "parameter",
                name,
                _read(
                    parameters.list_tags_for_resource, "TagList", ResourceType="Parameter", ResourceId=name
                ),
                _call(parameters.delete_parameter, Name=name),
            )

    def _log_groups(self) -> Iterator[Leftover]:
        logs = self._client("logs")
        for folder in ("/aws/lambda/nwchat-", "/aws/apigateway/nwchat-", ""):
            for each in _pages(
                logs, "describe_log_groups", "logGroups", logGroupNamePrefix=f"{folder}{PREFIX}"
            ):
                name, arn = each["logGroupName"], each["arn"].removesuffix(":*")
                yield Leftover(
                    "log group",
                    name,
                    _read(logs.list_tags_for_resource, "tags", resourceArn=arn),
                    _call(logs.delete_log_group, logGroupName=name),
                )

    def _roles(self) -> Iterator[Leftover]:
        iam = self._client("iam")

        def delete(name: str) -> None:
            for each in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=each)
            for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=name, PolicyArn=each["PolicyArn"])
            iam.delete_role(RoleName=name)

        for each in _pages(iam, "list_roles", "Roles"):
            name = each["RoleName"]
            yield Leftover(
                "role",
                name,
                _read(iam.list_role_tags, "Tags", RoleName=name),
                partial(delete, name),
            )

    def _users(self) -> Iterator[Leftover]:
        iam = self._client("iam")

        def delete(name: str) -> None:
            for each in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
                iam.delete_access_key(UserName=name, AccessKeyId=each["AccessKeyId"])
            for each in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
                iam.detach_user_policy(UserName=name, PolicyArn=each["PolicyArn"])
            iam.delete_user(UserName=name)

        for each in _pages(iam, "list_users", "Users"):
            name = each["UserName"]
            yield Leftover(
                "user",
                name,
                _read(iam.list_user_tags, "Tags", UserName=name),
                partial(delete, name),
            )

    def _policies(self) -> Iterator[Leftover]:
        iam = self._client("iam")

        def delete(arn: str) -> None:
            for each in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
                if not each["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=arn, VersionId=each["VersionId"])
            iam.delete_policy(PolicyArn=arn)

        for each in _pages(iam, "list_policies", "Policies", Scope="Local"):
            arn = each["Arn"]
            yield Leftover(
                "policy",
                each["PolicyName"],
                _read(iam.list_policy_tags, "Tags", PolicyArn=arn),
                partial(delete, arn),
            )


def of_run(run: str) -> Callable[[Leftover], bool]:
    """Whether a resource is that run's."""
    return lambda each: each.run == run


def is_expired(each: Leftover) -> bool:
    """Whether a resource has a run's tags, and its expiry has passed."""
    tags = each.read_tags()
    expires = tags.get(EXPIRES_TAG, "")
    return tags.get(RUN_TAG) == each.run and expires.isdigit() and int(expires) < time.time()


def remove(
    account: Account,
    is_chosen: Callable[[Leftover], bool],
    say: Callable[[str], None],
    pause: Callable[[float], object] = time.sleep,
) -> list[str]:
    """Removes the chosen resources, in several passes; what is left after them, each with the reason."""
    failures: dict[str, str] = {}
    for number in range(PASSES):
        chosen = [each for each in account.leftovers() if is_chosen(each)]
        if not chosen:
            return []
        failures = {str(each): failure for each in chosen if (failure := _delete(each))}
        if number == 1:
            say(f"removing {len(chosen)} resources, for at most {PASSES * PASS_SECONDS:.0f} s")
        if failures and number < PASSES - 1:
            pause(PASS_SECONDS)
    return [f"{name}: {failure}" for name, failure in failures.items()]


def _delete(each: Leftover) -> str:
    """The error code of a failed removal, "" where it is gone."""
    try:
        each.delete()
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        is_gone = "NotFound" in code or "NoSuchEntity" in code or "NonExistent" in code
        return "" if is_gone else code
    return ""


def _pages(client: Any, operation: str, items: str, **wanted: Any) -> Iterator[Any]:
    # API Gateway's GetDomainNames and GetApis have paginators; SSM's needs no page size.
    for page in client.get_paginator(operation).paginate(**wanted):
        yield from page.get(items) or ()


def _call(method: Any, **wanted: Any) -> Callable[[], object]:
    return lambda: method(**wanted)


def _given(tags: Mapping[str, str] | None) -> Callable[[], Mapping[str, str]]:
    return lambda: tags or {}


def _read(method: Callable[..., Any], field: str, **wanted: Any) -> Callable[[], Mapping[str, str]]:
    """Reads the tags in a field of the answer, a mapping or a list; none of a resource that is gone."""

    def read() -> Mapping[str, str]:
        try:
            found: Any = method(**wanted).get(field) or {}
        except ClientError:
            return {}
        return {each["Key"]: each["Value"] for each in found} if isinstance(found, list) else found

    return read
