"""`history tail`: show the last messages, and follow the new ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, SinceOption, UntilOption, examples, parse_seconds, when_ms
from nwchatctl.errors import usage_error
from nwchatctl.report import Item, Stream
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.operations.history_tail import Shown

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
    from nwchatctl.operations.history_tail import follow_messages, recent_messages

    app: App = ctx.obj
    app.require_config()
    now_ms = app.now_ms()
    if follow and until is not None:
        raise usage_error("--until ends in the past, and -f goes on into the future", "give one of them")
    since_ms, until_ms = when_ms(since, now_ms), when_ms(until, now_ms)
    pattern = _pattern(grep)
    if follow:
        return Stream(_items(follow_messages(app, since_ms, user, pattern, number, settle)))
    return Stream(_items(recent_messages(app, since_ms, until_ms, user, pattern, number)))


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except (re.error, OverflowError, RecursionError) as error:
        raise typer.BadParameter(f"{text!r} is no regular expression: {error}") from None


def _items(messages: Iterator[Shown]) -> Iterator[Item]:
    for each, data in messages:
        sender = each.uname or each.sender_id or each.type
        yield Item(data, (local(each.date), sender, each.message))
