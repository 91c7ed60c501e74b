"""One chat on AWS: what is live, and each kind of change carried out by its adapter."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ParamSpec, TypeAlias

from botocore.exceptions import NoRegionError

from nwchatctl.aws import creating, named
from nwchatctl.aws.account import Account
from nwchatctl.aws.adopting import Adopting
from nwchatctl.aws.apigateway import Gateway
from nwchatctl.aws.certificates import Certificates
from nwchatctl.aws.deploys import Deploys, Rows
from nwchatctl.aws.domains import Domains
from nwchatctl.aws.dynamodb import Tables
from nwchatctl.aws.historyapi import HistoryApis
from nwchatctl.aws.iam import Roles
from nwchatctl.aws.lambdas import Functions
from nwchatctl.aws.logs import LogGroups
from nwchatctl.aws.package import Package, package
from nwchatctl.aws.patience import hurrying
from nwchatctl.aws.published import Found
from nwchatctl.aws.queues import AsyncInvokes, Queues
from nwchatctl.aws.reading import Readers, Start
from nwchatctl.aws.session import Aws
from nwchatctl.aws.token_keys import KeyParameters
from nwchatctl.aws.zones import Zones
from nwchatctl.deploy.adoption import FoundApi
from nwchatctl.deploy.changes import Change, Create, Delete, Update
from nwchatctl.deploy.domains import Facts, WantedName, live_names
from nwchatctl.deploy.functions import FANOUT, FUNCTIONS
from nwchatctl.deploy.leftovers import own
from nwchatctl.deploy.model.functions import Alias, Function, Role
from nwchatctl.deploy.model.pairs import Pairs
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, Resource, State, state
from nwchatctl.deploy.model.storage import LogGroup, Queue, Table, TokenKeys
from nwchatctl.deploy.model.unknown import with_api_id
from nwchatctl.deploy.model.websocket import Api, Stage
from nwchatctl.deploy.naming import Names, Place
from nwchatctl.deploy.releases import Record, ran_before, running
from nwchatctl.deploy.zones import zones_of

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

P = ParamSpec("P")

Clock: TypeAlias = Callable[[], int]
"""The time, in epoch ms."""

_Read: TypeAlias = Callable[[], Iterable[Resource]]


@dataclass(frozen=True, slots=True)
class Live:
    """What is there. `foreign` bears a name that we need, but not our tags."""

    state: State
    foreign: tuple[Key, ...]
    api_id: str
    rows: Rows
    history_id: str
    facts: Facts

    def ours(self) -> Live:
        """The same without what is foreign."""
        own = {where: each for where, each in self.state.items() if where not in self.foreign}
        return dataclasses.replace(self, state=own, foreign=())


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom AWS takes us for, and where. `name` is the user, or the role and its session."""

    place: Place
    name: str


def caller(aws: Aws) -> Caller:
    """The caller's name, account (asked of AWS), region and partition that `aws` leads to.

    Raises botocore's NoRegionError and credential errors.
    """
    if aws.session.region_name is None:
        # STS alone would answer without one, from a global endpoint.
        raise NoRegionError
    sts = aws.client("sts")
    found = sts.get_caller_identity()
    _, partition, *_, path = found["Arn"].split(":")
    where = Place(found["Account"], sts.meta.region_name, aws.access.endpoint, partition)
    return Caller(where, path.partition("/")[2] or path)


