"""The outcomes of a request about one connection."""

from __future__ import annotations

from typing import TypeAlias

from nwchat.values import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """API Gateway accepted the frame, or closed the connection as requested.

    `retries` counts the attempts after the first, here and in the other outcomes.
    """

    retries: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """The connection is open; `about` is API Gateway's description, a JSON text."""

    about: bytes = b""
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection is closed."""

    retries: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The request was refused permanently, so it is not retried."""

    status: int
    reason: str
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Throttled:
    """The request was throttled until attempts or time ran out."""

    reason: str
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """The request failed with transient errors until attempts or time ran out."""

    reason: str
    retries: int = 0


@dataclass(frozen=True, slots=True)
class BufferFull:
    """The connection does not accept the frame, because its client does not read what was sent before.

    See `nwchat.delivery.slow_readers`.
    """

    reason: str
    retries: int = 0


Outcome: TypeAlias = Delivered | Open | Gone | Refused | Throttled | Failed | BufferFull


@dataclass(frozen=True, slots=True)
class RetryableResponse:
    """A response that calls for another attempt.

    `throttled`: the service asks for fewer requests; with `or_buffer_full`, the client's buffer may be full
    instead, because the response is the same. `renew`: the credentials have expired.
    """

    reason: str
    throttled: bool = False
    renew: bool = False
    or_buffer_full: bool = False
