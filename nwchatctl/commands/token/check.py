"""`token check`: whether a token is accepted now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nwchatctl.commands.options import JsonOption, examples, stdin_bytes
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report

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
    from nwchat.auth.tokens import verify
    from nwchatctl.operations.token_keys import require_keys

    app: App = ctx.obj
    keys = require_keys(app)
    token = _read(source)
    now = app.now_ms() / 1000
    return _checked(verify(token, keys, now, app.limits.max_uname_chars))


def _read(source: str) -> str:
    """What is there, less the white space around it. Nothing of `source` is repeated: it may be the token."""
    from nwchat.auth.tokens import MAX_TOKEN_CHARS

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


def _checked(found: TokenAccepted | TokenRefused) -> Report:
    from nwchat.auth.tokens import TokenAccepted
    from nwchatctl.timestamps import local

    if isinstance(found, TokenAccepted):
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