class Cloud:
    """The chat called `names.chat` at `where`. One object a command: it learns ids as it reads and makes."""

    def __init__(self, aws: Aws, caller: Caller | None, names: Names, stage: str, clock: Clock) -> None:
        self._aws = aws
        self._caller = caller
        self._asking = threading.Lock()
        self._rows: Callable[[], Rows] | None = None
        self._ran: str | None = None
        self._records: tuple[Record, ...] = ()
        self.names = names
        self._stage = stage
        self._clock = clock
        self._found: dict[str, Found] = {}
        self.wanted_names: Callable[[], tuple[WantedName, ...]] = tuple
        """The names that the configuration has, asked for when the chat is read."""
        self.taken: FoundApi | None = None
        """The API that is ours whatever tags it bears; None: the one with the chat's tags."""
        self.tokens = False
        """Whether the token keys are looked at: they are kept where a chat has ceased to ask for tokens."""

    @property
    def caller(self) -> Caller:
        """As whom we are there: as given, or asked of AWS when it is first wanted. Raises as `caller`."""
        with self._asking:
            if self._caller is None:
                self._caller = caller(self._aws)
            return self._caller

    @property
    def where(self) -> Place:
        """Where that is; raises as `caller`."""
        return self.caller.place

    def _role_arn(self, name: str) -> str:
        return self.where.role_arn(name)

    @cached_property
    def package(self) -> Package:
        """The functions' zip."""
        return package()

    @cached_property
    def tables(self) -> Tables:
        """The adapter of DynamoDB tables."""
        return Tables(self._aws.client("dynamodb"))

    @cached_property
    def deploys(self) -> Deploys:
        """The adapter of the tool's own table."""
        return Deploys(self._aws.client("dynamodb"), self.names.deploys)

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
            self._role_arn,
        )

    @cached_property
    def async_invokes(self) -> AsyncInvokes:
        """The adapter of what becomes of failed events."""
        return AsyncInvokes(self._aws.client("lambda"))

    @cached_property
    def queues(self) -> Queues:
        """The adapter of queues."""
        return Queues(self._aws.client("sqs"))

    @cached_property
    def token_keys(self) -> KeyParameters:
        """The adapter of the keys that tokens are signed with."""
        return KeyParameters(self._aws.client("ssm"), self._clock)

    @cached_property
    def gateway(self) -> Gateway:
        """The adapter of the WebSocket API."""
        return Gateway(*self._gateways())

    @cached_property
    def history(self) -> HistoryApis:
        """The adapter of the history API."""
        return HistoryApis(*self._gateways())

    def _gateways(self) -> tuple[ApiGatewayV2Client, str, Callable[[], ApiGatewayV2Client]]:
        client = self._aws.client("apigatewayv2")
        prefix = f"arn:{client.meta.partition}:apigateway:{client.meta.region_name}::/apis/"
        return client, prefix, lambda: self._aws.client("apigatewayv2", retries=False)

    @cached_property
    def domains(self) -> Domains:
        """The adapter of domain names."""
        client = self._aws.client("apigatewayv2")
        return Domains(
            client, f"arn:{client.meta.partition}:apigateway:{client.meta.region_name}::/domainnames/"
        )

    @cached_property
    def zones(self) -> Zones:
        """The adapter of hosted zones."""
        return Zones(self._aws.client("route53"))

    @cached_property
    def certificates(self) -> Certificates:
        """The adapter of certificates."""
        return Certificates(self._aws.client("acm"), self.zones, str(self._clock()))

    @cached_property
    def account(self) -> Account:
        """The adapter of what API Gateway may do in the whole account."""
        return Account(self._aws.client("apigateway"), self._aws.client("iam"), self.where)

    @cached_property
    def old(self) -> Adopting:
        """The adapter of an old chat's functions and table."""
        return Adopting(self._aws.client("dynamodb"), self._aws.client("lambda"))

    def prepare(self) -> None:
        """Begins what `read` begins with, for whoever waits for AWS before that."""
        self._rows = self._begin()

    def _begin(self) -> Callable[[], Rows]:
        """Looks at the lock in the background, and has clients made in the order in which they are wanted."""
        named = ("acm", "route53") if self.wanted_names() else ()
        asked = ("ssm",) if self.tokens else ()
        self._aws.prepare("sts", "dynamodb", "apigatewayv2", *named, "lambda", "iam", "logs", "sqs", *asked)
        return Readers(1)(self._look_at_lock)

    def _look_at_lock(self) -> Rows:
        return self.deploys.read()

    def read(self) -> Live:
        """Everything of the chat's, read in parallel once the lock has been looked at: whoever takes it as it
        was then knows that all that was read after is still so.

        Raises ChatError where two APIs carry the chat's tags and both may be its own, and boto3's errors.
        """
        begun, self._rows = self._rows or self._begin(), None
        # Heard first, because STS says most clearly what is wrong with credentials.
        _ = self.where
        rows = begun()
        names = self.names
        wanted = self.wanted_names()
        functions = [names.function(each) for each in FUNCTIONS]
        groups = [names.log_group(each) for each in FUNCTIONS]
        with Readers() as start, hurrying():
            # First what takes longest.
            api = start(self._read_api, self.gateway, start)
            history = start(self.history.read, names.history, self.names.tags, start)
            addressed = start(
                named.read,
                self.domains,
                lambda: self.certificates,
                lambda: self.zones,
                wanted,
                names.tags,
                start,
            )
            made = {each: start(self.functions.read, each, start) for each in functions}
            reads: list[_Read] = [
                api,
                history,
                *(start(self.functions.read_permissions, each) for each in functions),
                *(start(_one, self.tables.read, each, start) for each in names.tables),
                start(_one, self.queues.read, names.dead_letters),
                start(_one, self.async_invokes.read, names.function(FANOUT)),
                *(start(_one, self.roles.read, each, start) for each in functions),
                start(self.log_groups.read_all, names.log_group(""), groups, start),
                start(_one, self.log_groups.read, names.access_log),
            ]
            if self.tokens:
                reads.append(start(_one, self.token_keys.read, names.token_keys))
            found = [each for read in reads for each in read()]
            self._found = {name: each for name, read in made.items() if (each := read())}
            api_id = self.gateway.ids.api
            facts = named.about_apis(
                addressed(), frozenset({api_id, self.history.id} - {""}), self.gateway.exists
            )
        published = [each for one in self._found.values() for each in one.resources(api_id)]
        called = live_names(facts, zones_of(wanted, facts.zones), names.tags, self.where.region)
        live = state(*found, *published, *called, *(each.release for each in rows.records))
        foreign = tuple(where for where, each in live.items() if not self._ours(each, live))
        self._ran, self._records = running(live, self._stage, rows.records), rows.records
        return Live(live, foreign, api_id, rows, self.history.id, facts)

    def find_api(self) -> str:
        """The API's id, found by tags; "" where there is none."""
        self._find_apis()
        return self.gateway.ids.api

    def find_history_api(self) -> str:
        """The history API's id, found by tags; "" where there is none."""
        return self.history.id or self.history.find(self.names.history, self.names.tags)

    def _find_apis(self) -> tuple[Api | None, list[Api]]:
        """The chat's API, and what is left over of making it. Raises ChatError `api_ambiguous`."""
        gateway = self.gateway
        if self.taken is not None:
            gateway.ids.api = self.taken.id
            return self.taken.api, []
        found = dict(gateway.find(self.names.api, self.names.tags))
        shown = {api_id: api.display_name for api_id, api in found.items()}
        used = own(shown, self.names.api, gateway.bare, self.names.chat)
        gateway.ids.api = used
        gateway.ids.leftovers = found.keys() - {used}
        return found.get(used), [
            dataclasses.replace(found[each], name=each) for each in sorted(gateway.ids.leftovers)
        ]

    def apply(self, change: Change) -> None:
        """Carries out one change; safe to repeat, and to run beside others that it does not depend on."""
        match change:
            case Create(after):
                creating.create(self, self._known(after))
            case Update(before, after):
                creating.update(self, before, self._known(after))
            case Delete(before):
                creating.delete(self, before)

    def _known(self, after: Resource) -> Resource:
        return with_api_id(after, self.gateway.ids.api, self.history.id)

    def move_alias(self, alias: Alias) -> None:
        """Points a live alias at the version that is wanted, which is published where there is none yet."""
        api_id, found = self.gateway.ids.api, self._found.get(alias.function)
        number = found.running(alias.runs, api_id) if found else None
        self.functions.move_alias(alias, number, api_id)

    def remember(self, release: Release) -> None:
        """Writes down a release as deployed now, by the caller, after what ran when all was read."""
        # Later than the others, whatever the clock of this machine says.
        newest = max((each.created_at for each in self._records), default=0)
        at = max(self._clock(), newest + 1)
        before = ran_before(self._records, self._ran, release.name)
        self.deploys.put_release(release, at, self.caller.name, before)

    def _read_api(self, gateway: Gateway, start: Start) -> list[Resource]:
        api, leftovers = self._find_apis()
        if api is None:
            return []
        parts = gateway.read(start)
        stages = [each for each in parts.stages if each.name == self._stage or self._tagged(each.tags)]
        front: list[Resource] = [*parts.integrations, *parts.authorizers, *parts.routes]
        return [api, *leftovers, *front, *parts.deployments, *stages]

    def _ours(self, resource: Resource, live: State) -> bool:
        """Whether the tags say so; what has none is part of something that has.

        A log group of exactly our function's name is ours without them: Lambda makes it by itself when
        a function logs before, or after, we made one. So is the access log's, while our stage writes to it.
        """
        if isinstance(resource, LogGroup) and resource.name == self.names.access_log:
            arn = self.where.arn("logs", f"log-group:{resource.name}")
            logged = any(isinstance(each, Stage) and each.access_log == arn for each in live.values())
            return logged or self._tagged(resource.tags)
        if isinstance(resource, Table | Role | Function | Queue | TokenKeys):
            return self._tagged(resource.tags)
        return True

    def _tagged(self, tags: Pairs) -> bool:
        return self.names.tags.items() <= dict(tags).items()


def _one(read: Callable[P, Resource | None], *args: P.args, **kwargs: P.kwargs) -> list[Resource]:
    found = read(*args, **kwargs)
    return [] if found is None else [found]
