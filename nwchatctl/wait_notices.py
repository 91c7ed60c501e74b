"""Tells the operator when a command waits for AWS, and when AWS answers again.

Whatever calls AWS reports its calls here: boto3's clients (`nwchatctl.aws.core.session`), repeated calls
(`nwchatctl.aws.core.retry`) and libcurl's requests (`nwchatctl.net.curl_transport`). A call that has neither
succeeded nor ended after NOTICE_SECONDS is announced. Calls that wait at the same time are one wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NOTICE_SECONDS, NOTICE_INTERVAL = 3.0, 60.0
"""A wait is announced after the first, and again after each of the second."""

_CHECK_SECONDS = 0.2


@dataclass
class _Call:
    """A call that was begun at `since` (monotonic seconds). `what` is its name, "" for several calls in a
    row; `reason` is why its last attempt failed, "" while none has."""

    what: str
    since: float
    reason: str = ""

    def notice(self, now: float) -> str:
        if self.reason:
            return f"{self.reason}; waiting until this has passed"
        return f"AWS has not answered {self.what} for {now - self.since:.0f} s; waiting"


class WaitNotices:
    """The calls of one command, by any hashable key; `say` gets each notice. A thread, which the first call
    starts, announces what is late; unless `watched`, only a failed attempt does. Safe to share between
    threads."""

    def __init__(self, say: Callable[[str], None], *, watched: bool = True) -> None:
        self._say = say
        self._is_watched = not watched
        self._lock = threading.Lock()
        self._saying = threading.Lock()
        """Held from the decision to announce a wait until that is said, so that its end is said after it."""
        self._calls: dict[Hashable, _Call] = {}
        self._announced_at: float | None = None
        self._is_busy = threading.Event()
        """Set while there is a call."""
        self._is_closed = False

    def began(self, key: Hashable, what: str, since: float | None = None) -> None:
        """A call was sent, `since` when it was not just now."""
        with self._lock:
            self._calls.setdefault(key, _Call(what, time.monotonic() if since is None else since))
            self._is_busy.set()
            starts, self._is_watched = not self._is_watched, True
        if starts:
            threading.Thread(target=self._watch, name="wait notices", daemon=True).start()

    def failed(self, key: Hashable, what: str, reason: str, since: float | None = None) -> None:
        """An attempt failed, and the call is repeated."""
        self.began(key, what, since)
        with self._lock:
            if (call := self._calls.get(key)) is not None:
                call.what, call.reason = what or call.what, reason
        self._check()

    def ended(self, key: Hashable, *, answered: bool) -> None:
        """The call has ended: it was `answered`, or its error is raised."""
        with self._lock:
            ended = self._calls.pop(key, None)
            if not self._calls:
                self._is_busy.clear()
            if ended is None or self._announced_at is None or self._late(time.monotonic()):
                return
            self._announced_at = None
        if answered:
            with self._saying:
                self._say("AWS answers again")

    def _check(self) -> None:
        with self._saying:
            if text := self._due_notice(time.monotonic()):
                self._say(text)

    def _due_notice(self, now: float) -> str:
        with self._lock:
            late = self._late(now)
            is_due = self._announced_at is None or now - self._announced_at >= NOTICE_INTERVAL
            if not late or not is_due:
                return ""
            self._announced_at = now
            # A reason says more than a name.
            return max(late, key=lambda call: bool(call.reason)).notice(now)

    def close(self) -> None:
        """Announces nothing more."""
        self._is_closed = True
        self._is_busy.set()

    def _watch(self) -> None:
        while self._is_busy.wait() and not self._is_closed:
            self._check()
            time.sleep(_CHECK_SECONDS)

    def _late(self, now: float) -> list[_Call]:
        named = (call for call in self._calls.values() if call.what or call.reason)
        return [call for call in named if now - call.since >= NOTICE_SECONDS]


_active: list[WaitNotices] = []
"""Of the command that runs; the last one counts."""


@contextmanager
def announced(say: Callable[[str], None], *, watched: bool = True) -> Iterator[None]:
    """Within the block, `say` gets the notices about the calls of all threads, as WaitNotices has them."""
    notices = WaitNotices(say, watched=watched)
    _active.append(notices)
    try:
        yield
    finally:
        _active.remove(notices)
        notices.close()


def began(key: Hashable, what: str, since: float | None = None) -> None:
    """As WaitNotices.began, for the command that runs."""
    for each in _active[-1:]:
        each.began(key, what, since)


def failed(key: Hashable, what: str, reason: str, since: float | None = None) -> None:
    """As WaitNotices.failed, for the command that runs."""
    for each in _active[-1:]:
        each.failed(key, what, reason, since)


def ended(key: Hashable, *, answered: bool) -> None:
    """As WaitNotices.ended, for the command that runs."""
    for each in _active[-1:]:
        each.ended(key, answered=answered)
