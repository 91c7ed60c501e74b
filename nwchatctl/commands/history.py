"""`history`: what was said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.report import Item, Stream

if TYPE_CHECKING:
    from nwchat.wire import Message, Page
    from nwchatctl.context import App

app = typer.Typer(
    help="Read what was said.",
    epilog=examples(
        ("the last messages", "nwchatctl history tail"),
        ("every new one, as it comes", "nwchatctl history tail -n 0 -f"),
    ),
)

TAIL_HELP = examples(
    ("the last 50 messages", "nwchatctl history tail"),
    ("the last 10, and then every new one", "nwchatctl history tail -n 10 -f"),
    ("only the texts", "nwchatctl history tail --json | jq -r .message"),
)

_MOST = 10_000


@app.command("tail", epilog=TAIL_HELP)
def tail(
    ctx: typer.Context,
    number: Annotated[
        int, typer.Option("-n", "--lines", min=0, max=_MOST, help="How many of the last messages.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with each new message, until Ctrl-C.")
    ] = False,
    json: JsonOption = False,
) -> Stream:
    """Show the last messages.

    Oldest first; with -f, each new one as it comes. With --json, each line is a message as it travels over
    the socket: `date` is epoch milliseconds.
    """
    from nwchatctl.chat import tailing

    context: App = ctx.obj
    context.require_config()
    store = context.store

    def page(limit: int, before: str | None, after: str | None) -> Page:
        return store.page(limit, context.now_ms(), before=before, after=after)

    reader = tailing.Tail(page, context.now_ms)
    if follow:
        return Stream(_items(tailing.follow(reader, number, time.sleep)))
    return Stream(_items(iter(page(number, None, None).messages if number else ())))


def _items(messages: Iterator[Message]) -> Iterator[Item]:
    from nwchat.wire import to_json_dict
    from nwchatctl.commands._times import local

    for each in messages:
        said = each.uname or each.sender_id or each.type
        # In the order of the contract: what was said comes before what kind it is.
        frame = to_json_dict(each)
        keys = ("id", "message", "uname", "sender_id", "date", "type")
        yield Item({key: frame[key] for key in keys}, (local(each.date), said, each.message))
