"""What to do about a failed step of the smoke test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nwchatctl.chat.smoke_test import Step

_HINTS: tuple[tuple[str, str, str], ...] = (
    (
        "connect",
        "HTTP 403",
        "`{status}` shows what differs; `{bans}` shows whether this machine's address is banned",
    ),
    ("connect", "HTTP 429", "the stage or the address has too many connections; run the command again later"),
    ("connect", "HTTP 5", "`{connect}` shows what the function raises; `{status}` shows what differs"),
    (
        "",
        "Internal server error",
        "`{message}` shows what the function raises; `{status}` what differs",
    ),
    ("health", "", "`{history}` shows what the function returns; `{status}` shows what differs"),
    ("messages", "", "`{history}` shows what the function returns; `{status}` shows what differs"),
)
"""By step and by a part of its detail, "" for any: the first that matches counts."""

_OTHERWISE = "`{status}` shows what differs from the configuration"


def failure_hint(step: Step, command: Callable[..., str]) -> str:
    """The hint for a failed step; `command` makes a command line about the same chat."""
    found = (hint for name, part, hint in _HINTS if name in ("", step.name) and part in step.detail)
    functions = {name: command("invoke", name) for name in ("connect", "message", "history")}
    return next(found, _OTHERWISE).format(status=command("status"), bans=command("ban", "list"), **functions)
