"""`token issue`: make a token for a player."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples, parse_seconds, require_unicode
from nwchatctl.report import Line, Report
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from nwchatctl.context import App

HELP = examples(
    ("for one player, for 12 hours", "nwchatctl token issue 128274 --name tchalvak"),
    ("into a file that only you read", "(umask 077; nwchatctl token issue me --for 5m > token.txt)"),
)

_DAY = 86_400


def _lifetime(text: str) -> float:
    seconds = parse_seconds(text)
    if not 1 <= seconds <= _DAY:
        raise typer.BadParameter(f"a token is good for 1s to 24h, not {text}")
    return seconds


def issue(
    ctx: typer.Context,
    sub: Annotated[str, typer.Argument(help="Whose it is: the sender_id, as it stands on every message.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Their name; the id otherwise.")] = "",
    lifetime: Annotated[
        float,
        typer.Option(
            "--for", metavar="TIME", parser=_lifetime, help="How long it is good for: 5m, 12h; 24h at most."
        ),
    ] = "12h",  # type: ignore[assignment]  # typer has the parser read defaults as well
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="A word that functions may know.")] = "",
    json: JsonOption = False,
) -> Report:
    """Make a token.

    It is printed alone, and is all that its holder needs to come in: hand it on as you would a password,
    and in no argument of a command: `ps` shows those to everybody on the machine.
    """
    from nwchatctl.operations.token_keys import issue_token

    app: App = ctx.obj
    require_unicode(sub, name, role)
    issued = issue_token(app, sub, name, role, math.floor(lifetime))
    return Report(
        data={
            "token": issued.token,
            "sub": sub,
            "name": issued.identity.uname or None,
            "role": issued.identity.role or None,
            "expires_at": iso(issued.expires_at),
            "kid": issued.kid,
        },
        body=(Line(issued.token),),
        requested=True,
        notes=(f"good until {local(issued.expires_at)}",),
    )
