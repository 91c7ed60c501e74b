"""`ban`: who is kept out of the chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import (
    DryRunOption,
    JsonOption,
    WhenOption,
    examples,
    parse_seconds,
    parse_when,
)
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report, Table

if TYPE_CHECKING:
    from nwchat.bans import Ban
    from nwchatctl.chat.banning import Banned
    from nwchatctl.context import App

app = typer.Typer(
    help="Keep somebody out of the chat.",
    epilog=examples(
        ("a player, for an hour", "nwchatctl ban add --user 128274 --for 1h"),
        ("who is banned?", "nwchatctl ban list"),
        ("and close the sockets", "nwchatctl connections kick --user 128274 --ban 1h"),
    ),
)

ADD_HELP = examples(
    ("a player, by id or name", "nwchatctl ban add --user 128274 --for 1h --reason spam"),
    ("an address, until a time", "nwchatctl ban add --address 192.0.2.7 --until 2030-01-31"),
    ("a household with IPv6", "nwchatctl ban add --address 2001:db8:0:7::/64 --forever"),
)

LIST_HELP = examples(
    ("who is banned?", "nwchatctl ban list"),
    ("only the names and addresses", "nwchatctl ban list --json | jq -r '.bans[].who'"),
)

REMOVE_HELP = examples(
    ("a player may come back", "nwchatctl ban remove --user 128274"),
    ("would that let anybody in?", "nwchatctl ban remove --address 192.0.2.7 -n"),
)

UsersOption = Annotated[
    list[str] | None,
    typer.Option("--user", metavar="ID", help="This sender_id or name; can be given several times."),
]
AddressesOption = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="IP", help="This address, or a /64 of IPv6; several times too."),
]


def _seconds(text: str) -> float:
    return parse_seconds(text)


@app.command(epilog=ADD_HELP)
def add(
    ctx: typer.Context,
    user: UsersOption = None,
    address: AddressesOption = None,
    length: Annotated[
        float | None, typer.Option("--for", metavar="LENGTH", parser=_seconds, help="For so long: 1h, 7d.")
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
    from nwchatctl.commands import _banning

    context: App = ctx.obj
    context.require_config()
    end = _banning.end_of(length, until, forever)
    # Ends that are over are told before anything is asked of AWS.
    end.epoch_ms(context.now_ms())
    whom = _banning.named(context, user or (), address or ())
    if not whom:
        raise _nobody("ban", "--for 1h")
    why = _banning.reason_of(reason)
    context.announce()
    made = _banning.ban_all(context, whom, end, why, dry_run)
    return Report(
        data={"bans": [_banning.banned_json(each) for each in made], "dry_run": dry_run},
        body=tuple(_banning.banned_line(each, dry_run) for each in made),
        notes=() if dry_run else tuple(_still_open(context, made)),
    )


def _still_open(context: App, made: list[Banned]) -> list[str]:
    """The commands that close the sockets which a ban leaves open."""
    from nwchatctl.commands._banning import kind

    users = [each.ban.who for each in made if kind(each.ban) == "user"]
    notes = [f"open sockets stay: {context.command('connections', 'kick', '--user', who)}" for who in users]
    if len(users) < len(made):
        found = context.command("connections", "list", "--sort", "address")
        notes.append(f"open sockets from there stay, and cannot say anything: {found}")
    return notes


@app.command("list", epilog=LIST_HELP)
def list_(
    ctx: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Those that ended within a month too.", show_default=False)
    ] = False,
    json: JsonOption = False,
) -> Report:
    """Show who is banned."""
    from nwchatctl.commands import _banning
    from nwchatctl.commands._connections import server_clock

    context: App = ctx.obj
    context.require_config()
    clock = server_clock(context)
    found = list(_banning.bans(context).all())
    now_ms = clock.now_ms()
    shown = [each for each in found if everything or each.holds(now_ms)]
    return Report(
        data={
            "bans": [{**_banning.as_json(each), "ended": not each.holds(now_ms)} for each in shown],
            "count": len(shown),
        },
        body=(
            Table(
                ("", "who", "until", "since", "by", "reason"),
                [_cells(each, ended=not each.holds(now_ms)) for each in shown],
                empty="nobody is banned",
            ),
        ),
    )


def _cells(ban: Ban, *, ended: bool) -> tuple[str, ...]:
    from nwchatctl.commands._banning import FOREVER, kind
    from nwchatctl.commands._times import local

    end = FOREVER if ban.until is None else f"{local(ban.until)}{' (ended)' if ended else ''}"
    return (kind(ban), ban.who, end, local(ban.since), ban.by or "-", ban.reason or "-")


@app.command(epilog=REMOVE_HELP)
def remove(
    ctx: typer.Context,
    user: UsersOption = None,
    address: AddressesOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """End a ban.

    Exit code 4 when none of them is banned (any more), 5 when some are not. Only that very ban ends: who is
    banned by name and by address needs both to be removed.
    """
    from nwchatctl.commands import _banning
    from nwchatctl.commands._connections import server_clock

    context: App = ctx.obj
    context.require_config()
    whom = _banning.named(context, user or (), address or ())
    if not whom:
        raise _nobody("ban remove", "")
    context.announce()
    table, clock = _banning.bans(context), server_clock(context)
    found = [table.get(each.key) for each in whom]
    now_ms = clock.now_ms()
    removed: list[Ban] = []
    missing: list[str] = []
    try:
        for each, ban in zip(whom, found, strict=True):
            # The row of one that is over stays for `ban list --all`.
            holds = ban is not None and ban.holds(now_ms)
            gone = ban if dry_run or not holds else table.remove(each.key)
            if gone is None or not holds:
                missing.append(each.who)
            else:
                removed.append(gone)
    except BaseException as error:
        if removed and not dry_run:
            error.add_note(f"{', '.join(each.who for each in removed)} no longer banned")
        raise
    return _removed(context, removed, missing, dry_run)


def _removed(context: App, removed: list[Ban], missing: list[str], dry_run: bool) -> Report:
    from nwchatctl.commands import _banning

    if not removed:
        raise ChatError(
            f"there is no ban on {', '.join(missing)}",
            hint=context.command("ban", "list"),
            code="no_ban",
            exit_code=Exit.NOT_FOUND,
        )
    verb = "would no longer be" if dry_run else "is no longer"
    return Report(
        data={
            "removed": [_banning.as_json(each) for each in removed],
            "not_found": missing,
            "dry_run": dry_run,
        },
        body=tuple(
            Line(
                f"{each.who} {verb} banned; it was {_banning.ends(each)}",
                Mark.PLAIN if dry_run else Mark.GOOD,
            )
            for each in removed
        ),
        exit_code=Exit.PARTLY if missing else Exit.DONE,
        warnings=tuple(f"there is no ban on {each}" for each in missing),
    )


def _nobody(command: str, more: str) -> ChatError:
    from nwchatctl.commands._banning import usage

    return usage(f"{command} needs to know whom", f"give --user ID or --address IP {more}".rstrip())
