"""`token check`: whether a token is accepted now."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nwchatctl.commands.options import JsonOption, examples, stdin_bytes
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nwchat.auth.tokens import Reason, TokenAccepted, TokenRefused
    from nwchatctl.context import App

HELP = examples(
    ("from a file", "nwchatctl token check token.txt"),
    ("from the clipboard, typed in", "nwchatctl token check"),
    ("what it says, for a script", "nwchatctl token check --json < token.txt | jq .claims"),
)


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
    from nwchat.auth.tokens import MAX_TOKEN_CHARS, TokenAccepted, verify
    from nwchatctl.operations.token_keys import require_keys

    app: App = ctx.obj
    keys = require_keys(app)
    token = _read(source, 2 * MAX_TOKEN_CHARS)
    now = app.now_ms() / 1000
    found = verify(token, keys, now, app.limits.max_uname_chars)
    return _accepted(found) if isinstance(found, TokenAccepted) else _refused(found)


def _read(source: str, limit: int) -> str:
    """At most `limit` bytes, without the white space around them. An error repeats nothing of `source`: it
    may be the token."""
    try:
        if source == "-":
            raw = stdin_bytes().read(limit)
        else:
            with Path(source).open("rb") as file:
                raw = file.read(limit)
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
    return jsonlib.loads(jsonlib.dumps(dict(claims)), parse_constant=str)


def _accepted(found: TokenAccepted) -> Report:
    who = found.identity
    lines = [f"good until {local(round(found.expires_at * 1000))}, signed with key {found.kid}"]
    lines += [f"sender_id {who.sender_id}", f"uname {who.uname}"]
    lines += [f"role {who.role}"] if who.role else []
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
        body=(Line(lines[0], Mark.GOOD), *map(Line, lines[1:])),
    )


def _refused(found: TokenRefused) -> Report:
    claims = found.claims
    return Report(
        data={"valid": False, "reason": found.reason, "claims": _plain(claims) if claims else None},
        body=(
            Line(f"refused, {found.reason}: {_WORDS[found.reason]}", Mark.BAD),
            *(Line(f"{name} {value}") for name, value in (claims or {}).items()),
        ),
        exit_code=Exit.FAILED,
    )
