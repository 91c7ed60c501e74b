"""`token`: who comes into a chat of `auth.mode = "token"`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nwchatctl.commands import _token_rotate
from nwchatctl.commands.options import JsonOption, examples, parse_seconds, stdin_bytes
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchat.tokens import Good, Reason, Refused
    from nwchatctl.context import App

app = typer.Typer(
    help='Who comes into a chat of `auth.mode = "token"`.',
    epilog=examples(
        ("a token for one player, for 12 hours", "nwchatctl token issue 128274 --name tchalvak"),
        ("why somebody is refused", "nwchatctl token check < token.txt"),
        ("the key that the site signs with", "nwchatctl token key"),
        ("another key, without anybody being dropped", "nwchatctl token rotate"),
    ),
)

ISSUE_HELP = examples(
    ("for one player, for 12 hours", "nwchatctl token issue 128274 --name tchalvak"),
    ("into a file that only you read", "(umask 077; nwchatctl token issue me --for 5m > token.txt)"),
)
CHECK_HELP = examples(
    ("from a file", "nwchatctl token check token.txt"),
    ("from the clipboard, typed in", "nwchatctl token check"),
    ("what it says, for a script", "nwchatctl token check --json < token.txt | jq .claims"),
)
KEY_HELP = examples(
    ("into a file that only the site reads", "(umask 077; nwchatctl token key > chat.key)"),
    ("with its name, for a header with kid", "nwchatctl token key --json"),
)

_DAY = 86_400

_WORDS: dict[Reason, str] = {
    "missing": "there is none",
    "several": "there is more than one",
    "too_long": "it is longer than any token may be",
    "malformed": "it is no token: three parts in base64url, the first two JSON objects, and no crit or b64",
    "algorithm": "its alg is not HS256",
    "unknown_key": "its kid names no key that counts: was it signed before the last two rotations?",
    "no_keys": "there are no keys",
    "signature": "no key that counts has signed it",
    "claims": "its sub or exp is missing, or not as it has to be",
    "expired": "it has expired",
    "not_yet_valid": "it begins in the future (nbf, iat): is the clock right where it was made?",
}


def _lifetime(text: str) -> float:
    seconds = parse_seconds(text)
    if not 1 <= seconds <= _DAY:
        raise typer.BadParameter(f"a token is good for 1s to 24h, not {text}")
    return seconds


@app.command("issue", epilog=ISSUE_HELP)
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
    from nwchat.identity import Identity
    from nwchat.limits import clean_name
    from nwchat.tokens import MAX_ROLE_CHARS, mint
    from nwchatctl.commands._times import iso, local
    from nwchatctl.commands._tokens import require_keys

    context: App = ctx.obj
    key = require_keys(context)[0]
    now, seconds = context.now_ms() // 1000, math.floor(lifetime)
    uname = clean_name(name, context.limits.max_uname_chars)
    who = Identity(sub, uname, clean_name(role, MAX_ROLE_CHARS))
    try:
        token = mint(who, key, now, seconds)
    except ValueError as error:
        raise ChatError(
            str(error), hint="give the player's id as the site knows it", code="usage", exit_code=Exit.USAGE
        ) from None
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


@app.command("check", epilog=CHECK_HELP)
def check(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="[FILE]", help="Where the token is; stdin, if not given, or -.")
    ] = "-",
    json: JsonOption = False,
) -> Report:
    """Say whether a token is good now.

    Exit 1 where it is not. The token itself is not taken from the command line, which others can read.
    """
    from nwchat.tokens import verify
    from nwchatctl.commands._tokens import require_keys

    context: App = ctx.obj
    keys = require_keys(context)
    token = _read(source)
    now = context.now_ms() / 1000
    return _checked(verify(token, keys, now, context.limits.max_uname_chars))


def _read(source: str) -> str:
    """What is there, less the white space around it. Nothing of `source` is repeated: it may be the token."""
    from nwchat.tokens import MAX_TOKEN_CHARS

    try:
        if source == "-":
            raw = stdin_bytes().read(2 * MAX_TOKEN_CHARS)
        else:
            with Path(source).open("rb") as file:
                raw = file.read(2 * MAX_TOKEN_CHARS)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a file's name"
        raise ChatError(
            f"the token cannot be read: {why}",
            hint="give it on stdin, or name the file that it is in; ps shows everybody the command line",
            code="token_unreadable",
            exit_code=Exit.USAGE,
        ) from None
    return raw.decode("utf-8", "replace").strip()


def _plain(claims: Mapping[str, Any]) -> Any:
    """As JSON has it: a site's may say NaN or Infinity, which JSON has not, and which are texts then."""
    from json import dumps, loads

    return loads(dumps(dict(claims)), parse_constant=str)


def _checked(found: Good | Refused) -> Report:
    from nwchat.tokens import Good
    from nwchatctl.commands._times import local

    if isinstance(found, Good):
        who = found.identity
        said = [f"good until {local(round(found.expires_at * 1000))}, signed with key {found.kid}"]
        said += [f"sender_id {who.sender_id}", f"uname {who.uname}"]
        said += [f"role {who.role}"] if who.role else []
        return Report(
            data={
                "valid": True,
                "reason": None,
                "sender_id": who.sender_id,
                "uname": who.uname,
                "role": who.role or None,
                "kid": found.kid,
                "claims": _plain(found.claims),
            },
            body=(Line(said[0], Mark.GOOD), *map(Line, said[1:])),
        )
    claims = found.claims
    return Report(
        data={"valid": False, "reason": found.reason, "claims": _plain(claims) if claims else None},
        body=(
            Line(f"refused, {found.reason}: {_WORDS[found.reason]}", Mark.BAD),
            *(Line(f"{name} {value}") for name, value in (claims or {}).items()),
        ),
        exit_code=Exit.FAILED,
    )


@app.command("key", epilog=KEY_HELP)
def key(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Print the key that tokens are signed with.

    For the configuration of the site that makes them (docs/tokens.md). Whoever has it can be anybody.
    """
    from nwchatctl.commands._times import iso
    from nwchatctl.commands._tokens import require_keys

    context: App = ctx.obj
    newest = require_keys(context)[0]
    return Report(
        data={"kid": newest.kid, "key": newest.key, "created_at": iso(newest.created_at * 1000)},
        body=(Line(newest.key),),
        notes=(f"its kid is {newest.kid}",),
    )


app.command("rotate", epilog=_token_rotate.HELP)(_token_rotate.rotate)
