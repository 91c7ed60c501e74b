"""The names of a chat's resources on AWS."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

CHAT_TAG = "nwchat:chat"
"""The tag with the name of the chat that a resource belongs to."""

MANAGED_TAG = ("nwchat:managed-by", "nwchatctl")
"""Key and value of the tag of everything that the tool creates."""

REGION_TAG = "nwchat:region"
"""The tag of a role with the Region of its chat: IAM is one for all Regions of an account."""

_ROLE_CHARS = 64
"""The longest name of a role (IAM quotas)."""


@dataclass(frozen=True, slots=True)
class ResourceNames:
    """The names of all resources of the chat `chat`."""

    chat: str

    @property
    def prefix(self) -> str:
        """The prefix of all names; the operator's policy is limited to it."""
        return f"nwchat-{self.chat}"

    @property
    def api(self) -> str:
        """The WebSocket API's name."""
        return self.prefix

    @property
    def history(self) -> str:
        """The history API's name."""
        return f"{self.prefix}-history"

    @property
    def connections(self) -> str:
        """The table of connections."""
        return f"{self.prefix}-connections"

    @property
    def messages(self) -> str:
        """The table of messages."""
        return f"{self.prefix}-messages"

    @property
    def deploys(self) -> str:
        """The tool's own table: the deploy lock, and the releases."""
        return f"{self.prefix}-deploys"

    @property
    def tables(self) -> tuple[str, ...]:
        """All tables."""
        return (self.connections, self.messages, self.deploys)

    def function(self, short: str) -> str:
        """The name of a function: `connect` → `nwchat-ninjawars-connect`."""
        return f"{self.prefix}-{short}"

    def role(self, short: str, region: str) -> str:
        """The name of a function's role in `region`: `connect` → `nwchat-ninjawars-connect-us-east-2`."""
        name = f"{self.function(short)}-{region}"
        if len(name) <= _ROLE_CHARS:
            return name
        # No Region of AWS has a name of this length.
        return f"{self.function(short)}-{hashlib.sha256(region.encode()).hexdigest()[:8]}"

    def role_without_region(self, short: str) -> str:
        """The name that the role had in earlier versions of the tool: the function's."""
        return self.function(short)

    def log_group(self, short: str) -> str:
        """The log group that Lambda writes a function's output to."""
        return f"/aws/lambda/{self.function(short)}"

    @property
    def dead_letters(self) -> str:
        """The queue for failed events of the fanout function."""
        return f"{self.prefix}-dead-letters"

    @property
    def token_keys(self) -> str:
        """The parameter with the token signing keys."""
        return f"/{self.prefix}/token-keys"

    @property
    def access_log(self) -> str:
        """The log group that API Gateway writes the stage's access log to."""
        return f"/aws/apigateway/{self.prefix}-access"

    @property
    def tags(self) -> dict[str, str]:
        """The tags that mark a resource as the chat's."""
        return {CHAT_TAG: self.chat, **dict([MANAGED_TAG])}
