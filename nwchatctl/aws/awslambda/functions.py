"""Functions and their live aliases, as Lambda spells them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Protocol

from nwchatctl.aws.awslambda.package import Package
from nwchatctl.aws.awslambda.versions import PublishedFunction, alias_target, with_role_placeholder
from nwchatctl.aws.core.answers import UnreadableAnswer
from nwchatctl.aws.core.parallel import StartRead, run_inline
from nwchatctl.aws.core.retry import reports_existing, wait_until, with_retries
from nwchatctl.aws.core.tags import from_mapping, tag_changes
from nwchatctl.aws.core.update_existing import update_existing
from nwchatctl.deploy.fingerprints import version_fingerprint
from nwchatctl.deploy.model.functions import (
    ALIAS,
    Alias,
    Function,
    Version,
)
from nwchatctl.deploy.model.placeholders import ROLE_ID
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_WAIT_SECONDS = 120.0
_SNAPSHOT_SECONDS = 900.0
"""A version with a snapshot is ready once the snapshot is taken, some minutes later (Lambda SnapStart)."""

_LATEST = "$LATEST"
_SNAPSHOTS = "PublishedVersions"


class RoleIds(Protocol):
    """What functions need to know of roles; see `nwchatctl.aws.iam.Roles`."""

    def id(self, name: str) -> str: ...

    def known_ids(self) -> Collection[str]: ...

    def other_than(self, name: str) -> str: ...


class Functions:
    """Reads and changes functions.

    `function_arn` and `role_arn` map a name to its ARN; `roles` knows IAM's ids of the functions' roles.
    """

    def __init__(
        self,
        client: LambdaClient,
        package: Package,
        function_arn: Callable[[str], str],
        role_arn: Callable[[str], str],
        roles: RoleIds,
    ) -> None:
        self._client = client
        self._package = package
        self._function_arn = function_arn
        self._role_arn = role_arn
        self._roles = roles

    def read(self, name: str, start: StartRead = run_inline) -> PublishedFunction | None:
        """The function with its versions and aliases; None if it does not exist. Raises UnreadableAnswer."""
        try:
            pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
            configurations = {each["Version"]: each for page in pages for each in page["Versions"]}
        except self._client.exceptions.ResourceNotFoundException:
            return None
        if not configurations:
            # moto answers so for a function that does not exist. On AWS each one has $LATEST.
            return None
        if _LATEST not in configurations:
            raise UnreadableAnswer("ListVersionsByFunction", f"it has no {_LATEST} of {name}")
        tags, aliases = start(self._tags, name), start(self._aliases, name)
        concurrency = start(self._concurrency, name)
        latest = dataclasses.replace(
            _function(name, configurations.pop(_LATEST), tags()), reserved_concurrency=concurrency()
        )
        versions = {int(number): _function(name, each, ()) for number, each in configurations.items()}
        return PublishedFunction(latest, versions, tuple(map(alias_target, aliases())))

    def _tags(self, name: str) -> StringMap:
        return from_mapping(self._client.list_tags(Resource=self._function_arn(name)).get("Tags", {}))

    def _concurrency(self, name: str) -> int | None:
        found = self._client.get_function_concurrency(FunctionName=name)
        return found.get("ReservedConcurrentExecutions")

    def _aliases(self, name: str) -> list[Any]:
        pages = self._client.get_paginator("list_aliases").paginate(FunctionName=name)
        return [each for page in pages for each in page["Aliases"]]

    def create(self, function: Function) -> None:
        """Creates the function with its tags and waits until it is active; updates an existing function of
        the chat.

        Raises ChatError `not_ours` if the existing function is not the chat's, `timeout`, and
        `function_failed`.
        """
        try:
            with_retries(
                self._client.create_function,
                FunctionName=function.name,
                Code={"ZipFile": self._package.content},
                Architectures=[_literal(function.architecture)],
                Publish=False,
                Tags=dict(function.tags),
                **self._settings(function),
                **(_network(function) if function.subnets else {}),
            )
        except self._client.exceptions.ResourceConflictException as error:
            self._wait_until_ready(function.name)
            update_existing(function, self._latest, self.update, error)
        else:
            self._wait_until_ready(function.name)
            self._set_concurrency(function, None)

    def _latest(self, name: str) -> Function | None:
        found = self.read(name)
        return self._known(found.latest) if found else None

    def _known(self, function: Function) -> Function:
        """`function` as AWS has it, with the placeholder of its role's id."""
        return with_role_placeholder(function, self._roles.known_ids())

    def update(self, before: Function, after: Function) -> None:
        """Updates what differs in $LATEST; the alias, and so the chat, moves in a separate change."""
        if (before.code_sha256, before.architecture) != (after.code_sha256, after.architecture):
            with_retries(
                self._client.update_function_code,
                FunctionName=after.name,
                ZipFile=self._package.content,
                Architectures=[_literal(after.architecture)],
                Publish=False,
            )
            self._wait_until_ready(after.name)
        network = {} if _network(before) == _network(after) else _network(after)
        if network or self._settings(before) != self._settings(after):
            if _has_stale_grant(before, after):
                self._set_another_role(after)
            with_retries(
                self._client.update_function_configuration,
                FunctionName=after.name,
                **self._settings(after),
                **network,
            )
            self._wait_until_ready(after.name)
        self._set_concurrency(after, before.reserved_concurrency)
        put, dropped = tag_changes(before.tags, after.tags)
        if put:
            with_retries(self._client.tag_resource, Resource=self._function_arn(after.name), Tags=dict(put))
        if dropped:
            with_retries(
                self._client.untag_resource, Resource=self._function_arn(after.name), TagKeys=dropped
            )

    def _set_concurrency(self, function: Function, before: int | None) -> None:
        match function.reserved_concurrency:
            case count if count == before:
                return
            case None:
                with_retries(self._client.delete_function_concurrency, FunctionName=function.name)
            case count:
                with_retries(
                    self._client.put_function_concurrency,
                    FunctionName=function.name,
                    ReservedConcurrentExecutions=count,
                )

    def _set_another_role(self, function: Function) -> None:
        """Gives $LATEST, which nothing invokes, another role for a moment.

        Lambda lets a function's role decrypt its environment by a KMS grant to the role's id, and makes a new
        grant when the function's role changes (AWS re:Post, "KMS Exception" errors of Lambda).
        """
        other = self._roles.other_than(function.role)
        if other:
            with_retries(
                self._client.update_function_configuration,
                FunctionName=function.name,
                Role=self._role_arn(other),
            )
            self._wait_until_ready(function.name)

    def delete(self, function: Function) -> None:
        """Deletes the function with its versions, aliases and permissions; a missing function is no error."""
        try:
            with_retries(self._client.delete_function, FunctionName=function.name)
        except self._client.exceptions.ResourceNotFoundException:
            return

    def move_alias(self, alias: Alias, number: int | None, api_id: str) -> None:
        """Points the live alias at version `number`; creates the alias if it is missing.

        Publishes $LATEST if `number` is None. Raises ChatError if $LATEST is not what `alias` runs.
        """
        if number is None:
            number = self._publish(alias, api_id)
        else:
            # A deploy that was killed may have published it moments ago.
            self._wait_until_ready(alias.function, str(number), _SNAPSHOT_SECONDS)
        target: Any = {"FunctionName": alias.function, "Name": ALIAS, "FunctionVersion": str(number)}
        # Without weights: traffic that was shifted by hand to another version returns.
        no_weights: Any = {"RoutingConfig": {"AdditionalVersionWeights": {}}}
        try:
            with_retries(self._client.update_alias, **target, **no_weights)
        except self._client.exceptions.ResourceNotFoundException:
            try:
                with_retries(self._client.create_alias, **target)
            except self._client.exceptions.ResourceConflictException as error:
                # An attempt whose response was lost has created it.
                if not reports_existing(error):
                    raise
                with_retries(self._client.update_alias, **target, **no_weights)

    def _publish(self, alias: Alias, api_id: str) -> int:
        """Publishes a version and waits until it can be invoked; with a snapshot that takes minutes.

        PublishVersion returns the last version if nothing has changed since (Lambda API reference), so a
        repeated call makes no second one.
        """
        version = with_retries(self._client.publish_version, FunctionName=alias.function)
        published = self._known(_function(alias.function, version, ()))
        if version_fingerprint(published, api_id) != alias.runs:
            raise ChatError(
                f"function {alias.function} was changed by somebody else meanwhile",
                hint="run the command again",
                code="changed_meanwhile",
            )
        if version.get("State") != "Active":
            self._wait_until_ready(alias.function, version["Version"], _SNAPSHOT_SECONDS)
        return int(version["Version"])

    def delete_version(self, version: Version) -> None:
        """Deletes one version; a missing one is no error. AWS refuses a version that an alias points at."""
        try:
            with_retries(
                self._client.delete_function, FunctionName=version.function, Qualifier=str(version.number)
            )
        except self._client.exceptions.ResourceNotFoundException:
            return

    def _settings(self, function: Function) -> dict[str, Any]:
        return {
            "Description": self._description(function),
            "Role": self._role_arn(function.role),
            "Handler": function.handler,
            "Runtime": function.runtime,
            "MemorySize": function.memory_mb,
            "Timeout": function.timeout_seconds,
            "Environment": {"Variables": dict(function.environment)},
            "LoggingConfig": {
                "LogFormat": function.log_format,
                "ApplicationLogLevel": function.log_level,
                "LogGroup": function.log_group,
            },
            "SnapStart": {"ApplyOn": _SNAPSHOTS if function.snap_start else "None"},
        }

    def _description(self, function: Function) -> str:
        if ROLE_ID not in function.description:
            return function.description
        return function.description.replace(ROLE_ID, self._roles.id(function.role))

    def _wait_until_ready(self, name: str, version: str = "", seconds: float = _WAIT_SECONDS) -> None:
        """Waits until the function, or one version of it, is neither being created nor updated (Lambda:
        function states)."""
        what = f"function {name} is still being made or changed"
        wait_until(lambda: self._is_ready(name, version), what, seconds)

    def _is_ready(self, name: str, version: str) -> bool:
        wanted = {"Qualifier": version} if version else {}
        try:
            found: Any = self._client.get_function(FunctionName=name, **wanted)["Configuration"]
        except self._client.exceptions.ResourceNotFoundException:
            # A new function may not be visible everywhere yet.
            return False
        for state, why in (("State", "StateReason"), ("LastUpdateStatus", "LastUpdateStatusReason")):
            if found.get(state) == "Failed":
                raise ChatError(
                    f"function {name} could not be made ready: {found.get(why, 'AWS does not say why')}",
                    hint="mend what it says, then run the command again",
                    code="function_failed",
                )
        return bool(found.get("State") != "Pending" and found.get("LastUpdateStatus") != "InProgress")


