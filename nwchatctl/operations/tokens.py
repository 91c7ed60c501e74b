"""Signs tokens with the newest key of the chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchat.auth.tokens import MAX_ROLE_CHARS, create_token
from nwchat.model.identity import Identity
from nwchat.model.limits import clean_name
from nwchatctl.errors import usage_error
from nwchatctl.operations.token_keys import require_keys

if TYPE_CHECKING:
    from nwchatctl.context import App


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
    now = app.now_ms() // 1000
    uname = clean_name(name, app.limits.max_uname_chars)
    who = Identity(sub, uname, clean_name(role, MAX_ROLE_CHARS))
    try:
        token = create_token(who, key, now, seconds)
    except ValueError as error:
        raise usage_error(str(error), "give the player's id as the site knows it") from None
    return IssuedToken(token, who, (now + seconds) * 1000, key.kid)


def sign_token(app: App, identity: Identity, seconds: int) -> str:
    """A token for an identity that is known to be valid. Raises as `require_keys`."""
    return create_token(identity, require_keys(app)[0], app.now_ms() // 1000, seconds)
