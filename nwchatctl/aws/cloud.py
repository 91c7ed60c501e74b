"""One chat on AWS: what is live, and each kind of change carried out by its adapter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ParamSpec, TypeAlias, assert_never

from botocore.exceptions import NoRegionError

from nwchatctl.aws.apigateway import Gateway
from nwchatctl.aws.dynamodb import Tables
from nwchatctl.aws.iam import Roles
from nwchatctl.aws.lambdas import Functions
from nwchatctl.aws.logs import LogGroups
from nwchatctl.aws.package import Package, package
from nwchatctl.aws.reading import Readers, Start
from nwchatctl.aws.session import Aws
from nwchatctl.deploy.changes import Change, Create, Delete, Update
from nwchatctl.deploy.desired import FUNCTIONS
from nwchatctl.deploy.model import (
    Alias,
    Api,
    Deployment,
    Function,
    Integration,
    Key,
    LogGroup,
    Pairs,
    Permission,
    Resource,
    Role,
    Route,
    Stage,
    State,
    Table,
    state,
    with_api_id,
)
from nwchatctl.deploy.naming import Names, Place
from nwchatctl.errors import ChatError

P = ParamSpec("P")

_Read: TypeAlias = Callable[[], Iterable[Resource]]


@dataclass(frozen=True, slots=True)
class Live:
    """What is there. `foreign` bears a name that we need, but not our tags."""

    state: State
    foreign: tuple[Key, ...]
    api_id: str


def place(aws: Aws) -> Place:
    """The account (asked of AWS), region and partition that `aws` leads to.

    Raises botocore's NoRegionError and credential errors.
    """
    if aws.session.region_name is None:
        # STS alone would answer without one, from a global endpoint.
        raise NoRegionError
    sts = aws.client("sts")
    caller = sts.get_caller_identity()
    partition = caller["Arn"].split(":")[1]
    return Place(caller["Account"], sts.meta.region_name, aws.access.endpoint, partition)


class Cloud:
    """The chat called `names.chat` at `where`. One object a command: it learns ids as it reads and makes."""

    def __init__(self, aws: Aws, where: Place | None, names: Names, stage: str) -> None:
        self._aws = aws
        self._where = where
        self._asking = threading.Lock()
        self.names = names
        self._stage = stage

    @property
    def where(self) -> Place:
        """Where it is: as given, or else asked of AWS when it is first wanted. Raises as `place`."""
        with self._asking:
            if self._where is None:
                self._where = place(self._aws)
            return self._where

    @cached_property
    def package(self) -> Package:
        """The functions' zip."""
        return package()

    @cached_property
    def tables(self) -> Tables:
        """The adapter of DynamoDB tables."""
        return Tables(self._aws.client("dynamodb"))

    @cached_property
    def log_groups(self) -> LogGroups:
        """The adapter of log groups."""
        return LogGroups(self._aws.client("logs"), lambda name: self.where.arn("logs", f"log-group:{name}"))

    @cached_property
    def roles(self) -> Roles:
        """The adapter of IAM roles."""
        return Roles(self._aws.client("iam"))

    @cached_property
    def functions(self) -> Functions:
        """The adapter of Lambda functions, aliases and permissions."""
        return Functions(
            self._aws.client("lambda"),
            self.package,
            lambda name: self.where.arn("lambda", f"function:{name}"),
            lambda name: self.where.role_arn(name),  # noqa: PLW0108 - not asked for before it is used
        )

    @cached_property
    def gateway(self) -> Gateway:
        """The adapter of the WebSocket API."""
        client = self._aws.client("apigatewayv2")
        return Gateway(client, f"arn:{client.meta.partition}:apigateway:{client.meta.region_name}::/apis/")

    def prepare(self) -> None:
        """Has all that `read` needs of boto3 made in the background, in the order in which it is wanted."""
        self._aws.prepare("sts", "apigatewayv2", "lambda", "dynamodb", "iam", "logs")

    def read(self) -> Live:
        """Everything of the chat's, read in parallel.

        Raises ChatError where two APIs carry the chat's tags, and boto3's errors.
        """
        names = self.names
        functions = [names.function(each) for each in FUNCTIONS]
        groups = [names.log_group(each) for each in FUNCTIONS]
        with Readers() as start:
            # Each client is made while the calls of those before it are under way: first what takes longest.
            api = start(self._read_api, self.gateway, start)
            reads: list[_Read] = [
                # Heard first, because STS says most clearly what is wrong with credentials.
                start(self._ask_where),
                api,
                *(start(_one, self.functions.read, each) for each in functions),
                *(start(_one, self.functions.read_alias, each) for each in functions),
                *(start(self.functions.read_permissions, each) for each in functions),
                *(start(_one, self.tables.read, each, start) for each in (names.connections, names.messages)),
                *(start(_one, self.roles.read, each, start) for each in functions),
                start(self.log_groups.read, names.log_group(""), groups, start),
            ]
            found = [each for read in reads for each in read()]
        live = state(*found)
        foreign = tuple(where for where, each in live.items() if not self._ours(each))
        return Live(live, foreign, self.gateway.ids.api)

    def find_api(self) -> str:
        """The API's id, found by tags; "" where there is none."""
        self._find_api()
        return self.gateway.ids.api

    def _find_api(self) -> Api | None:
        found = self.gateway.find(self.names.api, self.names.tags)
        if len(found) > 1:
            raise ChatError(
                f"{len(found)} APIs carry the tags of chat {self.names.chat}: "
                + ", ".join(api_id for api_id, _ in found),
                hint="delete the one that no client uses: aws apigatewayv2 delete-api --api-id ID",
                code="api_ambiguous",
            )
        self.gateway.ids.api = found[0][0] if found else ""
        return found[0][1] if found else None

    def apply(self, change: Change) -> None:
        """Carries out one change; safe to repeat, and to run beside others that it does not depend on."""
        match change:
            case Create(after):
                self._create(with_api_id(after, self.gateway.ids.api))
            case Update(before, after):
                self._update(before, with_api_id(after, self.gateway.ids.api))
            case Delete(before):
                self._delete(before)

    def _read_api(self, gateway: Gateway, start: Start) -> list[Resource]:
        api = self._find_api()
        if api is None:
            return []
        parts = gateway.read(start)
        stages = [each for each in parts.stages if each.name == self._stage or self._tagged(each.tags)]
        return [api, *parts.integrations, *parts.routes, *parts.deployments, *stages]

    def _ask_where(self) -> tuple[Resource, ...]:
        """Nothing of the chat's, but what plans are made with."""
        _ = self.where
        return ()

    def _ours(self, resource: Resource) -> bool:
        """Whether the tags say so; what has none is part of something that has.

        A log group of exactly our function's name is ours without them: Lambda makes it by itself when
        a function logs before, or after, we made one.
        """
        if isinstance(resource, Table | Role | Function):
            return self._tagged(resource.tags)
        return True

    def _tagged(self, tags: Pairs) -> bool:
        return self.names.tags.items() <= dict(tags).items()

    def _create(self, after: Resource) -> None:
        match after:
            case Table():
                self.tables.create(after)
            case LogGroup():
                self.log_groups.create(after)
            case Role():
                self.roles.create(after)
            case Function():
                self.functions.create(after)
            case Alias():
                self.functions.move_alias(after)
            case Permission():
                self.functions.allow(after)
            case Api():
                self.gateway.create_api(after)
            case Integration():
                self.gateway.put_integration(after)
            case Route():
                self.gateway.put_route(after)
            case Deployment():
                self.gateway.create_deployment(after)
            case Stage():
                self.gateway.create_stage(after)
            case _:
                assert_never(after)

    def _update(self, before: Resource, after: Resource) -> None:
        match before, after:
            case Table(), Table():
                self.tables.update(before, after)
            case LogGroup(), LogGroup():
                self.log_groups.update(before, after)
            case Role(), Role():
                self.roles.update(before, after)
            case Function(), Function():
                self.functions.update(before, after)
            case Api(), Api():
                self.gateway.update_api(before, after)
            case Stage(), Stage():
                self.gateway.update_stage(before, after)
            case _:
                # The others have one way of being made and changed.
                self._create(after)

    def _delete(self, before: Resource) -> None:
        match before:
            case Table():
                self.tables.delete(before)
            case LogGroup():
                self.log_groups.delete(before)
            case Role():
                self.roles.delete(before)
            case Function():
                self.functions.delete(before)
            case Permission():
                self.functions.forbid(before)
            case Api():
                self.gateway.delete_api()
            case Integration():
                self.gateway.delete_integration(before)
            case Route():
                self.gateway.delete_route(before)
            case Stage():
                self.gateway.delete_stage(before)
            case Alias() | Deployment():
                # They go with their function and their API.
                return
            case _:
                assert_never(before)


def _one(read: Callable[P, Resource | None], *args: P.args, **kwargs: P.kwargs) -> list[Resource]:
    found = read(*args, **kwargs)
    return [] if found is None else [found]
