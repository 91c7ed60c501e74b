"""Adoption of a chat made by hand: what is refused, the order of steps, and which rows are copied.

New functions and tables are created beside the old ones; the API, with its id and its connections, is taken
over.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nwchat.model.ids import CONNECTION_SECONDS, connection_expiry
from nwchat.model.rows import Connection
from nwchatctl.deploy.model.state import State
from nwchatctl.deploy.model.storage import Recovery
from nwchatctl.deploy.model.string_map import has_tags
from nwchatctl.deploy.model.websocket import Api, Deployment, Integration, Route, Stage
from nwchatctl.deploy.names import CHAT_TAG, ResourceNames
from nwchatctl.deploy.planner import DOMAIN_KINDS, Plan, split
from nwchatctl.errors import ChatError, Exit
from nwchatctl.timestamps import parse_ms

ADOPTED_BY = "nwchat:adopted-by"
"""The only tag on the old chat's resources; not one of those that mark a resource as the chat's to change or
delete."""

KEPT_PREFIX = "adopted-"
"""The prefix of the name that the tool gives the deployment which the stage served before; AWS's id
follows."""

_AFTER_ROWS = (Integration.kind, Route.kind, Deployment.kind, Stage.kind)

_CONNECTED_AT_NAMES = ("connectedat", "createdat")
"""Attributes with the time of the connection, in any spelling: `connectedAt`, `created_at`. Not a ttl: the
old code may have renewed it with each message, and the tool knows how long a connection can last."""

_SOCKET_ID = re.compile(r"[!-~]{1,128}")
"""API Gateway's ids look like `L0SM9cOFvHcCIhw=`; none has a space or a control character."""


@dataclass(frozen=True, slots=True)
class FoundApi:
    """An API of the account, whoever owns it. `protocol` is WEBSOCKET or HTTP."""

    id: str
    protocol: str
    api: Api


@dataclass(frozen=True, slots=True)
class LegacyTable:
    """The old chat's table of connections."""

    name: str
    arn: str
    partition_key: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LegacyFunction:
    """A function of the old chat."""

    name: str
    arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CopyCounts:
    """Counts of the old table's rows: copied; present already; expired, because the connection must have
    ended; unusable, because the key cannot be a connection id."""

    copied: int = 0
    present: int = 0
    expired: int = 0
    unusable: int = 0

    @property
    def read(self) -> int:
        """The number of rows read."""
        return self.copied + self.present + self.expired + self.unusable

    def as_data(self) -> dict[str, int]:
        """The counts by name, for `--json`."""
        return dataclasses.asdict(self)

    def __add__(self, other: CopyCounts) -> CopyCounts:
        """The sum of the counts of two parts of a table."""
        return CopyCounts(
            self.copied + other.copied,
            self.present + other.present,
            self.expired + other.expired,
            self.unusable + other.unusable,
        )

    def with_second_read(self, later: CopyCounts) -> CopyCounts:
        """The counts after a second read of the same table: what the first read copied is present at the
        second."""
        return dataclasses.replace(
            later, copied=self.copied + later.copied, present=max(later.present - self.copied, 0)
        )


# What is refused --------------------------------------------------------------------------------


def choose_api(found: Iterable[FoundApi], api_id: str, names: ResourceNames) -> FoundApi:
    """The API to take over. Raises ChatError if it does not exist, is of another protocol, or belongs to
    another chat."""
    every = list(found)
    chosen = next((each for each in every if each.id == api_id), None)
    if chosen is None:
        raise ChatError(
            f"there is no API {api_id} in this account and region",
            hint="aws apigatewayv2 get-apis lists them; give the id to --api-id",
            code="api_not_found",
            exit_code=Exit.NOT_FOUND,
        )
    if chosen.protocol != "WEBSOCKET":
        raise ChatError(
            f"API {api_id} ({chosen.api.display_name}) is an {chosen.protocol} API, not a WebSocket API",
            hint="give the id of the WebSocket API to --api-id",
            code="api_not_websocket",
        )
    if (owner := dict(chosen.api.tags).get(CHAT_TAG, names.chat)) != names.chat:
        raise ChatError(
            f"API {api_id} belongs to the chat {owner}",
            hint=f"set chat.name to {owner} to work with it",
            code="not_ours",
        )
    for other in every:
        if other.id != api_id and other.protocol == "WEBSOCKET" and is_ours(other, names):
            raise ChatError(
                f"chat {names.chat} has an API already: {other.id}",
                hint="take that chat down (nwchatctl destroy), or choose another chat.name",
                code="already_deployed",
            )
    return chosen


def is_ours(found: FoundApi, names: ResourceNames) -> bool:
    """Whether the API has the chat's tags."""
    return has_tags(found.api.tags, names.tags)


def require_stage(stage: str, existing: Iterable[str]) -> None:
    """Raises ChatError if the configured stage is not one of the API's `existing` stages."""
    names = sorted(existing)
    if stage in names:
        return
    raise ChatError(
        f"the API has no stage {stage}; it has: {', '.join(names) or 'none'}",
        hint="set stage.name in nwchat.toml to the one that clients connect to",
        code="stage_not_found",
        exit_code=Exit.NOT_FOUND,
    )


def refuse_name(name: str, flag: str) -> None:
    """Raises ChatError if the name is that of a resource of nwchatctl: these are never adopted."""
    if name.startswith("nwchat-"):
        raise ChatError(
            f"{name} belongs to a chat of nwchatctl's own",
            hint=f"give the name of the old chat's to {flag}",
            code="not_ours",
        )


