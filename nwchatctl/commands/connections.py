"""`connections`: who is connected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands import _connections_prune
from nwchatctl.commands._times import iso, local
from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.report import Report, Table

if TYPE_CHECKING:
    from nwchat.rows import Connection
    from nwchatctl.context import App

app = typer.Typer(
    help="See who is connected.",
    epilog=examples(
        ("everybody", "nwchatctl connections list"),
        (
            "everybody, for a script",
            "nwchatctl connections list --json | jq -r '.connections[].connection_id'",
        ),
    ),
)

LIST_HELP = examples(
    ("everybody", "nwchatctl connections list"),
    ("one player's sockets", "nwchatctl connections list --user 128274"),
    ("how many, for a graph", "nwchatctl connections list --json | jq .count"),
)

_HEADINGS = ("connection", "user", "name", "since", "last seen", "address", "client")


@app.command("list", epilog=LIST_HELP)
def list_(
    ctx: typer.Context,
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Only this sender_id or name.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    json: JsonOption = False,
) -> Report:
    """List who is connected.

    Longest connected first; a name is known once its owner has said something.
    """
    context: App = ctx.obj
    context.require_config()
    found = (each for page in context.store.connections(context.now_ms(), full=True) for each in page)
    wanted = (each for each in found if not user or user in (each.sender_id, each.uname))
    chosen = sorted(wanted, key=lambda each: each.connected_at or 0)[:limit]
    return Report(
        data={"connections": [_as_json(each) for each in chosen], "count": len(chosen)},
        body=(Table(_HEADINGS, _rows(chosen), empty="nobody is connected"),),
    )


def _rows(connections: list[Connection]) -> Iterator[tuple[str, ...]]:
    for each in connections:
        yield (
            each.connection_id,
            each.sender_id or "-",
            each.uname or "-",
            local(each.connected_at),
            local(each.last_seen_at),
            each.source_ip or "-",
            each.user_agent or "-",
        )


def _as_json(connection: Connection) -> dict[str, object]:
    return {
        "connection_id": connection.connection_id,
        "sender_id": connection.sender_id or None,
        "uname": connection.uname or None,
        "connected_at": iso(connection.connected_at),
        "last_seen_at": iso(connection.last_seen_at),
        "source_ip": connection.source_ip or None,
        "user_agent": connection.user_agent or None,
    }


app.command("prune", epilog=_connections_prune.PRUNE_HELP)(_connections_prune.prune)
