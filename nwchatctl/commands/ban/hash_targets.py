"""`ban hash`: what the logs have instead of a user or an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.ban.shared import AddressesOption, UsersOption, no_target
from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.report import Report, TextTable

if TYPE_CHECKING:
    from nwchatctl.context import App

HELP = examples(
    ("what to search the logs for", "nwchatctl ban hash --address 203.0.113.7"),
    ("several, for a script", "nwchatctl ban hash --user 128274 --user tom --json"),
)


def hash_targets(
    ctx: typer.Context,
    user: UsersOption = None,
    address: AddressesOption = None,
    json: JsonOption = False,
) -> Report:
    """Show what the logs have instead of a user or an address.

    The logs of the functions name no users and no addresses. Their hashes are different in each chat. An IPv6
    address has two: that of a ban on it, and that of its /64.
    """
    from nwchatctl.operations import bans

    app: App = ctx.obj
    app.require_config()
    targets = bans.ban_targets(app, user or (), address or ())
    if not targets:
        raise no_target("ban hash", "")
    hashes = bans.log_hashes(app, targets)
    return Report(
        data={"hashes": [{"who": who, "hash": found} for who, found in hashes]},
        body=(TextTable(("hash", "who"), [(found, who) for who, found in hashes]),),
        requested=True,
    )
