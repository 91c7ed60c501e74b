"""What became of one frame on its way to one connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Delivered:
    """API Gateway took it. `retries` are the further attempts that it needed, as in the others."""

    retries: int = 0


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such connection any more."""

    retries: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """API Gateway will never take it: trying again is useless."""

    status: int
    reason: str
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """It might have been taken another time, but attempts or time ran out."""

    reason: str
    retries: int = 0


Outcome: TypeAlias = Delivered | Gone | Refused | Failed
