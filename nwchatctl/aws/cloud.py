"""One chat on AWS: reads its live state and applies changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import ParamSpec, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from nwchatctl.aws import domain_facts
from nwchatctl.aws.adapters import Adapters, Clock
from nwchatctl.aws.apigateway.websocket_api import WebSocketApi
from nwchatctl.aws.applier import Applier
from nwchatctl.aws.awslambda.account import read_account_limits
from nwchatctl.aws.awslambda.versions import PublishedFunction
from nwchatctl.aws.core.caller import Caller
from nwchatctl.aws.core.errors import is_missing
from nwchatctl.aws.core.parallel import ParallelReads, StartRead
from nwchatctl.aws.core.retry import stop_retrying_on_interrupt
from nwchatctl.aws.core.session import Aws
from nwchatctl.deploy.adoption import FoundApi
from nwchatctl.deploy.changes import Change
from nwchatctl.deploy.desired.account_needs import AccountLimits
from nwchatctl.deploy.desired.functions import FANOUT, FUNCTIONS
from nwchatctl.deploy.domains.facts import DomainConfig, DomainFacts, live_resources
from nwchatctl.deploy.domains.zones import zones_of
from nwchatctl.deploy.duplicate_apis import own_api_id
from nwchatctl.deploy.live import DeployRows, Live
from nwchatctl.deploy.lock import outdated_plan_error
from nwchatctl.deploy.model.functions import Alias, Function, Role
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Resource, State, state
from nwchatctl.deploy.model.storage import LogGroup, Queue, Recovery, Table, TokenKeys
from nwchatctl.deploy.model.string_map import StringMap, has_tags
from nwchatctl.deploy.model.websocket import Api, Stage
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.deploy.releases import ReleaseRecord, release_before, running_release
from nwchatctl.deploy.role_regions import works_here

P = ParamSpec("P")

_Read: TypeAlias = Callable[[], Iterable[Resource]]

_READS = 3
"""How often a chat is read of which parts are deleted meanwhile."""


class Cloud(Adapters):
    """The chat `names.chat`, in the account and Region of `aws`. One object per command: it remembers AWS's
    ids."""

    def __init__(
        self, aws: Aws, caller: Caller | None, names: ResourceNames, stage: str, clock: Clock
    ) -> None:
        super().__init__(aws, caller, names, clock)
        self._rows: Callable[[], DeployRows] | None = None
        self._running_release: str | None = None
        self._records: tuple[ReleaseRecord, ...] = ()
        self._stage = stage
        self._published: dict[str, PublishedFunction] = {}
        self.domain_configs: Callable[[], tuple[DomainConfig, ...]] = tuple
        """Gives the configured domain names; called when the chat is read."""
        self.adopted_api: FoundApi | None = None
        """The API to use whatever its tags; None: the API with the chat's tags."""
        self.reads_token_keys = False
        """Whether the token keys are read. They are kept if a chat stops requiring tokens."""
        self.reads_domains = True
        """Whether domain names are read. A rollback does not need them: a release has none."""
        self.reads_limits = False
        """Whether Lambda's limits of the account are read."""

    def prepare(self) -> None:
        """Starts the first reads of `read` early, while the caller waits for something else."""
        self._rows = self._start_read()

    def _start_read(self) -> Callable[[], DeployRows]:
        """Starts to read the lock in the background, and to create clients in the order of their first
        use."""
        domain_services = ("acm", "route53") if self.reads_domains and self.domain_configs() else ()
        token_services = ("ssm",) if self.reads_token_keys else ()
        self._aws.prepare(
            "sts",
            "dynamodb",
            "apigatewayv2",
            *domain_services,
            "lambda",
            "iam",
            "logs",
            "sqs",
            *token_services,
        )
        return ParallelReads(1)(self._read_lock)

    def _read_lock(self) -> DeployRows:
        return self.deploy_table.read()

    def read(self) -> Live:
        """Reads the whole chat, in parallel, after the lock. A caller that acquires the lock as it was read
        then knows that nothing has changed since.

        A chat of which a part is deleted meanwhile is read again. Raises ChatError if two APIs carry the
        chat's tags and both may be its own, `changed_meanwhile` if parts keep disappearing, and botocore's
        errors.
        """
        reads = 1
        while True:
            try:
                return self._read_once()
            except ClientError as error:
                if not is_missing(error):
                    raise
                if reads == _READS:
                    raise outdated_plan_error() from error
            reads += 1

    def _read_once(self) -> Live:
        rows_read, self._rows = self._rows or self._start_read(), None
        # First, because STS gives the clearest errors for wrong credentials.
        _ = self.location
        rows = rows_read()
        names = self.names
        configs = self.domain_configs() if self.reads_domains else ()
        functions = [names.function(each) for each in FUNCTIONS]
        groups = [names.log_group(each) for each in FUNCTIONS]
        with ParallelReads() as start, stop_retrying_on_interrupt():
            # The slowest reads first.
            api = start(self._read_api, self.websocket_api, start)
            history = start(self.history_api.read, names.history, self.names.tags, start)
            domain_facts_read = (
                start(self._read_domains, configs, rows.requested, start)
                if self.reads_domains
                else DomainFacts
            )
            limits = start(self._read_limits)
            function_reads = {each: start(self.functions.read, each, start) for each in functions}
            reads: list[_Read] = [
                api,
                history,
                *(start(self.permissions.read, each) for each in functions),
                *(start(_as_list, self.tables.read, each, start) for each in names.tables),
                *(start(_as_list, self.recoveries.read, each) for each in names.tables),
                start(_as_list, self.queues.read, names.dead_letters),
                start(_as_list, self.async_invokes.read, names.function(FANOUT)),
                *(start(_as_list, self.roles.read, each, start) for each in self._role_names()),
                start(self.log_groups.read_all, names.log_group(""), groups, start),
                start(_as_list, self.log_groups.read, names.access_log),
            ]
            if self.reads_token_keys:
                reads.append(start(_as_list, self.token_keys.read, names.token_keys))
            resources = [each for read in reads for each in read()]
            limits_read = limits()
            published = {name: each for name, read in function_reads.items() if (each := read())}
            api_id = self.websocket_api.ids.api
            facts = domain_facts.with_api_facts(
                domain_facts_read(), api_id, self.history_api.id, self.websocket_api.exists
            )
        resources = self._of_this_region(resources, published)
        function_resources = [each for one in self._published.values() for each in one.resources(api_id)]
        domain_resources = live_resources(facts, zones_of(configs, facts.zones), names.tags, self.location)
        live = state(
            *resources, *function_resources, *domain_resources, *(each.release for each in rows.records)
        )
        live = {key: each for key, each in live.items() if self._has_own_table(each, live)}
        foreign = tuple(key for key, each in live.items() if not self._is_ours(each, live))
        self._running_release, self._records = running_release(live, self._stage, rows.records), rows.records
        return Live(live, foreign, api_id, rows, self.history_api.id, facts, limits_read)

    def find_api(self) -> str:
        """The API's id, found by tags; "" if there is no API."""
        self._find_apis()
        return self.websocket_api.ids.api

    def find_history_api(self) -> str:
        """The history API's id, found by tags; "" if there is no API."""
        return self.history_api.id or self.history_api.find(self.names.history, self.names.tags)

    def read_root_mappings(self) -> None:
        """Reads which API the root of each configured domain maps to, without the other domain data. Domains
        that may not be read are skipped."""
        for want in self.domain_configs():
            with suppress(ClientError, BotoCoreError):
                self.domains.mappings(want.name)

    def _read_limits(self) -> AccountLimits | None:
        return read_account_limits(self._aws.client("lambda")) if self.reads_limits else None

    def _read_domains(
        self, wanted: tuple[DomainConfig, ...], requested: frozenset[str], start: StartRead
    ) -> DomainFacts:
        certificates, zones = lambda: self.certificates, lambda: self.zones
        return domain_facts.read(self.domains, certificates, zones, wanted, self.names.tags, start, requested)

    def _role_names(self) -> list[str]:
        """The names of the roles in this Region, those of earlier versions of the tool included."""
        region, names = self.location.region, self.names
        return [
            *(names.role(each, region) for each in FUNCTIONS),
            *(names.role_without_region(each) for each in FUNCTIONS),
        ]

    def _of_this_region(
        self, resources: Iterable[Resource], published: Mapping[str, PublishedFunction]
    ) -> list[Resource]:
        """`resources` without the roles of the chat in another Region. Keeps `published`, with what is known
        about roles."""
        earlier = {self.names.role_without_region(each) for each in FUNCTIONS}
        used = {each.latest.role for each in published.values()}
        foreign = {
            each.name
            for each in resources
            if isinstance(each, Role)
            and each.name in earlier
            and not works_here(each, self.names.tags, self.location, used)
        }
        self.roles.exclude(foreign)
        ids = self.roles.known_ids()
        self._published = {
            name: each.with_role_placeholder(ids).without_roles(foreign) for name, each in published.items()
        }
        return [each for each in resources if not isinstance(each, Role) or each.name not in foreign]

    def _find_apis(self) -> tuple[Api | None, list[Api]]:
        """The chat's API and its empty duplicates. Raises ChatError `api_ambiguous`."""
        websocket_api = self.websocket_api
        if self.adopted_api is not None:
            websocket_api.ids.api = self.adopted_api.id
            return self.adopted_api.api, []
        found = dict(websocket_api.find(self.names.api, self.names.tags))
        display_names = {api_id: api.display_name for api_id, api in found.items()}
        own_id = own_api_id(display_names, self.names.api, websocket_api.is_empty, self.names.chat)
        websocket_api.ids.api = own_id
        websocket_api.ids.duplicates = found.keys() - {own_id}
        return found.get(own_id), [
            dataclasses.replace(found[each], name=each) for each in sorted(websocket_api.ids.duplicates)
        ]

    def apply(self, change: Change) -> None:
        """Carries out one change; safe to repeat, and to run beside others that it does not depend on."""
        Applier(self, self.move_alias, self.record_release).apply(change)

    def move_alias(self, alias: Alias) -> None:
        """Points a live alias at the version that it names; publishes that version if there is none yet."""
        api_id, found = self.websocket_api.ids.api, self._published.get(alias.function)
        number = found.newest_version(alias.runs, api_id) if found else None
        self.functions.move_alias(alias, number, api_id)

    def record_release(self, release: Release) -> None:
        """Stores a release as deployed now by the caller, and what ran before it."""
        # Later than all others, even if this machine's clock is wrong.
        newest = max((each.created_at for each in self._records), default=0)
        at = max(self._clock(), newest + 1)
        before = release_before(self._records, self._running_release, release.name)
        self.deploy_table.put_release(release, at, self.caller.name, before)

    def _read_api(self, websocket_api: WebSocketApi, start: StartRead) -> list[Resource]:
        api, duplicates = self._find_apis()
        if api is None:
            return []
        parts = websocket_api.read(start)
        stages = [each for each in parts.stages if each.name == self._stage or self._tagged(each.tags)]
        routing: list[Resource] = [*parts.integrations, *parts.authorizers, *parts.routes]
        return [api, *duplicates, *routing, *parts.deployments, *stages]

    def _is_ours(self, resource: Resource, live: State) -> bool:
        """Whether the resource belongs to the chat, by its tags; a kind without tags is part of a tagged
        resource.

        A log group with the name of the chat's function belongs to the chat even without tags: Lambda creates
        it when a function logs. So does the access log's group while the chat's stage logs to it.
        """
        if isinstance(resource, LogGroup) and resource.name == self.names.access_log:
            arn = self.location.arn("logs", f"log-group:{resource.name}")
            stages = (each for each in live.values() if isinstance(each, Stage | HistoryApi))
            is_logged_to = any(each.access_log == arn for each in stages)
            return is_logged_to or self._tagged(resource.tags)
        if isinstance(resource, Table | Role | Function | Queue | TokenKeys):
            return self._tagged(resource.tags)
        return True

    def _has_own_table(self, resource: Resource, live: State) -> bool:
        """Whether the resource is no recovery, or that of one of the chat's tables: another's is its own."""
        table = live.get((Table.kind, resource.name))
        return not isinstance(resource, Recovery) or (isinstance(table, Table) and self._is_ours(table, live))

    def _tagged(self, tags: StringMap) -> bool:
        return has_tags(tags, self.names.tags)


def _as_list(read: Callable[P, Resource | None], *args: P.args, **kwargs: P.kwargs) -> list[Resource]:
    found = read(*args, **kwargs)
    return [] if found is None else [found]
