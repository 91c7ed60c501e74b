"""Reads the last messages, and follows the new ones."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from nwchatctl.aws.core.errors import to_chat_error
from nwchatctl.aws.core.retry import is_transient
from nwchatctl.chat.history_export import fields
from nwchatctl.chat.history_filter import MessageFilter, Span, newest, select, span
from nwchatctl.chat.history_tail import SETTLE_SECONDS, OutageHandling, Tail, follow
from nwchatctl.operations.bans import exact_ids
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from nwchat.model.wire import Message
    from nwchatctl.context import App

DEFAULT_NUMBER = 50
"""How many messages are shown, unless a number or a time is given; the help of `history tail` says it too."""

Shown = tuple["Message", dict[str, object]]
"""A message, and the same as an object for `--json`."""


def recent_messages(
    app: App,
    since_ms: int | None,
    until_ms: int | None,
    user: str,
    grep: re.Pattern[str] | None,
    number: int | None,
) -> Iterator[Shown]:
    """The last `number` messages that are meant, oldest first; for None all from `since_ms` on, or
    DEFAULT_NUMBER where that is None too."""
    chosen, wanted, messages = (
        span(since_ms, until_ms),
        MessageFilter(user, grep, exact_ids(app)),
        app.messages(),
    )
    if number is None and since_ms is not None:
        return _shown(select(messages.oldest_first(chosen), wanted))
    limit = DEFAULT_NUMBER if number is None else number
    pages = messages.newest_first(chosen, None if wanted else limit + 3)
    return _shown(iter(newest(pages, wanted, limit) if limit else ()))


def follow_messages(
    app: App,
    since_ms: int | None,
    user: str,
    grep: re.Pattern[str] | None,
    number: int | None,
    settle_seconds: float | None,
) -> Iterator[Shown]:
    """The same, and then each new message; each waits `settle_seconds` for those that are stored late."""
    chosen, wanted = span(since_ms, None), MessageFilter(user, grep, exact_ids(app))
    # One query a poll: an outage is waited for here, and not in botocore as well.
    messages = app.messages(retries=False)
    settle = SETTLE_SECONDS if settle_seconds is None else settle_seconds
    tail = Tail(messages.read, messages.last, app.now_ms, time.monotonic, settle)
    followed = follow(tail, lambda: _begin(tail, chosen, wanted, number), _outage_handling(app))
    return _shown(select(((each,) for each in followed), wanted))


def _begin(tail: Tail, chosen: Span, wanted: MessageFilter, number: int | None) -> list[Message]:
    """The messages that are shown before the new ones."""
    if chosen.after is None:
        return tail.begin(DEFAULT_NUMBER if number is None else number, wanted)
    if number is None:
        tail.begin_after(chosen.after)
        return []
    return [each for each in tail.begin(number, wanted) if each.id > chosen.after]


def _outage_handling(app: App) -> OutageHandling:
    def lost(error: Exception) -> None:
        known = to_chat_error(error)
        app.warn(f"{known.message if known else error}; waiting until this has passed")

    def back() -> None:
        app.say(Line("AWS answers again: nothing is missing", Mark.DIM))

    return OutageHandling(is_transient, lost, back, app.streams.wait, random.random)


def _shown(messages: Iterator[Message]) -> Iterator[Shown]:
    return ((each, fields(each)) for each in messages)
