"""`history`: what was said."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands import _history_export, _history_import, _history_trim
from nwchatctl.commands.options import JsonOption, SinceOption, UntilOption, examples, moment, parse_seconds
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Item, Line, Mark, Stream

if TYPE_CHECKING:
    from nwchat.wire import Message
    from nwchatctl.chat.picking import Span, Wanted
    from nwchatctl.chat.tailing import Patience
    from nwchatctl.context import App

app = typer.Typer(
    help="Read, keep, bring back and delete what was said.",
    epilog=examples(
        ("the last messages", "nwchatctl history tail"),
        ("every new one, as it comes", "nwchatctl history tail -n 0 -f"),
        ("all of them, as a file", "nwchatctl history export chat.jsonl"),
    ),
)

TAIL_HELP = examples(
    ("the last 50 messages", "nwchatctl history tail"),
    ("the last 10, and then every new one", "nwchatctl history tail -n 10 -f"),
    ("what one player said today", "nwchatctl history tail --since 1d --user 128274"),
    ("only the texts", "nwchatctl history tail --json | jq -r .message"),
)

_MOST, _USUAL = 10_000, 50


def _seconds(text: str) -> float:
    return 0.0 if text.strip() == "0" else parse_seconds(text)


@app.command("tail", epilog=TAIL_HELP)
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
    from nwchatctl.chat import picking

    context: App = ctx.obj
    context.require_config()
    now_ms = context.now_ms()
    if follow and until is not None:
        raise ChatError(
            "--until ends in the past, and -f goes on into the future",
            hint="give one of them",
            code="usage",
            exit_code=Exit.USAGE,
        )
    span = picking.span(moment(since, now_ms), moment(until, now_ms))
    wanted = picking.Wanted(user, _pattern(grep))
    if follow:
        return Stream(_items(_following(context, span, wanted, number, settle)))
    messages = context.messages()
    if number is None and since is not None:
        return Stream(_items(picking.pick(messages.oldest_first(span), wanted)))
    limit = _USUAL if number is None else number
    newest = messages.newest_first(span, None if wanted else limit + 3)
    return Stream(_items(iter(picking.last(newest, wanted, limit) if limit else ())))


def _following(
    app: App, span: Span, wanted: Wanted, number: int | None, settle: float | None
) -> Iterator[Message]:
    from nwchatctl.chat import picking, tailing

    # One query a poll: an outage is waited for here, and not in botocore as well.
    messages = app.messages(retries=False)
    held = tailing.SETTLE_SECONDS if settle is None else settle
    tail = tailing.Tail(messages.read, messages.last, app.now_ms, time.monotonic, held)

    def begin() -> list[Message]:
        if span.after is None:
            return tail.begin(_USUAL if number is None else number, wanted)
        if number is None:
            tail.begin_after(span.after)
            return []
        chosen = tail.begin(number, wanted)
        return [each for each in chosen if each.id > span.after]

    return picking.pick(((each,) for each in tailing.follow(tail, begin, _patience(app))), wanted)


def _patience(app: App) -> Patience:
    from nwchatctl.aws.errors import explained
    from nwchatctl.aws.patience import passing
    from nwchatctl.chat.tailing import Patience

    def lost(error: Exception) -> None:
        known = explained(error)
        app.warn(f"{known.message if known else error}; going on when it has passed")

    def back() -> None:
        app.say(Line("AWS answers again: nothing is missing", Mark.DIM))

    return Patience(passing, lost, back, time.sleep, random.random)


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except (re.error, OverflowError, RecursionError) as error:
        raise typer.BadParameter(f"{text!r} is no regular expression: {error}") from None


def _items(messages: Iterator[Message]) -> Iterator[Item]:
    from nwchatctl.chat.exporting import fields
    from nwchatctl.commands._times import local

    for each in messages:
        said = each.uname or each.sender_id or each.type
        yield Item(fields(each), (local(each.date), said, each.message))


app.command("export", epilog=_history_export.HELP)(_history_export.export)
app.command("import", epilog=_history_import.HELP)(_history_import.import_)
app.command("trim", epilog=_history_trim.TRIM_HELP)(_history_trim.trim)
app.command("delete", epilog=_history_trim.DELETE_HELP)(_history_trim.delete)
