"""`token key`: print the key that tokens are signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.report import Line, Report
from nwchatctl.timestamps import iso

if TYPE_CHECKING:
    from nwchatctl.context import App

HELP = examples(
    ("into a file that only the site reads", "(umask 077; nwchatctl token key > chat.key)"),
    ("with its name, for a header with kid", "nwchatctl token key --json"),
)


def key(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Print the key that tokens are signed with.

    For the configuration of the site that makes them (docs/tokens.md). Whoever has it can be anybody.
    """
    from nwchatctl.operations.token_keys import require_keys

    app: App = ctx.obj
    newest = require_keys(app)[0]
    return Report(
        data={"kid": newest.kid, "key": newest.key, "created_at": iso(newest.created_at * 1000)},
        body=(Line(newest.key),),
        requested=True,
        notes=(f"its kid is {newest.kid}",),
    )
