"""One run of a transport, and what it said of whom."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nwchat.delivery.asyncio_transport import Transport
from nwchat.delivery.outcome import Outcome
from nwchat.delivery.scheduler import RequestScheduler
from nwchat.delivery.signing import Credentials
from nwchat.delivery.targets import ConnectionPosts
from nwchat.model.rows import Recipient


class MakeTransport(Protocol):
    def __call__(self, *, ca: Path | None = None, proxy: str = "") -> Transport: ...


@dataclass
class Sent:
    scheduler: RequestScheduler[Recipient]
    said: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def kinds(self) -> Counter[type[Outcome]]:
        return Counter(type(each) for each in self.said.values())


class Names:
    """A source of these ids, in pages."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: list[str] | None = list(names)

    def next(self) -> Sequence[Recipient] | None:
        names, self._names = self._names, None
        return None if names is None else [Recipient(name) for name in names]


def send(
    transport: Transport,
    url: str,
    names: Iterable[str],
    *,
    method: Any = "POST",
    body: bytes = b"hi",
    credentials: Callable[[], Credentials] = lambda: Credentials("AK", "secret"),
    stopped: Callable[[], str] | None = None,
    source: Any = None,
    settle: Callable[[str], None] = lambda name: None,
    **options: Any,
) -> Sent:
    """Runs it to its end. Retries wait for next to nothing."""
    target = ConnectionPosts(method, url, "us-east-2", credentials, body if method == "POST" else b"")

    def note(recipient: Recipient, outcome: Outcome) -> None:
        name = recipient.connection_id
        assert name not in sent.said, "told twice"
        sent.said[name] = outcome
        settle(name)

    options = {"jitter": lambda: 0.05, **options}
    sent = Sent(RequestScheduler(source or Names(names), target, note, **options))
    began, cpu = time.monotonic(), time.process_time()
    transport.run(sent.scheduler, stopped)
    sent.seconds, sent.cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    return sent
