"""Planning: the difference between the desired and the live state. No clock, no AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from nwchatctl.deploy.changes import Change, Create, Delete, Update, changed_key
from nwchatctl.deploy.desired.history_api import STATEMENT_ID_PREFIX
from nwchatctl.deploy.domains.facts import kept_keys
from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain
from nwchatctl.deploy.model.functions import (
    Alias,
    AsyncInvoke,
    Function,
    Permission,
    Role,
    Version,
    alias_name,
)
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.placeholders import HISTORY_API_ID
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, Resource, State
from nwchatctl.deploy.model.storage import LogGroup, Queue, Recovery, Table, TokenKeys
from nwchatctl.deploy.model.websocket import Api, Authorizer, Deployment, Integration, Route, Stage
from nwchatctl.deploy.releases import outdated_resources
from nwchatctl.deploy.token_switch import AuthTransition, auth_transition, order_for_transition

ORDER = (
    Table.kind,
    LogGroup.kind,
    Queue.kind,
    TokenKeys.kind,
    Api.kind,
    Role.kind,
    Function.kind,
    Alias.kind,
    Version.kind,
    AsyncInvoke.kind,
    HistoryApi.kind,
    Permission.kind,
    Integration.kind,
    Authorizer.kind,
    Route.kind,
    Deployment.kind,
    Stage.kind,
    Release.kind,
    Certificate.kind,
    Domain.kind,
    ApiMapping.kind,
    DnsRecord.kind,
    Recovery.kind,
)
"""The order in which changes are listed: close to the order in which a first deploy creates resources."""


DOMAIN_KINDS = (Certificate.kind, Domain.kind, ApiMapping.kind, DnsRecord.kind)
"""The kinds of a domain on which an API answers."""

ANY = "*"
"""In a `Need`: all resources of that kind."""

ANY_SOCKET = "*-"
"""In a `Need` of permissions: all but the history API's, which the WebSocket API does not need."""

Need: TypeAlias = tuple[str, str]
"""(kind, name or `ANY` or `ANY_SOCKET`)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in listing order, and for each the keys of the changes that must precede it."""

    changes: tuple[Change, ...]
    after: dict[Key, frozenset[Key]]

    def __bool__(self) -> bool:
        return bool(self.changes)


def plan(wanted: State, live: State) -> Plan:
    """The changes that turn `live` into `wanted`; resources that are live and not wanted are deleted.

    `live` has only the chat's own resources; the caller refuses foreign ones before. Old versions and
    deployments, which earlier releases run from, are kept until `outdated_resources` lists them. Recovery
    that was turned on by hand stays on.
    """
    kept = kept_keys(live, wanted)
    obsolete = [
        have
        for key, have in live.items()
        if key not in wanted.keys() | kept and not isinstance(have, Version | Deployment | Release | Recovery)
    ]
    changes = [*differences(wanted, live), *map(Delete, [*obsolete, *outdated_resources(wanted, live)])]
    return arrange(changes, auth_transition(wanted, live))


def differences(wanted: State, live: State) -> list[Change]:
    """The creates and updates for `wanted`, without deletes."""
    changes: list[Change] = []
    for key, want in wanted.items():
        have = live.get(key)
        if have is None:
            changes.append(Create(want))
        elif have != want:
            changes.append(Update(have, want))
    return changes


def arrange(changes: Iterable[Change], transition: AuthTransition = "stays") -> Plan:
    """The changes in listing order with their dependencies; `transition` is that of token mode."""
    listed = sorted(changes, key=lambda change: (ORDER.index(changed_key(change)[0]), changed_key(change)[1]))
    return Plan(tuple(listed), dependencies(listed, transition))


def split(whole: Plan, keys: Iterable[Key]) -> tuple[Plan, Plan]:
    """Splits a plan into the changes of `keys` and the rest; dependencies between the two are dropped."""
    first = frozenset(keys) & whole.after.keys()
    parts = (first, frozenset(whole.after.keys() - first))
    found = [
        Plan(
            tuple(each for each in whole.changes if changed_key(each) in part),
            {key: whole.after[key] & part for key in part},
        )
        for part in parts
    ]
    return found[0], found[1]


def dependencies(
    changes: Iterable[Change], transition: AuthTransition = "stays"
) -> dict[Key, frozenset[Key]]:
    """Dependencies: a create or update waits for what it needs; a delete waits for the changes of what needed
    it.

    An API that is deleted is an empty duplicate (`duplicate_apis`): no change depends on it.
    """
    every = {changed_key(change): change for change in changes}
    before: dict[Key, set[Key]] = {each: set() for each in every}
    by_key = {
        key: each
        for key, each in every.items()
        if not (isinstance(each, Delete) and isinstance(each.before, Api))
    }
    for key, change in by_key.items():
        if not isinstance(change, Delete):
            needed = _within(needs(change.after), by_key)
            # A deployment is a snapshot: deletes come before it.
            is_snapshot = isinstance(change.after, Deployment)
            before[key] |= {
                each
                for each in needed
                if not isinstance(by_key[each], Delete) or (is_snapshot and each[0] != Authorizer.kind)
            }
        # Parts of an old deployment may be deleted before it: a snapshot needs nothing any more.
        if not isinstance(change, Create) and not isinstance(change.before, Deployment):
            for each in _within(needs(change.before), by_key):
                if isinstance(by_key[each], Delete):
                    before[each].add(key)
        if isinstance(change, Delete):
            before[key] |= _within(_users_before(change.before), by_key)
            if isinstance(change.before, Domain | ApiMapping | DnsRecord):
                # A domain is deleted once its replacement works.
                created_or_updated = {each for each, other in by_key.items() if not isinstance(other, Delete)}
                before[key] |= {each for each in created_or_updated if each[0] in DOMAIN_KINDS}
    for key, further in order_for_transition(by_key, before, transition).items():
        before[key] |= further
    return {key: frozenset(each) for key, each in before.items()}


