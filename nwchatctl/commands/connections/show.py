"""`connections show`: one connection, as the table has it and as API Gateway does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Report, TextTable
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from nwchat.delivery.outcome import Outcome
    from nwchat.model.rows import Connection
    from nwchatctl.chat.connection_status import ConnectionInfo
    from nwchatctl.context import App

HELP = examples(
    ("one of those that are listed", "nwchatctl connections show L0SM9cOFvHcCIhw="),
    ("one that begins with a dash", "nwchatctl connections show -- -0SM9cOFvHcCIhw="),
)


def show(
    ctx: typer.Context,
    connection_id: Annotated[str, typer.Argument(metavar="ID", help="As `connections list` has it.")],
    json: JsonOption = False,
) -> Report:
    """Show one connection, with what API Gateway says of it.

    Exit code 4 when there is neither a row nor a socket.
    """
    from nwchat.delivery.outcome import Gone, Open
    from nwchatctl.chat.connection_status import is_open, parse_info
    from nwchatctl.operations.connections import can_be_one

    app: App = ctx.obj
    app.require_config()
    possible = can_be_one(connection_id)
    outcome = _asked(app, connection_id) if possible else Gone()
    row = _row(app, connection_id) if possible else None
    there = is_open(outcome)
    if row is None and there is False:
        raise ChatError(
            f"there is no connection {connection_id}",
            hint=app.command("connections", "list"),
            code="no_connection",
            exit_code=Exit.NOT_FOUND,
        )
    said = parse_info(outcome.about) if isinstance(outcome, Open) else None
    return Report(
        data=_data(connection_id, row, said, there),
        body=(TextTable((), tuple(_cells(connection_id, row, said, there))),),
        warnings=tuple(_warnings(app, row is not None, there, getattr(outcome, "reason", ""))),
    )


def _asked(app: App, connection_id: str) -> Outcome:
    from nwchat.delivery.rate_limit import RateLimiter
    from nwchatctl.chat.connection_status import fetch_outcomes
    from nwchatctl.operations.connections import asking

    return fetch_outcomes(app.transport, asking(app, "GET"), [connection_id], RateLimiter())[connection_id]


def _row(app: App, connection_id: str) -> Connection | None:
    from nwchat.model.rows import connection_of
    from nwchatctl.operations.connections import find_row

    row = find_row(app, connection_id)
    return None if row is None else connection_of(row)


def _data(
    connection_id: str, row: Connection | None, said: ConnectionInfo | None, there: bool | None
) -> dict[str, object]:
    from nwchat.model.rows import Connection
    from nwchatctl.commands.connections.list_connections import as_json

    expires_at = None if row is None or row.expires_at is None else row.expires_at * 1000
    gateway = said and {
        "connected_at": iso(said.connected_at),
        "last_active_at": iso(said.last_active_at),
        "source_ip": said.source_ip or None,
        "user_agent": said.user_agent or None,
    }
    return {
        **as_json(row or Connection(connection_id), there, verify=True),
        "expires_at": iso(expires_at),
        "row": row is not None,
        "gateway": gateway,
    }


def _cells(
    connection_id: str, row: Connection | None, said: ConnectionInfo | None, there: bool | None
) -> list[tuple[str, str]]:
    cells = [("connection", connection_id)]
    if row is not None:
        cells += [
            ("user", row.sender_id or "-"),
            ("name", row.uname or "-"),
            ("since", local(row.connected_at)),
            ("last seen", local(row.last_seen_at)),
            ("address", row.source_ip or "-"),
            ("client", row.user_agent or "-"),
        ]
    cells.append(("API Gateway", {True: "open", False: "gone", None: "does not say"}[there]))
    if said is not None:
        cells += [
            ("open since", local(said.connected_at)),
            ("last active", local(said.last_active_at)),
            ("its address", said.source_ip or "-"),
            ("its client", said.user_agent or "-"),
        ]
    return cells


def _warnings(app: App, row: bool, there: bool | None, reason: str) -> list[str]:
    if there is None:
        return [f"API Gateway does not say whether it is open: {reason}"]
    if row and not there:
        return [f"its socket is gone, and only its row is left: {app.command('connections', 'prune')}"]
    if there and not row:
        return ["its row is missing: it receives nothing, until its owner says something"]
    return []
