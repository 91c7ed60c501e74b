"""What the commands about tokens share: the keys, and the errors of a chat that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.errors import ChatError, Exit
from nwchatctl.operations.deployed_api import require_api

if TYPE_CHECKING:
    from nwchat.auth.token_keys import TokenKey
    from nwchatctl.context import App


def require_tokens(app: App) -> None:
    """Raises ChatError `not_token_mode`, exit 3, where the settings ask for no tokens."""
    app.require_config()
    if app.settings.auth.mode != "token":
        raise ChatError(
            f"chat {app.settings.chat.name} asks for no tokens: auth.mode is {app.settings.auth.mode}",
            hint='set mode = "token" under [auth], then run `nwchatctl deploy`',
            code="not_token_mode",
            exit_code=Exit.CONFIG,
        )


def require_keys(app: App) -> tuple[TokenKey, ...]:
    """The keys, the newest first. Raises ChatError: `not_token_mode`, exit 3; `not_deployed`, exit 4."""
    require_tokens(app)
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
