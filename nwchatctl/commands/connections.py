"""`connections`: who is connected."""

from __future__ import annotations

import typer

from nwchatctl.commands import _connections_kick, _connections_list, _connections_prune, _connections_show
from nwchatctl.commands.options import examples

app = typer.Typer(
    help="See who is connected, and end it.",
    epilog=examples(
        ("everybody", "nwchatctl connections list"),
        (
            "everybody, for a script",
            "nwchatctl connections list --json | jq -r '.connections[].connection_id'",
        ),
        ("hourly, from cron", "nwchatctl -q connections prune"),
    ),
)

app.command("list", epilog=_connections_list.LIST_HELP)(_connections_list.list_)
app.command("show", epilog=_connections_show.SHOW_HELP)(_connections_show.show)
app.command("prune", epilog=_connections_prune.PRUNE_HELP)(_connections_prune.prune)
app.command("kick", epilog=_connections_kick.KICK_HELP)(_connections_kick.kick)
