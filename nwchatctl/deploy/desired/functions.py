"""The desired functions of a chat, with their environment and roles."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nwchatctl.deploy.desired.function_environment import function_environment
from nwchatctl.deploy.desired.history_api import HISTORY
from nwchatctl.deploy.desired.policies import Arns, function_policy, lambda_trust
from nwchatctl.deploy.desired.token_auth import AUTHORIZE
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.placeholders import ROLE_ID
from nwchatctl.deploy.model.state import State
from nwchatctl.deploy.model.string_map import StringMap
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.deploy.role_regions import own_roles, with_region
from nwchatctl.iam_templates import boundary_arn, boundary_name

if TYPE_CHECKING:
    from nwchatctl.config import Settings

FANOUT = "fanout"

FUNCTIONS = ("connect", "disconnect", "message", FANOUT, HISTORY, AUTHORIZE)
"""All functions; `HISTORY` exists with the history API, `AUTHORIZE` in token mode."""


_PURPOSES = {
    "connect": "accepts connections",
    "disconnect": "deletes the rows of closed connections",
    "message": "stores and sends messages",
    FANOUT: "sends messages to large rooms",
    HISTORY: "serves the history over HTTP",
    AUTHORIZE: "checks the tokens of clients",
}


@dataclass(frozen=True, slots=True)
class FunctionBuilder:
    """Builds the functions of one chat; each is identified by its short name, one of `FUNCTIONS`.

    `code_sha256` is the base64 digest of their zip, `api_id` may be `API_ID`, and `tags` are the tags of all
    resources. `live` is the chat as it is: functions stay in their VPC unless the settings say otherwise, and
    roles of earlier versions of the tool are kept.
    """

    settings: Settings
    location: Location
    names: ResourceNames
    tags: StringMap
    code_sha256: str
    api_id: str
    live: State = field(default_factory=dict)

    @property
    def tokens(self) -> bool:
        """Whether a token is required to connect."""
        return self.settings.auth.mode == "token"

    @property
    def short_names(self) -> list[str]:
        """The functions of this chat."""
        there = {HISTORY: self.settings.history.enabled, AUTHORIZE: self.tokens}
        return [each for each in FUNCTIONS if there.get(each, True)]

    @property
    def live_roles(self) -> frozenset[str]:
        """The names of the chat's existing roles."""
        return own_roles(self.live)

    def role_name(self, short: str) -> str:
        """The name of the role that the function runs on: a role of earlier versions of the tool is kept."""
        earlier = self.names.role_without_region(short)
        return earlier if earlier in self.live_roles else self.names.role(short, self.location.region)

    def roles(self, short: str) -> list[Role]:
        """The function's role, with its permissions. Published versions may run on another one that exists,
        which has the same permissions."""
        both = (self.names.role_without_region(short), self.names.role(short, self.location.region))
        return [
            self._role(each, short)
            for each in both
            if each in self.live_roles or each == self.role_name(short)
        ]

    def _role(self, name: str, short: str) -> Role:
        arns = Arns(
            logs=self.location.arn("logs", f"log-group:{self.names.log_group(short)}"),
            connections=self.location.arn("dynamodb", f"table/{self.names.connections}"),
            messages=self.location.arn("dynamodb", f"table/{self.names.messages}"),
            stage=self.location.arn("execute-api", f"{self.api_id}/{self.settings.stage.name}"),
            fanout=self.location.alias_arn(self.names.function(FANOUT)),
            dead_letters=self.location.queue_arn(self.names.dead_letters),
            token_keys=self.location.arn("ssm", f"parameter{self.names.token_keys}") if self.tokens else "",
            # Releases that ran in a VPC, and network interfaces that Lambda still has to delete, need it too.
            in_network=self.location.arn("lambda", f"function:{self.names.function(short)}")
            if self.settings.functions.subnets or self.network(short)[0]
            else "",
        )
        trust, policy = lambda_trust(self.location.account), function_policy(short, arns)
        tags = with_region(self.tags, self.location.region)
        return Role(name, trust, policy, (), tags, self.boundary)

    @property
    def boundary(self) -> str:
        """The ARN of the roles' permissions boundary, "" for none.

        The sandbox has one of its own: its operator has the deploy policy, which requires one.
        """
        name = self.settings.functions.permissions_boundary
        if not name and self.location.sandbox_url:
            name = boundary_name("*")
        if name in ("", "none"):
            return ""
        return boundary_arn(name, self.location.partition, self.location.account)

    def network(self, short: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The subnets and the security groups of the function."""
        functions = self.settings.functions
        if functions.subnets:
            return (
                ((), ()) if functions.subnets == ("none",) else (functions.subnets, functions.security_groups)
            )
        live = self.live.get((Function.kind, self.names.function(short)))
        return (live.subnets, live.security_groups) if isinstance(live, Function) else ((), ())

    def function(self, short: str) -> Function:
        """The function."""
        subnets, security_groups = self.network(short)
        functions = self.settings.functions
        size = self.settings.fanout if short == FANOUT else functions
        return Function(
            name=self.names.function(short),
            role=self.role_name(short),
            handler=f"nwchat.{short}.handler",
            runtime=functions.runtime,
            architecture=functions.architecture,
            memory_mb=size.memory_mb,
            timeout_seconds=size.timeout_seconds,
            environment=function_environment(short, self.settings, self.location, self.names, self.api_id),
            code_sha256=self.code_sha256,
            log_format="JSON",
            log_level=functions.log_level,
            log_group=self.names.log_group(short),
            snap_start=functions.snap_start,
            tags=self.tags,
            description=f"Chat {self.settings.chat.name}: {_PURPOSES[short]}. Role {ROLE_ID}, by nwchatctl.",
            reserved_concurrency=self.reserved_concurrency if short == FANOUT else None,
            subnets=subnets,
            security_groups=security_groups,
        )

    @property
    def reserved_concurrency(self) -> int | None:
        """The reserved concurrency of `fanout`, None for none. The caller keeps one that the settings leave
        open."""
        wanted = self.settings.fanout.reserved_concurrency
        return wanted if isinstance(wanted, int) else None


def with_kept_reservations(wanted: State, live: State, settings: Settings) -> State:
    """`wanted` with the reserved concurrency that functions have, unless the settings say what it is."""
    managed = f"nwchat.{FANOUT}.handler" if settings.fanout.reserved_concurrency != "" else ""
    kept: State = {
        key: dataclasses.replace(want, reserved_concurrency=have.reserved_concurrency)
        for key, want in wanted.items()
        if isinstance(want, Function)
        and want.handler != managed
        and isinstance(have := live.get(key), Function)
    }
    return {**wanted, **kept}
