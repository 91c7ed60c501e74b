"""`ban add`: ban a player or an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.ban.shared import (
    AddressesOption,
    UsersOption,
    ban_end,
    ban_reason,
    no_target,
)
from nwchatctl.commands.options import (
    DryRunOption,
    JsonOption,
    WhenOption,
    examples,
    parse_seconds,
    parse_when,
    require_unicode,
)
from nwchatctl.output.ban_view import change_json, change_line, kind
from nwchatctl.report import Report

if TYPE_CHECKING:
    from nwchatctl.chat.bans import BanChange
    from nwchatctl.context import App

HELP = examples(
    ("a player, by id or name", "nwchatctl ban add --user 128274 --for 1h --reason spam"),
    ("an address, until a time", "nwchatctl ban add --address 192.0.2.7 --until 2030-01-31"),
    ("a household with IPv6", "nwchatctl ban add --address 2001:db8:0:7::/64 --forever"),
)


def add(
    ctx: typer.Context,
    user: UsersOption = None,
    address: AddressesOption = None,
    length: Annotated[
        float | None,
        typer.Option("--for", metavar="LENGTH", parser=parse_seconds, help="For so long: 1h, 7d."),
    ] = None,
    until: Annotated[
        WhenOption, typer.Option("--until", metavar="TIME", parser=parse_when, help="Until then.")
    ] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Without an end.", show_default=False)] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for `ban list`; players are not told.")
    ] = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Ban somebody.

    What the banned say is refused from now on, and nobody connects from a banned address or with a token of a
    banned user. Sockets that are open stay open. Whoever is banned already gets the new end. In open mode
    names are what clients say they are: there an address is what keeps somebody out.
    """
    from nwchatctl.operations import bans

    app: App = ctx.obj
    app.require_config()
    require_unicode(*(user or ()), *(address or ()), reason)
    end = ban_end(length, until, forever)
    # Ends that are over are refused before anything is asked of AWS.
    end.epoch_ms(app.now_ms())
    targets = bans.ban_targets(app, user or (), address or ())
    if not targets:
        raise no_target("ban", "--for 1h")
    why = ban_reason(reason)
    app.print_target()
    # First, so that its failure leaves nothing half done.
    shared = bans.shared_addresses(app, targets)
    made = bans.ban_all(app, targets, end, why, dry_run)
    return Report(
        data={"bans": [change_json(each) for each in made], "dry_run": dry_run},
        body=tuple(change_line(each, dry_run) for each in made),
        warnings=tuple(shared),
        notes=() if dry_run else tuple(_still_open(app, made)),
    )


def _still_open(app: App, made: list[BanChange]) -> list[str]:
    """The commands that close the sockets which a ban leaves open."""
    users = [each.ban.who for each in made if kind(each.ban) == "user"]
    notes = [f"open sockets stay: {app.command('connections', 'kick', '--user', who)}" for who in users]
    if len(users) < len(made):
        found = app.command("connections", "list", "--sort", "address")
        notes.append(f"open sockets from there stay, and cannot say anything: {found}")
    return notes
