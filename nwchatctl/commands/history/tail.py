"""`history tail`: show the last messages, and follow the new ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import (
    JsonOption,
    SinceOption,
    UntilOption,
    completes,
    examples,
    parse_seconds,
    when_ms,
)
from nwchatctl.errors import usage_error
from nwchatctl.report import Item, Stream
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.context import App
    from nwchatctl.operations.history_tail import Shown

HELP = examples(
    ("the last 50 messages", "nwchatctl history tail"),
    ("the last 10, and then every new one", "nwchatctl history tail -n 10 -f"),
    ("what one player said today", "nwchatctl history tail --since 1d --user 128274"),
    ("with what `history delete` and `ban` want", "nwchatctl -v history tail"),
    ("only the texts", "nwchatctl history tail --columns message"),
)

_MOST, _USUAL = 10_000, 50

_COLUMNS = ("date", "id", "type", "sender_id", "uname", "message")
_DEFAULT_COLUMNS = ("date", "uname", "message")
_VERBOSE_COLUMNS = ("date", "id", "sender_id", "uname", "message")

ANNOUNCED = "*"
"""Stands before the name of the sender of an announcement; a player's own star has a backslash before it."""


def _seconds(text: str) -> float:
    return 0.0 if text.strip() == "0" else parse_seconds(text)


def _parse_columns(text: str) -> tuple[str, ...]:
    names = tuple(each.strip() for each in text.split(","))
    if unknown := [each for each in names if each not in _COLUMNS]:
        raise typer.BadParameter(
            f"no column {unknown[0]!r}; there are {', '.join(_COLUMNS)}", param_hint="'--columns'"
        )
    return names


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
    columns: Annotated[
        str,
        typer.Option(
            "--columns",
            metavar="NAMES",
            help=f"Which ones, in order, of {','.join(_COLUMNS)}; {','.join(_DEFAULT_COLUMNS)}.",
            autocompletion=completes(__name__, "_COLUMNS"),
        ),
    ] = "",
    json: JsonOption = False,
) -> Stream:
    """Show the last messages.

    Oldest first; with -f, each new one as it comes, a message once, through whatever outages there are. -v
    before the command shows ids and senders too. A star before a name marks an announcement. With --json,
    each line is a message as it travels over the socket: `date` is epoch milliseconds.
    """
    from nwchatctl.operations.history_tail import follow_messages, recent_messages

    app: App = ctx.obj
    app.require_config()
    now_ms = app.now_ms()
    if follow and until is not None:
        raise usage_error("--until ends in the past, and -f goes on into the future", "give one of them")
    since_ms, until_ms = when_ms(since, now_ms), when_ms(until, now_ms)
    pattern = _pattern(grep)
    usual = _VERBOSE_COLUMNS if app.options.verbose else _DEFAULT_COLUMNS
    shown = _parse_columns(columns) if columns else usual
    if follow:
        followed = follow_messages(app, since_ms, user, pattern, number, settle)
        return Stream(_items(followed, shown), endless=True)
    return Stream(_items(recent_messages(app, since_ms, until_ms, user, pattern, number), shown))


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except (re.error, OverflowError, RecursionError) as error:
        raise typer.BadParameter(
            f"{text!r} is no regular expression: {error}", param_hint="'--grep'"
        ) from None


def _items(messages: Iterator[Shown], columns: tuple[str, ...]) -> Iterator[Item]:
    for each, data in messages:
        cells = {
            "date": local(each.date),
            "id": each.id,
            "type": each.type,
            "sender_id": each.sender_id or "-",
            "uname": name_cell(each, others="sender_id" in columns),
            "message": each.message,
        }
        yield Item(data, tuple(cells[column] for column in columns))


def name_cell(message: Message, *, others: bool = False) -> str:
    """Who said it, with a mark that no player can set for an announcement. Who has no name is shown by
    sender_id, unless that is among the `others`."""
    name = message.uname or ("" if others else message.sender_id)
    if message.type == "announcement":
        return f"{ANNOUNCED}{name or '-'}"
    return f"\\{name}" if name.startswith(ANNOUNCED) else name or "-"
