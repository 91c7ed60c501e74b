"""One run of a transport, and the outcome of each recipient."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nwchat.aws.signing import Credentials
from nwchat.delivery.outcome import Outcome
from nwchat.delivery.scheduler import RequestScheduler
from nwchat.delivery.socket_transport import Transport
from nwchat.delivery.targets import ConnectionRequests
from nwchat.model.rows import Recipient

SOON = 20.0
"""Seconds. What waits for nothing ends sooner, however busy the machine is."""


class MakeTransport(Protocol):
    def __call__(self, *, ca: Path | None = None, proxy: str = "") -> Transport: ...


@dataclass
class Sent:
    scheduler: RequestScheduler[Recipient]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def kinds(self) -> Counter[type[Outcome]]:
        return Counter(type(each) for each in self.outcomes.values())


class IdSource:
    """A source of these ids, in pages."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids: list[str] | None = list(ids)

    def next(self) -> Sequence[Recipient] | None:
        ids, self._ids = self._ids, None
        return None if ids is None else [Recipient(name) for name in ids]


def send(
    transport: Transport,
    url: str,
    ids: Iterable[str],
    *,
    method: Any = "POST",
    body: bytes = b"hi",
    credentials: Callable[[], Credentials] = lambda: Credentials("AK", "secret"),
    stop_reason: Callable[[], str] | None = None,
    source: Any = None,
    settle: Callable[[str], None] = lambda name: None,
    **options: Any,
) -> Sent:
    """Runs it to its end. Retries wait for next to nothing."""
    target = ConnectionRequests(method, url, "us-east-2", credentials, body if method == "POST" else b"")

    def note(recipient: Recipient, outcome: Outcome) -> None:
        name = recipient.connection_id
        assert name not in sent.outcomes, "told twice"
        sent.outcomes[name] = outcome
        settle(name)

    options = {"jitter": lambda: 0.05, **options}
    sent = Sent(RequestScheduler(source or IdSource(ids), target, note, **options))
    began, cpu = time.monotonic(), time.process_time()
    transport.run(sent.scheduler, stop_reason)
    sent.seconds, sent.cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    return sent
