"""`connections show`: one connection, as the table has it and as API Gateway does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.connections.list_connections import as_json
from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.report import Report, TextTable
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.operations.connections import FoundConnection

HELP = examples(
    ("one of those that are listed", "nwchatctl connections show L0SM9cOFvHcCIhw="),
    ("in a script, whatever the id begins with", 'nwchatctl connections show -- "$ID"'),
)


def show(
    ctx: typer.Context,
    connection_id: Annotated[str, typer.Argument(metavar="ID", help="As `connections list` has it.")],
    json: JsonOption = False,
) -> Report:
    """Show one connection, with what API Gateway says of it.

    Exit code 4 when there is neither a row nor a socket.
    """
    from nwchatctl.operations.connections import find_connection, no_connection

    app: App = ctx.obj
    app.require_config()
    found = find_connection(app, connection_id)
    if found.row is None and found.open is False:
        raise no_connection(app, f"there is no connection {connection_id}")
    return Report(
        data=_data(found),
        body=(TextTable((), tuple(_cells(found))),),
        warnings=tuple(_warnings(app, found)),
        requested=True,
    )


def _data(found: FoundConnection) -> dict[str, object]:
    row, about = found.row, found.about
    expires_at = None if row is None or row.expires_at is None else row.expires_at * 1000
    gateway = about and {
        "connected_at": iso(about.connected_at),
        "last_active_at": iso(about.last_active_at),
        "source_ip": about.source_ip or None,
        "user_agent": about.user_agent or None,
    }
    return {
        **as_json(found.shown, found.open, verify=True),
        "expires_at": iso(expires_at),
        "row": row is not None,
        "gateway": gateway,
    }


def _cells(found: FoundConnection) -> list[tuple[str, str]]:
    cells = [("connection", found.connection_id)]
    if (row := found.row) is not None:
        cells += [
            ("user", row.sender_id or "-"),
            ("name", row.uname or "-"),
            ("since", local(row.connected_at)),
            ("last seen", local(row.last_seen_at)),
            ("address", row.source_ip or "-"),
            ("client", row.user_agent or "-"),
        ]
    cells.append(("API Gateway", {True: "open", False: "gone", None: "does not say"}[found.open]))
    if (about := found.about) is not None:
        cells += [
            ("open since", local(about.connected_at)),
            ("last active", local(about.last_active_at)),
            ("its address", about.source_ip or "-"),
            ("its client", about.user_agent or "-"),
        ]
    return cells


def _warnings(app: App, found: FoundConnection) -> list[str]:
    if found.open is None:
        return [f"API Gateway does not say whether it is open: {found.reason}"]
    if found.row is not None and not found.open:
        return [f"its socket is gone, and only its row is left: {app.command('connections', 'prune')}"]
    if found.open and found.row is None:
        return ["its row is missing: it receives nothing, until its owner says something"]
    return []
