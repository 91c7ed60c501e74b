"""The token keys of the chat: reading them, signing tokens with the newest one, and rotating them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchat.auth.key_cache import FRESH_SECONDS
from nwchat.auth.tokens import MAX_ROLE_CHARS, create_token
from nwchat.model.identity import Identity
from nwchat.model.limits import clean_name
from nwchatctl.deploy import signing_keys
from nwchatctl.deploy.lock import outdated_plan_error
from nwchatctl.errors import ChatError, Exit, usage_error
from nwchatctl.operations.deployed_api import not_deployed, require_api
from nwchatctl.operations.lock import locked, refuse_locked
from nwchatctl.signals import TimedOut

if TYPE_CHECKING:
    from nwchat.auth.token_keys import TokenKey
    from nwchatctl.context import App
    from nwchatctl.deploy.lock import LockState

_SPREAD_SECONDS = 0.5
"""On top of how long functions keep keys: one may have asked right before."""


def require_keys(app: App) -> tuple[TokenKey, ...]:
    """The keys, the newest first. Raises ChatError: `not_token_mode`, exit 3, where the settings ask for no
    tokens; `not_deployed`, exit 4."""
    app.require_config()
    if app.settings.auth.mode != "token":
        raise ChatError(
            f"chat {app.settings.chat.name} asks for no tokens: auth.mode is {app.settings.auth.mode}",
            hint='set mode = "token" under [auth], then run `nwchatctl deploy`',
            code="not_token_mode",
            exit_code=Exit.CONFIG,
        )
    keys = app.cloud.token_keys.keys(app.cloud.names.token_keys)
    if keys is None:
        require_api(app)
        raise ChatError(
            f"chat {app.settings.chat.name} has no token keys yet",
            hint=f"{app.command('deploy')} makes them",
            code="not_deployed",
            exit_code=Exit.NOT_FOUND,
        )
    return keys


@dataclass(frozen=True)
class IssuedToken:
    """A token, whose it is, when it ends (epoch ms), and the id of the key that signed it."""

    token: str
    identity: Identity
    expires_at: int
    kid: str


def issue_token(app: App, sub: str, name: str, role: str, seconds: int) -> IssuedToken:
    """A token that is good for `seconds` from now on. Raises ChatError: exit 2 for an id that no token can
    bear, and as `require_keys`."""
    key = require_keys(app)[0]
    for option, text, most in (
        ("--role", role, MAX_ROLE_CHARS),
        ("--name", name, app.limits.max_uname_chars),
    ):
        if len(clean_name(text, len(text))) > most:
            raise usage_error(f"{option} has more than {most} characters", f"give a shorter {option}")
    now = app.now_ms() // 1000
    uname = clean_name(name, app.limits.max_uname_chars)
    who = Identity(sub, uname, clean_name(role, MAX_ROLE_CHARS))
    try:
        token = create_token(who, key, now, seconds)
    except ValueError as error:
        raise usage_error(str(error), "give the player's id as the site knows it") from None
    return IssuedToken(token, who, (now + seconds) * 1000, key.kid)


def dropped_key_ids(keys: tuple[TokenKey, ...]) -> list[str]:
    """The ids of the keys that a rotation ends."""
    return [each.kid for each in signing_keys.dropped_keys(keys)]


def rotation_warning(keys: tuple[TokenKey, ...], now: int) -> str:
    """A warning where tokens of a key that a rotation ends may still be good; "" where not."""
    if not signing_keys.drops_tokens(keys, now):
        return ""
    last, ago = signing_keys.dropped_keys(keys)[0].kid, _age(now - keys[0].created_at)
    return f"the last rotation was {ago} ago: tokens that key {last} has signed stop working"


def take_lock(app: App) -> LockState:
    """The deploy lock as it is to be taken. Raises ChatError `not_deployed`, and `locked`."""
    rows = app.cloud.deploy_table.read()
    if not rows.exists:
        raise not_deployed(app, f"table {app.names.deploys}")
    return refuse_locked(app, rows.lock)


def rotate_keys(app: App, keys: tuple[TokenKey, ...], lock: LockState) -> TokenKey:
    """Makes a new key, under the lock; `lock` is what `take_lock` returned."""
    with locked(app, lock, "token rotate") as guard:
        new = put_new_key(app, keys)
        guard()
    return new


def put_new_key(app: App, keys: tuple[TokenKey, ...]) -> TokenKey:
    """Puts a new key before `keys`, and returns it once every function knows.

    Under the lock, as PutParameter takes no condition. Raises ChatError `changed_meanwhile`.
    """
    parameter, name = app.cloud.token_keys, app.cloud.names.token_keys
    held = parameter.read_stored(name)
    if held is None or held.keys != keys:
        raise outdated_plan_error()
    new = signing_keys.new_key(app.now_ms() // 1000, secrets.token_bytes)
    # Not read back: what was just put need not be there yet.
    if parameter.put(name, signing_keys.rotate(keys, new)) != held.version + 1:
        # By hand, past the lock; or the answer to a first put was lost.
        raise ChatError(
            "the keys were changed by somebody else meanwhile",
            hint="see which key signs now, and since when, with `nwchatctl token rotate --dry-run`; "
            "if it is not a new one, run the command again",
            code="changed_meanwhile",
        )
    _wait_for_functions(app, new)
    return new


def _wait_for_functions(app: App, new: TokenKey) -> None:
    """Waits until no function uses the former keys alone."""
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


def _age(seconds: int) -> str:
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{max(seconds, 0)}s"