def _within(needed: Iterable[Need], by_key: Mapping[Key, Change]) -> set[Key]:
    """The planned keys among `needed`; a need of a whole kind means all planned changes of that kind."""
    found: set[Key] = set()
    for kind, name in needed:
        found |= {each for each in by_key if each[0] == kind and _is_meant(name, each[1])}
    return found


def _is_meant(needed: str, name: str) -> bool:
    return needed in (name, ANY) or (needed == ANY_SOCKET and f" {STATEMENT_ID_PREFIX}" not in name)


def _users_before(resource: Resource) -> frozenset[Need]:
    """What must be updated before `resource` is deleted, because it may use it."""
    match resource:
        case Version():
            return frozenset({(Alias.kind, alias_name(resource.function))})
        case Deployment() | Authorizer():
            return frozenset({(Stage.kind, ANY)})
        case Certificate():
            # ACM refuses to delete a certificate in use.
            return frozenset({(Domain.kind, ANY)})
        case _:
            return frozenset()


def needs(resource: Resource) -> frozenset[Need]:
    """What must exist before `resource` can be created."""
    api = (Api.kind, ANY)
    match resource:
        case Table() | LogGroup() | Queue() | TokenKeys() | Api():
            return frozenset()
        case Role():
            # The policy contains the API's id.
            return frozenset({api})
        case Function():
            return frozenset({(Role.kind, resource.role), (LogGroup.kind, resource.log_group), api})
        case Alias() | Version():
            return frozenset({(Function.kind, resource.function)})
        case AsyncInvoke():
            # Lambda checks that the function's role may send to the queue. Which role that is, the function
            # knows.
            queue = (Queue.kind, resource.on_failure.rpartition(":")[2])
            return frozenset({(Alias.kind, resource.name), (Role.kind, ANY), queue})
        case Permission():
            # The permission's source is the API, whose id is known once it is created.
            source = (HistoryApi.kind, ANY) if HISTORY_API_ID in resource.source_arn else api
            return frozenset({(Alias.kind, alias_name(resource.function)), source})
        case HistoryApi():
            alias = {(Alias.kind, _alias_of(resource.uri))} if resource.uri else set()
            return frozenset({*alias, *_log_group(resource.access_log)})
        case Integration() | Authorizer():
            alias = {(Alias.kind, _alias_of(resource.uri))} if resource.uri else set()
            # Without keys every client would be refused.
            keys = {(TokenKeys.kind, ANY)} if isinstance(resource, Authorizer) else set()
            return frozenset({api, *alias, *keys})
        case Route():
            # A stage with auto-deploy serves a route at once, so its target must be permitted to run.
            authorizer = {(Authorizer.kind, resource.authorizer)} if resource.authorizer else set()
            target = {(Integration.kind, resource.integration), (Permission.kind, ANY_SOCKET)}
            return frozenset({*target, *authorizer, api})
        case Deployment():
            # It is a snapshot of all of them.
            return frozenset({(Route.kind, ANY), (Integration.kind, ANY), (Authorizer.kind, ANY), api})
        case Stage():
            # Permissions first: the functions behind the stage must be permitted to run.
            allowed = {(Permission.kind, ANY_SOCKET), (Table.kind, ANY), (AsyncInvoke.kind, ANY)}
            logs = _log_group(resource.access_log)
            return frozenset({(Deployment.kind, resource.deployment), *allowed, *logs, api})
        case _:
            return _last_needs(resource)


def _last_needs(
    resource: Release | Certificate | Domain | ApiMapping | DnsRecord | Recovery,
) -> frozenset[Need]:
    """The needs of kinds that require a complete chat."""
    match resource:
        case Recovery():
            # Last, because AWS offers it minutes after the table is there: the chat works meanwhile.
            return frozenset({(Table.kind, resource.name), (Release.kind, ANY)})
        case Release():
            # Stored once it runs.
            return frozenset({(Alias.kind, ANY), (Stage.kind, ANY), (Table.kind, ANY)})
        case Certificate():
            # If the operator has to create its validation record, the deploy ends there, with a complete
            # chat.
            return frozenset() if resource.validation_zone else frozenset({(Release.kind, ANY)})
        case Domain():
            # Last, because another account may have the name: the chat works without it.
            return frozenset({(Certificate.kind, resource.name), (Release.kind, ANY)})
        case ApiMapping():
            leads_to = {(Stage.kind, ANY), (Api.kind, ANY), (HistoryApi.kind, ANY)}
            return frozenset({(Domain.kind, resource.name), *leads_to})
        case DnsRecord():
            return frozenset({(Domain.kind, resource.domain), (ApiMapping.kind, resource.domain)})
        case _:
            assert_never(resource)


def _log_group(arn: str) -> set[Need]:
    return {(LogGroup.kind, arn.rpartition(":log-group:")[2])} if arn else set()


def _alias_of(uri: str) -> str:
    """`nwchat-x-message:live` out of the invocation ARN that names it."""
    return uri.rpartition(":function:")[2].removesuffix("/invocations")
