"""`connections`: who is connected."""

from __future__ import annotations

import typer

from nwchatctl.commands.connections import kick, list_connections, prune, shared, show
from nwchatctl.commands.options import examples

group = typer.Typer(
    help="List, inspect, prune and disconnect connections.",
    epilog=examples(
        ("everybody", "nwchatctl connections list"),
        (
            "everybody, for a script",
            "nwchatctl connections list --json | jq -r '.connections[].connection_id'",
        ),
        ("hourly, from cron", "nwchatctl -q connections prune"),
    ),
)

group.command("list", epilog=list_connections.HELP)(list_connections.list_connections)
group.command("show", cls=shared.ConnectionIdCommand, epilog=show.HELP)(show.show)
group.command("prune", epilog=prune.HELP)(prune.prune)
group.command("kick", cls=shared.ConnectionIdCommand, epilog=kick.HELP)(kick.kick)
