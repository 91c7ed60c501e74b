"""`token rotate`: another key, without anybody being dropped."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.errors import ChatError
from nwchatctl.report import Line, Mark, Report
from nwchatctl.signals import TimedOut

if TYPE_CHECKING:
    from nwchat.auth.token_keys import TokenKey
    from nwchatctl.context import App

HELP = examples(
    ("another key from now on", "nwchatctl token rotate"),
    ("what would become of which key", "nwchatctl token rotate --dry-run"),
    ("once a month, by cron", "nwchatctl -q token rotate"),
)

_SPREAD_SECONDS = 0.5
"""On top of how long functions keep keys: one may have asked right before."""


def rotate(
    ctx: typer.Context,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Sign with another key from now on.

    The former key goes on counting until the next rotation, so that nobody is dropped and the site has time
    to get the new one; the key before it ends. Where tokens of that one may still be good, whoever is at a
    terminal is asked, and a script is warned: it takes nothing away that is not made again. Who is connected
    stays.
    """
    from nwchatctl.deploy import signing_keys
    from nwchatctl.operations.lock import locked, refuse_locked
    from nwchatctl.operations.token_keys import require_keys

    app: App = ctx.obj
    began = time.monotonic()
    keys = require_keys(app)
    app.print_target()
    now = app.now_ms() // 1000
    drops = signing_keys.drops_tokens(keys, now)
    if dry_run:
        if drops:
            app.warn(_dropping(keys, now))
        return _report(keys, None, began)
    rows = app.cloud.deploy_table.read()
    if not rows.exists:
        from nwchatctl.operations.deployed_api import not_deployed

        raise not_deployed(app)
    seen = refuse_locked(app, rows.lock)
    if drops:
        said = _dropping(keys, now)
        if yes or json or not app.streams.asks:
            app.warn(said)
        else:
            app.confirm(f"{said}. Rotate?", given=False)
    with locked(app, seen, "token rotate") as guard:
        new = _turn(app, keys)
        guard()
    return _report(keys, new, began)


def _dropping(keys: tuple[TokenKey, ...], now: int) -> str:
    from nwchatctl.deploy import signing_keys

    last, ago = signing_keys.dropped_keys(keys)[0].kid, _age(now - keys[0].created_at)
    return f"the last rotation was {ago} ago: tokens that key {last} has signed stop working"


def _turn(app: App, keys: tuple[TokenKey, ...]) -> TokenKey:
    """Puts a new key before `keys`, and returns it once every function knows.

    Under the lock, as PutParameter takes no condition. Raises ChatError `changed_meanwhile`.
    """
    from nwchat.auth.key_cache import FRESH_SECONDS
    from nwchatctl.deploy import signing_keys
    from nwchatctl.deploy.lock import outdated_plan_error

    parameter, name = app.cloud.token_keys, app.cloud.names.token_keys
    held = parameter.read_stored(name)
    if held is None or held.keys != keys:
        raise outdated_plan_error()
    new = signing_keys.new_key(app.now_ms() // 1000, secrets.token_bytes)
    wanted = signing_keys.rotate(keys, new)
    # Not read back: what was just put need not be there yet.
    if parameter.put(name, wanted) != held.version + 1:
        # By hand, past the lock; or the answer to a first put was lost.
        raise ChatError(
            "the keys were changed by somebody else meanwhile",
            hint="see which key signs now, and since when, with `nwchatctl token rotate --dry-run`; "
            "if it is not a new one, run the command again",
            code="changed_meanwhile",
        )
    done = f"key {new.kid} signs from now on"
    try:
        time.sleep(FRESH_SECONDS + _SPREAD_SECONDS)
    except TimedOut:
        # No hint to run it again, which would end the key that the site has.
        raise ChatError(
            f"timed out after {app.options.timeout:g} s, but {done}",
            hint=f"{app.command('token', 'key')} prints it for the site; do not rotate again",
            code="timeout",
        ) from None
    except BaseException as error:
        error.add_note(f"but {done}: do not rotate again")
        raise
    return new


def _report(keys: tuple[TokenKey, ...], new: TokenKey | None, began: float) -> Report:
    """Of a rotation, or of what one would do where there is no `new` key."""
    from nwchatctl.deploy import signing_keys
    from nwchatctl.timestamps import iso, local

    ended = [each.kid for each in signing_keys.dropped_keys(keys)]
    since = local(keys[0].created_at * 1000)
    said = [Line(f"key {new.kid} signs from now on" if new else "a new key would sign", Mark.GOOD)]
    said.append(Line(f"key {keys[0].kid}, of {since}, {'goes' if new else 'would go'} on counting"))
    said += [Line(f"key {each} {'has ended' if new else 'would end'}") for each in ended]
    return Report(
        data={
            "kid": new.kid if new else None,
            "created_at": iso(new.created_at * 1000) if new else None,
            "former": keys[0].kid,
            "former_created_at": iso(keys[0].created_at * 1000),
            "dropped": ended,
            "dry_run": new is None,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=tuple(said),
        notes=("`nwchatctl token key` prints the new key for the site",) if new else (),
    )


def _age(seconds: int) -> str:
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{max(seconds, 0)}s"
