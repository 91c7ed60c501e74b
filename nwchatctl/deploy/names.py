"""Where the chat lives, and what everything of it is called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceNames:
    """The names of everything that belongs to the chat `chat`."""

    chat: str

    @property
    def prefix(self) -> str:
        """What each name begins with; the operator's policy is limited to it."""
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
        """The table of the tool's own: who is deploying, and the releases."""
        return f"{self.prefix}-deploys"

    @property
    def tables(self) -> tuple[str, ...]:
        """All of them."""
        return (self.connections, self.messages, self.deploys)

    def function(self, short: str) -> str:
        """A function, and its role: `connect` → `nwchat-ninjawars-connect`."""
        return f"{self.prefix}-{short}"

    def log_group(self, short: str) -> str:
        """The log group that Lambda writes a function's output to."""
        return f"/aws/lambda/{self.function(short)}"

    @property
    def dead_letters(self) -> str:
        """The queue of what the fanout function could not do."""
        return f"{self.prefix}-dead-letters"

    @property
    def token_keys(self) -> str:
        """The parameter with the keys that tokens are signed with."""
        return f"/{self.prefix}/token-keys"

    @property
    def access_log(self) -> str:
        """The log group that API Gateway writes the stage's access log to."""
        return f"/aws/apigateway/{self.prefix}-access"

    @property
    def tags(self) -> dict[str, str]:
        """The tags by which we know what is ours."""
        return {"nwchat:chat": self.chat, "nwchat:managed-by": "nwchatctl"}
