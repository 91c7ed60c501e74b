"""`ban list`: the bans that hold, and those that ended lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.report import Report, TextTable

if TYPE_CHECKING:
    from nwchat.model.bans import Ban
    from nwchatctl.context import App


HELP = examples(
    ("who is banned?", "nwchatctl ban list"),
    ("only the names and addresses", "nwchatctl ban list --json | jq -r '.bans[].who'"),
)


def list_bans(
    ctx: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Those that ended within a month too.", show_default=False)
    ] = False,
    json: JsonOption = False,
) -> Report:
    """Show who is banned."""
    from nwchatctl.commands.ban import shared
    from nwchatctl.operations.bans import bans_table
    from nwchatctl.operations.connections import server_clock

    app: App = ctx.obj
    app.require_config()
    clock = server_clock(app)
    found = list(bans_table(app).all())
    now_ms = clock.now_ms()
    shown = [each for each in found if everything or each.is_active(now_ms)]
    return Report(
        data={
            "bans": [{**shared.as_json(each), "ended": not each.is_active(now_ms)} for each in shown],
            "count": len(shown),
        },
        body=(
            TextTable(
                ("", "who", "until", "since", "by", "reason"),
                [_cells(each, ended=not each.is_active(now_ms)) for each in shown],
                empty="nobody is banned",
            ),
        ),
    )


def _cells(ban: Ban, *, ended: bool) -> tuple[str, ...]:
    from nwchatctl.commands.ban.shared import FOREVER, kind
    from nwchatctl.timestamps import local

    end = FOREVER if ban.until is None else f"{local(ban.until)}{' (ended)' if ended else ''}"
    return (kind(ban), ban.who, end, local(ban.since), ban.by or "-", ban.reason or "-")
