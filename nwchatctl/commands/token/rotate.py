"""`token rotate`: another key, without anybody being dropped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.report import Line, Mark, Report
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from nwchat.auth.token_keys import TokenKey
    from nwchatctl.context import App

HELP = examples(
    ("another key from now on", "nwchatctl token rotate"),
    ("what would become of which key", "nwchatctl token rotate --dry-run"),
    ("once a month, by cron", "nwchatctl -q token rotate"),
)


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
    from nwchatctl.operations import token_keys

    app: App = ctx.obj
    began = time.monotonic()
    keys = token_keys.require_keys(app)
    app.print_target()
    ended = token_keys.dropped_key_ids(keys)
    warning = token_keys.rotation_warning(keys, app.now_ms() // 1000)
    if dry_run:
        if warning:
            app.warn(warning)
        return _report(keys, None, ended, began)
    lock = token_keys.take_lock(app)
    if warning:
        if yes or json or not app.streams.asks:
            app.warn(warning)
        else:
            app.confirm(f"{warning}. Rotate?", given=False)
    return _report(keys, token_keys.rotate_keys(app, keys, lock), ended, began)


def _report(keys: tuple[TokenKey, ...], new: TokenKey | None, ended: list[str], began: float) -> Report:
    """The report of a rotation, or of what one would do where there is no `new` key."""
    since = local(keys[0].created_at * 1000)
    lines = [Line(f"key {new.kid} signs from now on" if new else "a new key would sign", Mark.GOOD)]
    lines.append(Line(f"key {keys[0].kid}, of {since}, {'goes' if new else 'would go'} on counting"))
    lines += [Line(f"key {each} {'has ended' if new else 'would end'}") for each in ended]
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
        body=tuple(lines),
        notes=("`nwchatctl token key` prints the new key for the site",) if new else (),
    )
