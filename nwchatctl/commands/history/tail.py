"""`history`: what was said."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, SinceOption, UntilOption, examples, parse_seconds, when_ms
from nwchatctl.errors import usage_error
from nwchatctl.report import Item, Line, Mark, Stream

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.chat.history_filter import MessageFilter, Span
    from nwchatctl.chat.history_tail import OutageHandling
    from nwchatctl.context import App


HELP = examples(
    ("the last 50 messages", "nwchatctl history tail"),
    ("the last 10, and then every new one", "nwchatctl history tail -n 10 -f"),
    ("what one player said today", "nwchatctl history tail --since 1d --user 128274"),
    ("only the texts", "nwchatctl history tail --json | jq -r .message"),
)

_MOST, _USUAL = 10_000, 50


def _seconds(text: str) -> float:
    return 0.0 if text.strip() == "0" else parse_seconds(text)


def tail(
    ctx: typer.Context,
    number: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--lines",
            min=0,
            max=_MOST,
            help=f"How many of the last messages: {_USUAL}, or all there are with --since.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with each new message, until Ctrl-C.")
    ] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Only this sender_id or name.")] = "",
    grep: Annotated[
        str,
        typer.Option("--grep", metavar="REGEX", help="Only those with it in their text; (?i) ignores case."),
    ] = "",
    settle: Annotated[
        float | None,
        typer.Option(
            "--settle",
            metavar="SECONDS",
            parser=_seconds,
            help="With -f: how long each message waits for those stored late, to keep the order; 2 s.",
        ),
    ] = None,
    json: JsonOption = False,
) -> Stream:
    """Show the last messages.

    Oldest first; with -f, each new one as it comes, a message once, through whatever outages there are. With
    --json, each line is a message as it travels over the socket: `date` is epoch milliseconds.
    """
    from nwchatctl.chat import history_filter

    app: App = ctx.obj
    app.require_config()
    now_ms = app.now_ms()
    if follow and until is not None:
        raise usage_error("--until ends in the past, and -f goes on into the future", "give one of them")
    span = history_filter.span(when_ms(since, now_ms), when_ms(until, now_ms))
    wanted = history_filter.MessageFilter(user, _pattern(grep))
    if follow:
        return Stream(_items(_following(app, span, wanted, number, settle)))
    messages = app.messages()
    if number is None and since is not None:
        return Stream(_items(history_filter.select(messages.oldest_first(span), wanted)))
    limit = _USUAL if number is None else number
    newest = messages.newest_first(span, None if wanted else limit + 3)
    return Stream(_items(iter(history_filter.newest(newest, wanted, limit) if limit else ())))


def _following(
    app: App, span: Span, wanted: MessageFilter, number: int | None, settle: float | None
) -> Iterator[Message]:
    from nwchatctl.chat import history_filter, history_tail

    # One query a poll: an outage is waited for here, and not in botocore as well.
    messages = app.messages(retries=False)
    held = history_tail.SETTLE_SECONDS if settle is None else settle
    tail = history_tail.Tail(messages.read, messages.last, app.now_ms, time.monotonic, held)

    def begin() -> list[Message]:
        if span.after is None:
            return tail.begin(_USUAL if number is None else number, wanted)
        if number is None:
            tail.begin_after(span.after)
            return []
        chosen = tail.begin(number, wanted)
        return [each for each in chosen if each.id > span.after]

    return history_filter.select(
        ((each,) for each in history_tail.follow(tail, begin, _patience(app))), wanted
    )


def _patience(app: App) -> OutageHandling:
    from nwchatctl.aws.core.errors import to_chat_error
    from nwchatctl.aws.core.retry import is_transient
    from nwchatctl.chat.history_tail import OutageHandling

    def lost(error: Exception) -> None:
        known = to_chat_error(error)
        app.warn(f"{known.message if known else error}; going on when it has passed")

    def back() -> None:
        app.say(Line("AWS answers again: nothing is missing", Mark.DIM))

    return OutageHandling(is_transient, lost, back, time.sleep, random.random)


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except (re.error, OverflowError, RecursionError) as error:
        raise typer.BadParameter(f"{text!r} is no regular expression: {error}") from None


def _items(messages: Iterator[Message]) -> Iterator[Item]:
    from nwchatctl.chat.history_export import fields
    from nwchatctl.timestamps import local

    for each in messages:
        said = each.uname or each.sender_id or each.type
        yield Item(fields(each), (local(each.date), said, each.message))
