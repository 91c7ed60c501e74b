"""Planning is arithmetic: what is wanted, less what is there. No clock, no AWS."""

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
from nwchatctl.deploy.model.storage import LogGroup, Queue, Table, TokenKeys
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
)
"""How changes are listed: near the order in which a first deploy makes them."""


DOMAIN_KINDS = (Certificate.kind, Domain.kind, ApiMapping.kind, DnsRecord.kind)
"""The kinds by which an API answers under a name of the operator's."""

ANY = "*"
"""In a `Need`: everything of that kind."""

ANY_SOCKET = "*-"
"""In a `Need` of permissions: all but the history API's, which nothing that clients connect to waits for."""

Need: TypeAlias = tuple[str, str]
"""(kind, name, `ANY` or `ANY_SOCKET`)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in listing order, and for each the changes (by key) that have to come before it."""

    changes: tuple[Change, ...]
    after: dict[Key, frozenset[Key]]

    def __bool__(self) -> bool:
        return bool(self.changes)


def plan(wanted: State, live: State) -> Plan:
    """The changes that turn `live` into `wanted`; what is live and not wanted goes.

    `live` holds only what is ours; the caller refuses what is somebody else's before it plans.
    Old versions and deployments are what an earlier release runs from: they stay until `outdated`.
    """
    kept = kept_keys(live, wanted)
    obsolete = [
        have
        for key, have in live.items()
        if key not in wanted.keys() | kept and not isinstance(have, Version | Deployment | Release)
    ]
    changes = [*differences(wanted, live), *map(Delete, [*obsolete, *outdated_resources(wanted, live)])]
    return arrange(changes, auth_transition(wanted, live))


def differences(wanted: State, live: State) -> list[Change]:
    """What of `wanted` has to be made or changed; nothing goes."""
    changes: list[Change] = []
    for key, want in wanted.items():
        have = live.get(key)
        if have is None:
            changes.append(Create(want))
        elif have != want:
            changes.append(Update(have, want))
    return changes


def arrange(changes: Iterable[Change], transition: AuthTransition = "stays") -> Plan:
    """The changes in listing order, with what each waits for; `transition` is of asking for tokens."""
    listed = sorted(changes, key=lambda change: (ORDER.index(changed_key(change)[0]), changed_key(change)[1]))
    return Plan(tuple(listed), dependencies(listed, transition))


