"""What became of one request about one connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Delivered:
    """API Gateway took the frame, or closed the connection as it was asked to. `retries` are the further
    attempts that it needed, as in the others."""

    retries: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """The connection is there; `about` is what API Gateway says of it, a JSON text."""

    about: bytes = b""
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such connection any more."""

    retries: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never be taken: trying again is useless."""

    status: int
    reason: str
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Throttled:
    """It was asked to wait until attempts or time ran out."""

    reason: str
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """It might have been taken another time, but attempts or time ran out."""

    reason: str
    retries: int = 0


Outcome: TypeAlias = Delivered | Open | Gone | Refused | Throttled | Failed


@dataclass(frozen=True, slots=True)
class RetryableResponse:
    """An answer that is no outcome: worth another attempt. `throttled` when it asks for fewer requests,
    `renew` when the credentials are no longer taken."""

    reason: str
    throttled: bool = False
    renew: bool = False
