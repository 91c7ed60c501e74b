"""The desired functions of a chat, with their environment and roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.desired.history_api import HISTORY
from nwchatctl.deploy.desired.policies import Arns, function_policy, lambda_trust
from nwchatctl.deploy.desired.token_auth import AUTHORIZE, environment
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function, Role, alias_name
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.iam_templates import boundary_arn, boundary_name

if TYPE_CHECKING:
    from nwchatctl.config import Settings

FANOUT = "fanout"

FUNCTIONS = ("connect", "disconnect", "message", FANOUT, HISTORY, AUTHORIZE)
"""All functions; `HISTORY` exists with the history API, `AUTHORIZE` in token mode."""


@dataclass(frozen=True, slots=True)
class FunctionBuilder:
    """Builds the functions of one chat; each is identified by its short name, one of `FUNCTIONS`.

    `code_sha256` is the base64 digest of their zip, `api_id` may be `API_ID`, and `tags` are the tags of all
    resources.
    """

    settings: Settings
    location: Location
    names: ResourceNames
    tags: StringMap
    code_sha256: str
    api_id: str

    @property
    def tokens(self) -> bool:
        """Whether a token is required to connect."""
        return self.settings.auth.mode == "token"

    @property
    def short_names(self) -> list[str]:
        """The functions of this chat."""
        there = {HISTORY: self.settings.history.enabled, AUTHORIZE: self.tokens}
        return [each for each in FUNCTIONS if there.get(each, True)]

    def role(self, short: str) -> Role:
        """The function's role, with its permissions."""
        arns = Arns(
            logs=self.location.arn("logs", f"log-group:{self.names.log_group(short)}"),
            connections=self.location.arn("dynamodb", f"table/{self.names.connections}"),
            messages=self.location.arn("dynamodb", f"table/{self.names.messages}"),
            stage=self.location.arn("execute-api", f"{self.api_id}/{self.settings.stage.name}"),
            fanout=self.location.alias_arn(self.names.function(FANOUT)),
            dead_letters=self.location.queue_arn(self.names.dead_letters),
            token_keys=self.location.arn("ssm", f"parameter{self.names.token_keys}") if self.tokens else "",
        )
        trust, policy = lambda_trust(self.location.account), function_policy(short, arns)
        return Role(self.names.function(short), trust, policy, (), self.tags, self.boundary)

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

    def function(self, short: str) -> Function:
        """The function."""
        functions = self.settings.functions
        size = self.settings.fanout if short == FANOUT else functions
        return Function(
            name=self.names.function(short),
            role=self.names.function(short),
            handler=f"nwchat.{short}.handler",
            runtime=functions.runtime,
            architecture=functions.architecture,
            memory_mb=size.memory_mb,
            timeout_seconds=size.timeout_seconds,
            environment=self.environment(),
            code_sha256=self.code_sha256,
            log_format="JSON",
            log_level=functions.log_level,
            log_group=self.names.log_group(short),
            snap_start=functions.snap_start,
            tags=self.tags,
        )

    def environment(self) -> StringMap:
        """The environment variables that `nwchat.runtime` reads, the same for all functions."""
        chat, fanout, sending = self.settings.chat, self.settings.fanout, self.settings.sending
        return string_map(
            {
                "NWCHAT_CHAT": chat.name,
                "NWCHAT_CONNECTIONS_TABLE": self.names.connections,
                "NWCHAT_MESSAGES_TABLE": self.names.messages,
                "NWCHAT_ENDPOINT": self.location.connections_url(self.api_id, self.settings.stage.name),
                "NWCHAT_RETENTION_DAYS": str(self.settings.tables.retention_days),
                "NWCHAT_ECHO_TO_SENDER": "true" if chat.echo_to_sender else "false",
                "NWCHAT_ALLOWED_ORIGINS": ",".join(chat.allowed_origins),
                "NWCHAT_RESERVED_NAMES": ",".join(chat.reserved_names),
                "NWCHAT_MAX_MESSAGE_CHARS": str(chat.max_message_chars),
                "NWCHAT_MAX_UNAME_CHARS": str(chat.max_uname_chars),
                "NWCHAT_RATE_MESSAGES": str(chat.rate_messages),
                "NWCHAT_RATE_SECONDS": str(chat.rate_seconds),
                "NWCHAT_SENDER_MESSAGES": str(chat.sender_messages),
                "NWCHAT_ADDRESS_CONNECTIONS": str(chat.address_connections),
                "NWCHAT_FANOUT_FUNCTION": alias_name(self.names.function(FANOUT)),
                "NWCHAT_FANOUT_THRESHOLD": str(fanout.threshold),
                "NWCHAT_FANOUT_SEGMENT_SIZE": str(fanout.segment_size),
                "NWCHAT_SENDING_RATE": str(sending.account_rate - sending.reserve_rate),
                "NWCHAT_LOG_LEVEL": self.settings.functions.log_level,
                **(environment(self.names) if self.tokens else {}),
            }
        )
