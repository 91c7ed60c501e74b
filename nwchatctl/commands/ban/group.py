"""`ban`: who is kept out of the chat."""

from __future__ import annotations

import typer

from nwchatctl.commands.ban import add, hash_targets, list_bans, remove
from nwchatctl.commands.options import examples

group = typer.Typer(
    help="Keep somebody out of the chat.",
    epilog=examples(
        ("a player, for an hour", "nwchatctl ban add --user 128274 --for 1h"),
        ("who is banned?", "nwchatctl ban list"),
        ("and close the sockets", "nwchatctl connections kick --user 128274 --ban 1h"),
    ),
)

group.command("add", epilog=add.HELP)(add.add)
group.command("list", epilog=list_bans.HELP)(list_bans.list_bans)
group.command("hash", epilog=hash_targets.HELP)(hash_targets.hash_targets)
group.command("remove", epilog=remove.HELP)(remove.remove)
