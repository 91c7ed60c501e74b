"""`ban list`: the bans that hold, and those that ended lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.output.ban_view import as_json, end_cell, kind
from nwchatctl.report import Report, TextTable
from nwchatctl.timestamps import local

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
    from nwchatctl.operations import bans

    app: App = ctx.obj
    app.require_config()
    shown = bans.list_bans(app, ended=everything)
    return Report(
        data={
            "bans": [{**as_json(each), "ended": not holds} for each, holds in shown],
            "count": len(shown),
        },
        body=(
            TextTable(
                ("", "who", "until", "since", "by", "reason"),
                [_cells(each, ended=not holds) for each, holds in shown],
                empty="nobody is banned",
                shortened=5,
            ),
        ),
        requested=True,
    )


def _cells(ban: Ban, *, ended: bool) -> tuple[str, ...]:
    end = f"{end_cell(ban)}{' (ended)' if ended else ''}"
    return (kind(ban), ban.who, end, local(ban.since), ban.by or "-", ban.reason or "-")
