"""What API Gateway says of connections. Pure but for the transport."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from nwchat.courier import Courier
from nwchat.outcome import Gone, Open, Outcome
from nwchat.pace import Pace
from nwchat.post import Listed
from nwchat.rows import Connection, Recipient
from nwchatctl.chat.moments import MS_FROM, iso_ms

if TYPE_CHECKING:
    from nwchat.dialing import Transport
    from nwchat.targets import Connections

CHUNK = 1_000
"""Connections that are asked about together, and held meanwhile."""


@dataclass(frozen=True, slots=True)
class About:
    """What API Gateway knows of an open connection; times are epoch ms."""

    connected_at: int | None = None
    last_active_at: int | None = None
    source_ip: str = ""
    user_agent: str = ""


def ask(transport: Transport, asked: Connections, ids: Iterable[str], pace: Pace) -> dict[str, Outcome]:
    """What became of each question. Raises what the credentials do."""
    outcomes: dict[str, Outcome] = {}

    def settle(recipient: Recipient, outcome: Outcome) -> None:
        outcomes[recipient.connection_id] = outcome

    courier = Courier(Listed([Recipient(each) for each in ids]), asked, settle, pace=pace)
    transport.run(courier)
    if courier.error is not None:
        raise courier.error
    return outcomes


def verified(outcome: Outcome | None) -> bool | None:
    """Whether the connection is open; None where that is not known."""
    if isinstance(outcome, Open):
        return True
    return False if isinstance(outcome, Gone) else None


def verify(
    transport: Transport, asked: Connections, found: Iterable[Connection], pace: Pace
) -> Iterator[tuple[Connection, bool | None]]:
    """Each of `found`, in their order, and whether it is open."""
    rest = iter(found)
    while chunk := list(islice(rest, CHUNK)):
        outcomes = ask(transport, asked, (each.connection_id for each in chunk), pace)
        for each in chunk:
            yield each, verified(outcomes.get(each.connection_id))


def about(answer: bytes) -> About:
    """What an answer to GET says. AWS writes `connectedAt`, in ISO 8601; emulators write what they like."""
    try:
        fields = _lower(json.loads(answer or b"{}"))
    except (ValueError, RecursionError):
        return About()
    identity = _lower(fields.get("identity"))
    return About(
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
        return round(value if value >= MS_FROM else value * 1000)
    return iso_ms(value) if isinstance(value, str) else None
