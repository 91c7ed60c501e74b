"""One chat on AWS: what is live, and each kind of change carried out by its adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, assert_never

from botocore.exceptions import NoRegionError

from nwchatctl.aws.adopting import Adopting
from nwchatctl.aws.apigateway import Gateway
from nwchatctl.aws.dynamodb import Tables
from nwchatctl.aws.iam import Roles
from nwchatctl.aws.lambdas import Functions
from nwchatctl.aws.logs import LogGroups
from nwchatctl.aws.package import Package, package
from nwchatctl.aws.session import Aws
from nwchatctl.deploy.adoption import FoundApi
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

READERS = 16
"""Threads that read: most calls are to services that allow far more, the API's own few run in a row."""

_Read: TypeAlias = Callable[[], list[Resource]]


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

    def __init__(self, aws: Aws, where: Place, names: Names, stage: str) -> None:
        self._aws = aws
        self.where = where
        self.names = names
        self._stage = stage
        self.taken: FoundApi | None = None
        """The API that is ours whatever tags it bears; None: the one with the chat's tags."""

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
        return LogGroups(self._aws.client("logs"), self.where.arn("logs", "log-group:"))

    @cached_property
    def roles(self) -> Roles:
        """The adapter of IAM roles."""
        return Roles(self._aws.client("iam"))

    @cached_property
    def functions(self) -> Functions:
        """The adapter of Lambda functions, aliases and permissions."""
        where = self.where
        return Functions(
            self._aws.client("lambda"),
            self.package,
            lambda name: where.arn("lambda", f"function:{name}"),
            where.role_arn,
        )

    @cached_property
    def gateway(self) -> Gateway:
        """The adapter of the WebSocket API."""
        prefix = f"arn:{self.where.partition}:apigateway:{self.where.region}::/apis/"
        return Gateway(self._aws.client("apigatewayv2"), prefix)

    @cached_property
    def old(self) -> Adopting:
        """The adapter of an old chat's functions and table."""
        return Adopting(self._aws.client("dynamodb"), self._aws.client("lambda"))

    def read(self) -> Live:
        """Everything of the chat's, read in parallel.

        Raises ChatError where two APIs carry the chat's tags, and boto3's errors.
        """
        names = self.names
        functions = [names.function(each) for each in FUNCTIONS]
        reads: list[_Read] = [
            self._read_api,
            *(_one(self.tables.read, each) for each in (names.connections, names.messages)),
            *(_one(self.log_groups.read, names.log_group(each)) for each in FUNCTIONS),
            *(_one(self.roles.read, each) for each in functions),
            *(_one(self.functions.read, each) for each in functions),
            *(_one(self.functions.read_alias, each) for each in functions),
            *(_many(self.functions.read_permissions, each) for each in functions),
        ]
        with ThreadPoolExecutor(READERS, thread_name_prefix="read") as pool:
            found = [each for part in pool.map(lambda read: read(), reads) for each in part]
        live = state(*found)
        foreign = tuple(where for where, each in live.items() if not self._ours(each))
        return Live(live, foreign, self.gateway.ids.api)

    def find_api(self) -> str:
        """The API's id, found by tags; "" where there is none."""
        self._find_api()
        return self.gateway.ids.api

    def _find_api(self) -> Api | None:
        if self.taken is not None:
            self.gateway.ids.api = self.taken.id
            return self.taken.api
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

    def _read_api(self) -> list[Resource]:
        gateway = self.gateway
        api = self._find_api()
        if api is None:
            return []
        with ThreadPoolExecutor(2, thread_name_prefix="read-api") as pool:
            # Routes name integrations, and stages deployments, by ids that have to be known first.
            first = pool.submit(lambda: (gateway.read_integrations(), gateway.read_routes()))
            second = pool.submit(lambda: (gateway.read_deployments(), self._stages()))
            (integrations, routes), (deployments, stages) = first.result(), second.result()
            return [api, *integrations, *routes, *deployments, *stages]

    def _stages(self) -> list[Stage]:
        return [
            each for each in self.gateway.read_stages() if each.name == self._stage or self._tagged(each.tags)
        ]

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


def _one(read: Callable[[str], Resource | None], name: str) -> _Read:
    return lambda: [each for each in [read(name)] if each is not None]


def _many(read: Callable[[str], Iterable[Resource]], name: str) -> _Read:
    return lambda: list(read(name))
