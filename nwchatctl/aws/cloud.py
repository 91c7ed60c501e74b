"""One chat on AWS: what is live, and each kind of change carried out by its adapter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import ParamSpec, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from nwchatctl.aws import creating, named
from nwchatctl.aws.adapters import Adapters, Clock
from nwchatctl.aws.apigateway import Gateway
from nwchatctl.aws.caller import Caller
from nwchatctl.aws.deploys import Rows
from nwchatctl.aws.patience import hurrying
from nwchatctl.aws.published import Found
from nwchatctl.aws.reading import Readers, Start
from nwchatctl.aws.session import Aws
from nwchatctl.deploy.adoption import FoundApi
from nwchatctl.deploy.changes import Change, Create, Delete, Update
from nwchatctl.deploy.domains import Facts, WantedName, live_names
from nwchatctl.deploy.functions import FANOUT, FUNCTIONS
from nwchatctl.deploy.leftovers import own
from nwchatctl.deploy.model.functions import Alias, Function, Role
from nwchatctl.deploy.model.pairs import Pairs, tagged
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, Resource, State, state
from nwchatctl.deploy.model.storage import LogGroup, Queue, Table, TokenKeys
from nwchatctl.deploy.model.unknown import with_api_id
from nwchatctl.deploy.model.websocket import Api, Stage
from nwchatctl.deploy.naming import Names
from nwchatctl.deploy.releases import Record, ran_before, running
from nwchatctl.deploy.zones import zones_of

P = ParamSpec("P")

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


class Cloud(Adapters):
    """The chat called `names.chat` at `where`. One object a command: it learns ids as it reads and makes."""

    def __init__(self, aws: Aws, caller: Caller | None, names: Names, stage: str, clock: Clock) -> None:
        super().__init__(aws, caller, names, clock)
        self._rows: Callable[[], Rows] | None = None
        self._ran: str | None = None
        self._records: tuple[Record, ...] = ()
        self._stage = stage
        self._found: dict[str, Found] = {}
        self.wanted_names: Callable[[], tuple[WantedName, ...]] = tuple
        """The names that the configuration has, asked for when the chat is read."""
        self.taken: FoundApi | None = None
        """The API that is ours whatever tags it bears; None: the one with the chat's tags."""
        self.tokens = False
        """Whether the token keys are looked at: they are kept where a chat has ceased to ask for tokens."""
        self.addressed = True
        """Whether names are looked at, of which a release knows nothing."""

    def prepare(self) -> None:
        """Begins what `read` begins with, for whoever waits for AWS before that."""
        self._rows = self._begin()

    def _begin(self) -> Callable[[], Rows]:
        """Looks at the lock in the background, and has clients made in the order in which they are wanted."""
        addressed = ("acm", "route53") if self.addressed and self.wanted_names() else ()
        asked = ("ssm",) if self.tokens else ()
        self._aws.prepare(
            "sts", "dynamodb", "apigatewayv2", *addressed, "lambda", "iam", "logs", "sqs", *asked
        )
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
        wanted = self.wanted_names() if self.addressed else ()
        functions = [names.function(each) for each in FUNCTIONS]
        groups = [names.log_group(each) for each in FUNCTIONS]
        with Readers() as start, hurrying():
            # First what takes longest.
            api = start(self._read_api, self.gateway, start)
            history = start(self.history.read, names.history, self.names.tags, start)
            addressed = start(self._read_names, wanted, rows.requested, start) if self.addressed else Facts
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
            facts = named.about_apis(addressed(), api_id, self.history.id, self.gateway.exists)
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

    def read_roots(self) -> None:
        """What the wanted names lead to, of those that may be read, for whoever has not looked at names."""
        for want in self.wanted_names():
            with suppress(ClientError, BotoCoreError):
                self.domains.mappings(want.name)

    def _read_names(self, wanted: tuple[WantedName, ...], requested: frozenset[str], start: Start) -> Facts:
        certificates, zones = lambda: self.certificates, lambda: self.zones
        return named.read(self.domains, certificates, zones, wanted, self.names.tags, start, requested)

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
        return tagged(tags, self.names.tags)


def _one(read: Callable[P, Resource | None], *args: P.args, **kwargs: P.kwargs) -> list[Resource]:
    found = read(*args, **kwargs)
    return [] if found is None else [found]
