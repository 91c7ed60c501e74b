"""Checks that refuse a plan before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nwchatctl.deploy.changes import Change, Delete, Update
from nwchatctl.deploy.domains.facts import kept_keys
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain
from nwchatctl.deploy.model.functions import Function, Role, Version
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, Resource, State, key
from nwchatctl.deploy.model.storage import LogGroup, Queue, Table, TokenKeys
from nwchatctl.deploy.model.websocket import Api, Deployment, Stage
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.deploy.planner import Plan
from nwchatctl.deploy.tag_commands import tag_command
from nwchatctl.errors import ChatError

INLINE_POLICY_CHARS = 10_240
"""The longest that all inline policies of a role may be, without white space (IAM quotas); the tool's roles
have one."""


_LISTED_COMMANDS = 3
"""How many commands a hint has at most."""


def refuse_foreign(foreign: Iterable[Key], chat: str, location: Location | None = None) -> None:
    """Raises ChatError if a name that the chat needs belongs to a resource without its tags. With `location`,
    the hint has the commands that add them."""
    keys = list(foreign)
    if keys:
        raise ChatError(
            f"not this chat's, and in its way: {', '.join(f'{kind} {name}' for kind, name in keys)}",
            hint=f'choose another chat.name than "{chat}", or remove what is in the way; if it is this '
            f"chat's and has lost its tags, put them back: {_restoring_tags(keys, chat, location)}",
            code="not_ours",
        )


def _restoring_tags(keys: list[Key], chat: str, location: Location | None) -> str:
    tags = ResourceNames(chat).tags
    commands = [text for each in keys if location and (text := tag_command(each, tags, location))]
    if not commands:
        return " and ".join(f"{name}={value}" for name, value in tags.items())
    more = len(commands) - _LISTED_COMMANDS
    shown = "; ".join(commands[:_LISTED_COMMANDS])
    return f"{shown}; and {more} more in the same way" if more > 0 else shown


def refuse_other_keys(plan: Plan) -> None:
    """Raises ChatError if a table has another key than the chat needs: only a new table could have it."""
    for change in plan.changes:
        if (
            isinstance(change, Update)
            and isinstance(change.before, Table)
            and isinstance(change.after, Table)
        ):
            have = (change.before.partition_key, change.before.sort_key)
            want = (change.after.partition_key, change.after.sort_key)
            if have != want:
                raise ChatError(
                    f"table {change.after.name} has the key {_key(have)}, and the chat needs {_key(want)}",
                    hint="a key cannot be changed: export the table's data, delete it, and deploy again",
                    code="table_key",
                )


def refuse_large_policies(plan: Plan) -> None:
    """Raises ChatError if a role's policy is larger than IAM takes, before anything is changed."""
    for change in plan.changes:
        role = None if isinstance(change, Delete) else change.after
        if not isinstance(role, Role):
            continue
        size = len(re.sub(r"\s", "", role.policy))
        if size > INLINE_POLICY_CHARS:
            raise ChatError(
                f"the policy of role {role.name} would have {size} characters, and IAM takes "
                f"{INLINE_POLICY_CHARS}",
                hint="shorten the names in nwchat.toml; nothing was changed",
                code="policy_too_large",
            )


def removals(plan: Plan) -> tuple[Change, ...]:
    """The deletes that need confirmation; deletes of outdated resources do not."""
    return tuple(
        each
        for each in plan.changes
        if isinstance(each, Delete) and not isinstance(each.before, Version | Deployment | Release)
    )


def plan_destroy(
    live: State, *, deploys: str, delete_data: bool, keep_logs: bool
) -> tuple[Plan, tuple[Key, ...]]:
    """The plan of `destroy`, and the keys of what it keeps.

    The APIs are deleted first, so that nothing runs any more; their parts and those of functions are deleted
    with them. Tables are kept unless `delete_data`, log groups are deleted unless `keep_logs`. The tool's own
    table `deploys` is deleted last: it has the lock.
    """
    # API Gateway deletes neither a stage nor an API with a mapped domain; ACM deletes no certificate in use.
    names: list[tuple[type[Resource], ...]] = [(DnsRecord,), (ApiMapping,), (Domain,)]
    layers = [
        *names,
        (Stage,),
        (Api, HistoryApi),
        (Function,),
        (Role, Queue, TokenKeys, Certificate),
    ]
    kept = kept_keys(live, {})
    if not keep_logs:
        layers.append((LogGroup,))
    if delete_data:
        layers.append((Table,))
    changes: list[Change] = []
    after: dict[Key, frozenset[Key]] = {}
    for layer in layers:
        earlier = frozenset(after)
        for resource_key, each in sorted(live.items()):
            if isinstance(each, layer) and each.name != deploys and resource_key not in kept:
                changes.append(Delete(each))
                after[resource_key] = earlier
    if own := live.get((Table.kind, deploys)):
        changes.append(Delete(own))
        after[key(own)] = frozenset(after)
    staying_kinds = (Table.kind, LogGroup.kind, Domain.kind, Certificate.kind, DnsRecord.kind)
    left = tuple(
        resource_key
        for resource_key in live
        if resource_key[0] in staying_kinds and resource_key not in after
    )
    return Plan(tuple(changes), after), left


def _key(names: tuple[str, str]) -> str:
    return " + ".join(each for each in names if each) or "none"
