"""The functions' settings, as `deploy` writes them into their environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nwchat.model.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class FanOut:
    """A room of more than `threshold` connections is large, and cut into segments of about `segment_size`.

    `function` takes them, a name with its alias; "" where there is none, and no room is large. `rate` is
    posts a second that one message to all may make, of all segments together.
    """

    function: str = ""
    threshold: int = 250
    segment_size: int = 25_000
    rate: int = 8_000


@dataclass(frozen=True, slots=True)
class Config:
    """The functions' settings, as `deploy` puts them into their environment."""

    connections_table: str
    messages_table: str
    endpoint: str = ""
    retention_days: int = 90
    echo_to_sender: bool = True
    allowed_origins: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    log_level: str = "INFO"
    fan_out: FanOut = field(default_factory=FanOut)
    tokens: bool = False
    """Whether a token says who somebody is, and nobody without one is heard."""
    key_parameter: str = ""
    """The parameter with the keys that tokens are signed with."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Config:
        """KeyError for a missing table name, ValueError for a number that isn't one: deploy sets them all."""
        default_limits, default_fan_out = Limits(), FanOut()
        origins = (origin.strip().rstrip("/") for origin in env.get("NWCHAT_ALLOWED_ORIGINS", "").split(","))
        return cls(
            connections_table=env["NWCHAT_CONNECTIONS_TABLE"],
            messages_table=env["NWCHAT_MESSAGES_TABLE"],
            endpoint=env.get("NWCHAT_ENDPOINT", ""),
            retention_days=int(env.get("NWCHAT_RETENTION_DAYS", "90")),
            echo_to_sender=env.get("NWCHAT_ECHO_TO_SENDER", "true").lower() != "false",
            allowed_origins=frozenset(origin.lower() for origin in origins if origin),
            limits=Limits(
                max_message_chars=int(env.get("NWCHAT_MAX_MESSAGE_CHARS", default_limits.max_message_chars)),
                max_uname_chars=int(env.get("NWCHAT_MAX_UNAME_CHARS", default_limits.max_uname_chars)),
                rate_messages=int(env.get("NWCHAT_RATE_MESSAGES", default_limits.rate_messages)),
                rate_seconds=int(env.get("NWCHAT_RATE_SECONDS", default_limits.rate_seconds)),
            ),
            log_level=env.get("NWCHAT_LOG_LEVEL", "INFO"),
            fan_out=FanOut(
                function=env.get("NWCHAT_FANOUT_FUNCTION", ""),
                threshold=int(env.get("NWCHAT_FANOUT_THRESHOLD", default_fan_out.threshold)),
                segment_size=int(env.get("NWCHAT_FANOUT_SEGMENT_SIZE", default_fan_out.segment_size)),
                rate=int(env.get("NWCHAT_SENDING_RATE", default_fan_out.rate)),
            ),
            tokens=env.get("NWCHAT_AUTH_MODE", "open") == "token",
            key_parameter=env.get("NWCHAT_AUTH_PARAMETER", ""),
        )
