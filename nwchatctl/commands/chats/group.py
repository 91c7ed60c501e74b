"""`chats`: the chats of an account."""

from __future__ import annotations

import typer

from nwchatctl.commands.chats import list_chats
from nwchatctl.commands.options import examples

group = typer.Typer(
    help="Show the chats of this tool in the account.",
    epilog=examples(
        ("in every Region", "nwchatctl chats list"),
        ("in one Region", "nwchatctl --region eu-west-1 chats list"),
    ),
)

group.command("list", epilog=list_chats.HELP)(list_chats.list_chats)


@group.callback()
def _chats() -> None:
    """Keeps `list` a subcommand although it is the only one."""
