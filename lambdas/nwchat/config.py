"""The settings of the Lambda functions, read from the environment that `deploy` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchat.model.limits import Limits
from nwchat.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class FanOut:
    """Settings for large rooms: rooms with more than `threshold` connections.

    A large room is split into segments of about `segment_size` connections. `function` is the fan-out
    function as name and alias; "" disables large rooms. `rate` is the total rate of one message to a room of
    any size, in posts a second over all segments.
    """

    function: str = ""
    threshold: int = 250
    segment_size: int = 25_000
    rate: int = 8_000


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of the Lambda functions."""

    connections_table: str
    """"" in a function that uses no table."""
    messages_table: str
    endpoint: str = ""
    retention_days: int = 90
    echo_to_sender: bool = True
    allowed_origins: frozenset[str] = frozenset()
    limits: Limits = Limits()
    log_level: str = "INFO"
    fan_out: FanOut = FanOut()
    tokens: bool = False
    """Whether clients must authenticate with a token, which also determines their identity."""
    reserved_names: tuple[str, ...] = ("operator",)
    """Names that players without a token cannot have, nor names that look like them."""
    key_parameter: str = ""
    """Name of the SSM parameter with the signing keys of tokens."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Config:
        """Read the settings from `env`.

        Raises ValueError for an invalid number. `deploy` sets those variables that a function uses.
        """
        default_limits, default_fan_out = Limits(), FanOut()
        reserved = (name.strip() for name in env.get("NWCHAT_RESERVED_NAMES", "operator").split(","))
        origins = (origin.strip().rstrip("/") for origin in env.get("NWCHAT_ALLOWED_ORIGINS", "").split(","))
        return cls(
            connections_table=env.get("NWCHAT_CONNECTIONS_TABLE", ""),
            messages_table=env.get("NWCHAT_MESSAGES_TABLE", ""),
            endpoint=env.get("NWCHAT_ENDPOINT", ""),
            retention_days=int(env.get("NWCHAT_RETENTION_DAYS", "90")),
            echo_to_sender=env.get("NWCHAT_ECHO_TO_SENDER", "true").lower() != "false",
            allowed_origins=frozenset(origin.lower() for origin in origins if origin),
            limits=Limits(
                max_message_chars=int(env.get("NWCHAT_MAX_MESSAGE_CHARS", default_limits.max_message_chars)),
                max_uname_chars=int(env.get("NWCHAT_MAX_UNAME_CHARS", default_limits.max_uname_chars)),
                rate_messages=int(env.get("NWCHAT_RATE_MESSAGES", default_limits.rate_messages)),
                rate_seconds=int(env.get("NWCHAT_RATE_SECONDS", default_limits.rate_seconds)),
                sender_messages=int(env.get("NWCHAT_SENDER_MESSAGES", default_limits.sender_messages)),
                address_connections=int(
                    env.get("NWCHAT_ADDRESS_CONNECTIONS", default_limits.address_connections)
                ),
            ),
            log_level=env.get("NWCHAT_LOG_LEVEL", "INFO"),
            fan_out=FanOut(
                function=env.get("NWCHAT_FANOUT_FUNCTION", ""),
                threshold=int(env.get("NWCHAT_FANOUT_THRESHOLD", default_fan_out.threshold)),
                segment_size=int(env.get("NWCHAT_FANOUT_SEGMENT_SIZE", default_fan_out.segment_size)),
                rate=int(env.get("NWCHAT_SENDING_RATE", default_fan_out.rate)),
            ),
            tokens=env.get("NWCHAT_AUTH_MODE", "open") == "token",
            reserved_names=tuple(name for name in reserved if name),
            key_parameter=env.get("NWCHAT_AUTH_PARAMETER", ""),
        )
