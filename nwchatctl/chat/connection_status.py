"""The status of connections at API Gateway. Pure except for the transport."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from nwchat.delivery.outcome import Gone, Open, Outcome
from nwchat.delivery.poster import ListSource
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.scheduler import RequestScheduler
from nwchat.model.rows import Connection, Recipient
from nwchatctl.timestamps import iso_to_ms, to_ms

if TYPE_CHECKING:
    from nwchat.delivery.socket_transport import Transport
    from nwchat.delivery.targets import ConnectionRequests

CHUNK_SIZE = 1_000
"""Connections that are checked together, and held in memory."""


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """API Gateway's data about an open connection; times are epoch ms."""

    connected_at: int | None = None
    last_active_at: int | None = None
    source_ip: str = ""
    user_agent: str = ""


def fetch_outcomes(
    transport: Transport, requests: ConnectionRequests, ids: Iterable[str], rate_limiter: RateLimiter
) -> dict[str, Outcome]:
    """The outcome of a request for each id. Raises errors of the credentials."""
    outcomes: dict[str, Outcome] = {}

    def settle(recipient: Recipient, outcome: Outcome) -> None:
        outcomes[recipient.connection_id] = outcome

    scheduler = RequestScheduler(
        ListSource([Recipient(each) for each in ids]), requests, settle, rate_limiter=rate_limiter
    )
    transport.run(scheduler)
    if scheduler.error is not None:
        raise scheduler.error
    return outcomes


def is_open(outcome: Outcome | None) -> bool | None:
    """Whether the connection is open; None if unknown."""
    if isinstance(outcome, Open):
        return True
    return False if isinstance(outcome, Gone) else None


def verify(
    transport: Transport, requests: ConnectionRequests, found: Iterable[Connection], rate_limiter: RateLimiter
) -> Iterator[tuple[Connection, bool | None]]:
    """Each of `found`, in order, with whether it is open (None if unknown)."""
    rest = iter(found)
    while chunk := list(islice(rest, CHUNK_SIZE)):
        outcomes = fetch_outcomes(transport, requests, (each.connection_id for each in chunk), rate_limiter)
        for each in chunk:
            yield each, is_open(outcomes.get(each.connection_id))


def parse_info(body: bytes) -> ConnectionInfo:
    """The data in a response to GET. AWS writes `connectedAt`, in ISO 8601; emulators use other spellings."""
    try:
        fields = _lower(json.loads(body or b"{}"))
    except (ValueError, RecursionError):
        return ConnectionInfo()
    identity = _lower(fields.get("identity"))
    return ConnectionInfo(
        connected_at=_moment(fields.get("connectedat")),
        last_active_at=_moment(fields.get("lastactiveat")),
        source_ip=str(identity.get("sourceip") or ""),
        user_agent=str(identity.get("useragent") or ""),
    )


def _lower(fields: object) -> Mapping[str, object]:
    if not isinstance(fields, Mapping):
        return {}
    return {str(name).lower(): value for name, value in fields.items()}


def _moment(value: object) -> int | None:
    """Epoch ms of a time in ISO 8601 (UTC unless it says otherwise), or in epoch seconds or ms."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return to_ms(value)
    return iso_to_ms(value) if isinstance(value, str) else None
