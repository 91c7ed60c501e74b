"""`connections list`: who is connected."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.connections.shared import OlderThanOption, RateOption
from nwchatctl.commands.options import JsonOption, examples, when_ms
from nwchatctl.report import Report, StreamedList, TextTable
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from nwchat.model.rows import Connection
    from nwchatctl.context import App

HELP = examples(
    ("everybody", "nwchatctl connections list"),
    ("one player's sockets", "nwchatctl connections list --user 128274"),
    ("those who have been silent for an hour", "nwchatctl connections list --older-than 1h --sort seen"),
    ("how many, for a graph", "nwchatctl connections list --json | jq .count"),
)

_HEADINGS = ("connection", "user", "name", "since", "last seen", "address", "client")

Judged = tuple["Connection", bool | None]
"""A connection, and whether API Gateway says that it is open: None where it was not asked, or did not say."""


class Sort(StrEnum):
    """What they are put in order by."""

    SINCE = "since"
    SEEN = "seen"
    USER = "user"
    NAME = "name"
    ADDRESS = "address"
    NONE = "none"


def list_connections(
    ctx: typer.Context,
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Only this sender_id or name.")] = "",
    older_than: OlderThanOption = None,
    sort: Annotated[Sort, typer.Option("--sort", help="What comes first.")] = Sort.SINCE,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Ask API Gateway about each.", show_default=False)
    ] = False,
    rate: RateOption = None,
    json: JsonOption = False,
) -> Report:
    """List who is connected.

    Longest connected first; a name is known once its owner has said something. More than 10,000 are shown as
    they come, unless --limit says less. With --verify, whether each socket is there is shown too.
    """
    from nwchatctl.operations import connection_list, connections

    app: App = ctx.obj
    app.require_config()
    # It only shows: asking AWS for the time first would cost more than the list.
    now_ms = app.clock.now_ms()
    before_ms = when_ms(older_than, now_ms)
    chosen = connection_list.list_connections(app, now_ms, user, before_ms, sort, limit)
    judged: Iterator[Judged] = ((each, None) for each in chosen)
    if verify:
        judged = connections.verify(app, chosen, rate)
    # What goes wrong does so before anything is printed, mostly.
    judged = chain([first], judged) if (first := next(judged, None)) is not None else iter(())
    listed = StreamedList(as_json(each, known, verify=verify) for each, known in judged)
    headings = (*_HEADINGS, "there") if verify else _HEADINGS
    return Report(
        data={"connections": listed, "count": lambda: listed.count},
        body=(
            TextTable(
                headings,
                (_cells(*each, verify) for each in judged),
                empty="nobody is connected",
                shortened=_HEADINGS.index("client"),
            ),
        ),
        requested=True,
    )


def _cells(connection: Connection, known: bool | None, verify: bool) -> tuple[str, ...]:
    cells = (
        connection.connection_id,
        connection.sender_id or "-",
        connection.uname or "-",
        local(connection.connected_at),
        local(connection.last_seen_at),
        connection.source_ip or "-",
        connection.user_agent or "-",
    )
    return (*cells, {True: "yes", False: "gone", None: "unknown"}[known]) if verify else cells


def as_json(connection: Connection, known: bool | None = None, *, verify: bool = False) -> dict[str, object]:
    """A connection as the contract has it; with `verify`, whether it is there, as `known`."""
    fields: dict[str, object] = {
        "connection_id": connection.connection_id,
        "sender_id": connection.sender_id or None,
        "uname": connection.uname or None,
        "connected_at": iso(connection.connected_at),
        "last_seen_at": iso(connection.last_seen_at),
        "source_ip": connection.source_ip or None,
        "user_agent": connection.user_agent or None,
    }
    return {**fields, "verified": known} if verify else fields
