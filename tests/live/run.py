"""One run: its names, its answers, its bounded waits, and what its steps share."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.live.journal import Journal
from tests.live.target import Target

PREFIX = "livecheck-"
"""Of the names of what a run makes itself. What the tool makes for it begins with `nwchat-livecheck-`."""

RUN_TAG, EXPIRES_TAG = "livecheck", "livecheck-expires"
"""Tags with the id of the run, and with the time (epoch s) after which any other run may remove it."""

EXPIRY_SECONDS = 3600

_ALPHABET = string.ascii_lowercase + string.digits


class TimeExceeded(Exception):
    """A wait, or the whole run, has taken too long."""


def new_run_id() -> str:
    """Eight random characters, the first one a letter."""
    return secrets.choice(string.ascii_lowercase) + "".join(secrets.choice(_ALPHABET) for _ in range(7))


@dataclass
class Run:
    """A run at `target`. `answers` are texts or seconds by the id of their question; `deadline` is the end of
    the whole run (s, monotonic); `home` an empty directory for the processes of the tool."""

    target: Target
    journal: Journal
    home: Path
    deadline: float
    say: Callable[[str], None]
    is_quick: bool = False
    id: str = field(default_factory=new_run_id)
    expires: int = field(default_factory=lambda: int(time.time()) + EXPIRY_SECONDS)
    answers: dict[str, str | float] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    _clients: dict[tuple[str, bool], Any] = field(default_factory=dict, repr=False)

    # Names -------------------------------------------------------------------------------------

    def name(self, thing: str) -> str:
        """The name of a resource of this run."""
        return f"{PREFIX}{self.id}-{thing}"

    def chat(self, which: str) -> str:
        """The name of one of the run's chats; its resources begin with `nwchat-` and this name."""
        return f"{PREFIX}{self.id}-{which}"

    @property
    def tags(self) -> dict[str, str]:
        return {RUN_TAG: self.id, EXPIRES_TAG: str(self.expires)}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The tags as most services want them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    # Calls -------------------------------------------------------------------------------------

    def client(self, service: str, *, retries: bool = True) -> Any:
        """An administrator's client."""
        if (service, retries) not in self._clients:
            self._clients[service, retries] = self.target.client(service, retries=retries)
        return self._clients[service, retries]

    def making(self, kind: str, name: str) -> str:
        """Notes in the journal that a resource is about to be created; its name."""
        self.journal.note(self.id, made=kind, name=name)
        return name

    def answer(self, question: str, value: str | float) -> None:
        self.answers[question] = value

    # Waits -------------------------------------------------------------------------------------

    def until(self, attempt: Callable[[], bool], *, seconds: float, every: float, what: str) -> float:
        """Repeats `attempt` until it is true; the seconds that it took. Raises TimeExceeded after `seconds`,
        or at the end of the run."""
        began = time.monotonic()
        last = min(began + seconds, self.deadline)
        said = False
        while True:
            now = time.monotonic()
            if attempt():
                return now - began
            if now >= last:
                raise TimeExceeded(f"{what} took longer than {now - began:.0f} s")
            if not said and now - began > 3:
                said = True
                self.say(f"waiting for {what}, for at most {seconds:.0f} s")
            time.sleep(min(every, max(last - now, 0.01)))


def error_code(call: Callable[[], object]) -> str:
    """The error code of a call, "" if it succeeds."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def status_of(call: Callable[[], Any]) -> str:
    """The HTTP status of a call, as text. A response of @connections may carry no error code, so that only
    the status is certain."""
    try:
        done = call()
    except ClientError as error:
        return str(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return str(done["ResponseMetadata"]["HTTPStatusCode"])


def refused(call: Callable[[], object], *codes: str) -> str:
    """`refused` if the call ends in one of `codes`, `accepted` if it succeeds, otherwise the error's code."""
    code = error_code(call)
    if not code:
        return "accepted"
    return "refused" if code in codes else code