def split(whole: Plan, keys: Iterable[Key]) -> tuple[Plan, Plan]:
    """The part of a plan that is about `keys`, and the rest; neither waits for anything in the other."""
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
    """A create or update waits for what it needs; a delete waits for whatever needed the deleted.

    An API that goes is left over from making the chat's (`leftovers`): it is bare, and nothing waits for it.
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
            # A deployment is a snapshot: what has to go is gone before it is taken.
            is_snapshot = isinstance(change.after, Deployment)
            before[key] |= {
                each
                for each in needed
                if not isinstance(by_key[each], Delete) or (is_snapshot and each[0] != Authorizer.kind)
            }
        # What a deployment was taken of may go before it: a snapshot needs nothing any more.
        if not isinstance(change, Create) and not isinstance(change.before, Deployment):
            for each in _within(needs(change.before), by_key):
                if isinstance(by_key[each], Delete):
                    before[each].add(key)
        if isinstance(change, Delete):
            before[key] |= _within(_users_before(change.before), by_key)
            if isinstance(change.before, Domain | ApiMapping | DnsRecord):
                # A name goes once the one that takes its place answers.
                created_or_updated = {each for each, other in by_key.items() if not isinstance(other, Delete)}
                before[key] |= {each for each in created_or_updated if each[0] in DOMAIN_KINDS}
    for key, further in order_for_transition(by_key, before, transition).items():
        before[key] |= further
    return {key: frozenset(each) for key, each in before.items()}


def _within(needed: Iterable[Need], by_key: Mapping[Key, Change]) -> set[Key]:
    """The planned keys among `needed`; a need of a whole kind is one of all its planned changes."""
    found: set[Key] = set()
    for kind, name in needed:
        found |= {each for each in by_key if each[0] == kind and _is_meant(name, each[1])}
    return found


def _is_meant(needed: str, name: str) -> bool:
    return needed in (name, ANY) or (needed == ANY_SOCKET and f" {STATEMENT_ID_PREFIX}" not in name)


def _users_before(resource: Resource) -> frozenset[Need]:
    """What has to have moved away from `resource` before it goes, as it may have been in use."""
    match resource:
        case Version():
            return frozenset({(Alias.kind, alias_name(resource.function))})
        case Deployment() | Authorizer():
            return frozenset({(Stage.kind, ANY)})
        case Certificate():
            # ACM deletes none that is in use.
            return frozenset({(Domain.kind, ANY)})
        case _:
            return frozenset()


def needs(resource: Resource) -> frozenset[Need]:
    """What has to be there before `resource` can be made."""
    api = (Api.kind, ANY)
    match resource:
        case Table() | LogGroup() | Queue() | TokenKeys() | Api():
            return frozenset()
        case Role():
            # Its policy names the API, once there is one.
            return frozenset({api})
        case Function():
            return frozenset({(Role.kind, resource.role), (LogGroup.kind, resource.log_group), api})
        case Alias() | Version():
            return frozenset({(Function.kind, resource.function)})
        case AsyncInvoke():
            # Lambda looks whether the function's role may write to the queue.
            queue = (Queue.kind, _queue_of(resource.on_failure))
            return frozenset({(Alias.kind, resource.name), (Role.kind, resource.function), queue})
        case Permission():
            # Its source is the API, which has an id once it is made.
            source = (HistoryApi.kind, ANY) if HISTORY_API_ID in resource.source_arn else api
            return frozenset({(Alias.kind, alias_name(resource.function)), source})
        case HistoryApi():
            return frozenset({(Alias.kind, _alias_of(resource.uri))} if resource.uri else ())
        case Integration() | Authorizer():
            alias = {(Alias.kind, _alias_of(resource.uri))} if resource.uri else set()
            # Without keys nobody would be let in.
            keys = {(TokenKeys.kind, ANY)} if isinstance(resource, Authorizer) else set()
            return frozenset({api, *alias, *keys})
        case Route():
            # A stage with auto-deploy serves a route at once: what it leads to must be allowed to run.
            authorizer = {(Authorizer.kind, resource.authorizer)} if resource.authorizer else set()
            target = {(Integration.kind, resource.integration), (Permission.kind, ANY_SOCKET)}
            return frozenset({*target, *authorizer, api})
        case Deployment():
            # A snapshot of them all, so it is taken last.
            return frozenset({(Route.kind, ANY), (Integration.kind, ANY), (Authorizer.kind, ANY), api})
        case Stage():
            # Permissions first: what the stage starts to serve must be allowed to run.
            allowed = {(Permission.kind, ANY_SOCKET), (Table.kind, ANY), (AsyncInvoke.kind, ANY)}
            logs = {(LogGroup.kind, _group_of(resource.access_log))} if resource.access_log else set()
            return frozenset({(Deployment.kind, resource.deployment), *allowed, *logs, api})
        case _:
            return _last_needs(resource)


def _last_needs(resource: Release | Certificate | Domain | ApiMapping | DnsRecord) -> frozenset[Need]:
    """The same of what is only made of, or leads to, a chat that works."""
    match resource:
        case Release():
            # Remembered once it runs.
            return frozenset({(Alias.kind, ANY), (Stage.kind, ANY), (Table.kind, ANY)})
        case Certificate():
            # Where somebody has to write its validation record, the deploy ends there: with a whole chat.
            return frozenset() if resource.validation_zone else frozenset({(Release.kind, ANY)})
        case Domain():
            # Last, as it is what another account may have: the chat works without.
            return frozenset({(Certificate.kind, resource.name), (Release.kind, ANY)})
        case ApiMapping():
            leads_to = {(Stage.kind, ANY), (Api.kind, ANY), (HistoryApi.kind, ANY)}
            return frozenset({(Domain.kind, resource.name), *leads_to})
        case DnsRecord():
            return frozenset({(Domain.kind, resource.domain), (ApiMapping.kind, resource.domain)})
        case _:
            assert_never(resource)


def _alias_of(uri: str) -> str:
    """`nwchat-x-message:live` out of the invocation ARN that names it."""
    return uri.rpartition(":function:")[2].removesuffix("/invocations")


def _queue_of(arn: str) -> str:
    """The name of the queue that an ARN is of."""
    return arn.rpartition(":")[2]


def _group_of(arn: str) -> str:
    """The name of the log group that an ARN is of."""
    return arn.rpartition(":log-group:")[2]