def refuse_key(table: LegacyTable, key: str) -> None:
    """Raises ChatError if the table's partition key is not `key`."""
    if table.partition_key != key:
        raise ChatError(
            f"table {table.name} has the partition key {table.partition_key}, not {key}",
            hint=f"if it holds connection ids, give --table-key {table.partition_key}",
            code="table_key",
        )


def refuse_other_owner(old: LegacyTable | LegacyFunction, chat: str) -> None:
    """Raises ChatError if another chat has adopted the resource."""
    owner = old.tags.get(ADOPTED_BY, chat)
    if owner != chat:
        raise ChatError(
            f"{old.name} was adopted by the chat {owner}",
            hint=f"set chat.name to {owner}, or remove the tag {ADOPTED_BY} if that was a mistake",
            code="not_ours",
        )


def not_found_error(kind: str, name: str, flag: str) -> ChatError:
    """The error for an old resource that does not exist."""
    return ChatError(
        f"there is no {kind} {name} in this account and region",
        hint=f"give the name of the old chat's to {flag}",
        code=f"{kind}_not_found",
        exit_code=Exit.NOT_FOUND,
    )


# What comes when --------------------------------------------------------------------------------


def split_by_rows(plan: Plan) -> tuple[Plan, Plan]:
    """Splits the plan into the part before the rows are copied, and the rest.

    Changes that route frames to the new functions come last: by then these functions find all connections in
    their table, and may be invoked.
    """
    later_keys = {key for key in plan.after if key[0] in _AFTER_ROWS}
    while more := {key for key, after in plan.after.items() if key not in later_keys and after & later_keys}:
        later_keys |= more
    return split(plan, plan.after.keys() - later_keys)


def domains_last(plan: Plan) -> tuple[Plan, Plan]:
    """Splits the plan into everything but domains and recovery, and these: domains may have to wait for a
    certificate, recovery waits for AWS, and copying rows should not wait. A domain change that another change
    needs stays in the first part."""
    domain_keys = {key for key in plan.after if key[0] in (*DOMAIN_KINDS, Recovery.kind)}
    while needed := domain_keys & {
        each for key in plan.after.keys() - domain_keys for each in plan.after[key]
    }:
        domain_keys -= needed
    return split(plan, plan.after.keys() - domain_keys)


def previous_deployment(live: State, stage: str) -> str:
    """AWS's id of the foreign deployment that the stage serves; "" if it serves one of the chat's own."""
    found = live.get((Stage.kind, stage))
    if not isinstance(found, Stage) or _is_ours(live, found.deployment):
        return ""
    return found.deployment


def _is_ours(live: State, deployment: str) -> bool:
    found = live.get((Deployment.kind, deployment))
    return isinstance(found, Deployment) and found.marked


def refuse_unfinished(live: State, stage: str, api_id: str) -> None:
    """Raises ChatError if the stage still serves the old chat: an adoption was interrupted.

    Resuming the adoption copies the current connections; a deploy would not.
    """
    found = live.get((Stage.kind, stage))
    if isinstance(found, Stage) and found.deployment.startswith(KEPT_PREFIX):
        raise ChatError(
            "the adoption of this chat is not finished: its stage serves the old functions",
            hint=f"nwchatctl adopt --api-id {api_id}",
            code="adoption_unfinished",
        )


def kept_deployments(live: State) -> tuple[str, ...]:
    """AWS's ids of the deployments that are kept from before the adoption."""
    names = [name for kind, name in live if kind == Deployment.kind and name.startswith(KEPT_PREFIX)]
    return tuple(sorted(name.removeprefix(KEPT_PREFIX) for name in names))


def rows_expired(live: State, stage: str, stage_changed_at: int, now_ms: int) -> bool:
    """Whether all connections of the old functions must have ended: the stage has served its current
    deployment, one of the chat's own, for longer than a connection can last. Times are epoch ms."""
    found = live.get((Stage.kind, stage))
    deployment = found.deployment if isinstance(found, Stage) else ""
    serves_own = _is_ours(live, deployment) and not deployment.startswith(KEPT_PREFIX)
    return serves_own and now_ms - stage_changed_at > CONNECTION_SECONDS * 1000


# Rows -------------------------------------------------------------------------------------------


def connection_from(row: Mapping[str, Any], key: str, now_ms: int) -> Connection | None:
    """A row of the old table, in DynamoDB's typed JSON, as a connection of the chat; None without a usable
    key.

    It expires when its connection must end, two hours (and a margin) after it was opened; counted from now if
    the row has no time.
    """
    connection_id = row.get(key, {}).get("S")
    if not isinstance(connection_id, str) or not _SOCKET_ID.fullmatch(connection_id):
        return None
    since = _connected_at(row, now_ms)
    return Connection(connection_id, connected_at=since, expires_at=connection_expiry(since))


def _connected_at(row: Mapping[str, Any], now_ms: int) -> int:
    for name, attribute in row.items():
        if name.replace("_", "").replace("-", "").lower() in _CONNECTED_AT_NAMES:
            text = attribute.get("N", attribute.get("S"))
            at = parse_ms(text) if isinstance(text, str) else None
            if at is not None and 0 < at <= now_ms:
                return at
    return now_ms
