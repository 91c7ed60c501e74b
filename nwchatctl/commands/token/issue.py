"""`token`: who comes into a chat of `auth.mode = "token"`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples, parse_seconds
from nwchatctl.errors import usage_error
from nwchatctl.report import Line, Report

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
    from nwchat.auth.tokens import MAX_ROLE_CHARS, create_token
    from nwchat.model.identity import Identity
    from nwchat.model.limits import clean_name
    from nwchatctl.operations.token_keys import require_keys
    from nwchatctl.timestamps import iso, local

    app: App = ctx.obj
    key = require_keys(app)[0]
    now, seconds = app.now_ms() // 1000, math.floor(lifetime)
    uname = clean_name(name, app.limits.max_uname_chars)
    who = Identity(sub, uname, clean_name(role, MAX_ROLE_CHARS))
    try:
        token = create_token(who, key, now, seconds)
    except ValueError as error:
        raise usage_error(str(error), "give the player's id as the site knows it") from None
    ends = (now + seconds) * 1000
    return Report(
        data={
            "token": token,
            "sub": sub,
            "name": uname or None,
            "role": who.role or None,
            "expires_at": iso(ends),
            "kid": key.kid,
        },
        body=(Line(token),),
        notes=(f"good until {local(ends)}",),
    )