def _function(name: str, found: Any, tags: StringMap) -> Function:
    logging, network = found.get("LoggingConfig", {}), found.get("VpcConfig") or {}
    return Function(
        name=name,
        role=found.get("Role", "").rpartition("/")[2],
        handler=found.get("Handler", ""),
        runtime=found.get("Runtime", ""),
        architecture=(found.get("Architectures") or ["x86_64"])[0],
        memory_mb=found.get("MemorySize", 128),
        timeout_seconds=found.get("Timeout", 3),
        environment=string_map(found.get("Environment", {}).get("Variables", {})),
        code_sha256=found.get("CodeSha256", ""),
        log_format=logging.get("LogFormat", "Text"),
        log_level=logging.get("ApplicationLogLevel", ""),
        log_group=logging.get("LogGroup", f"/aws/lambda/{name}"),
        snap_start=found.get("SnapStart", {}).get("ApplyOn") == _SNAPSHOTS,
        tags=tags,
        description=found.get("Description", ""),
        subnets=tuple(sorted(network.get("SubnetIds") or ())),
        security_groups=tuple(sorted(network.get("SecurityGroupIds") or ())),
    )


def _network(function: Function) -> dict[str, Any]:
    """The function's VPC; Lambda takes it out of one with empty lists."""
    groups = list(function.security_groups)
    return {"VpcConfig": {"SubnetIds": list(function.subnets), "SecurityGroupIds": groups}}


def _has_stale_grant(before: Function, after: Function) -> bool:
    """Whether the function was configured for an earlier role of the same name."""
    is_old = bool(before.description) and ROLE_ID not in before.description
    return is_old and ROLE_ID in after.description and before.role == after.role


def _literal(architecture: str) -> Any:
    """The stubs want a literal; the settings have checked that it is one."""
    return architecture
