"""The deployed API, which a command that talks to the chat needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.errors import ChatError, Exit

if TYPE_CHECKING:
    from nwchatctl.context import App


def not_deployed(app: App) -> ChatError:
    """The error of every command that needs the chat to be there."""
    where = app.cloud.location
    return ChatError(
        f"chat {app.settings.chat.name} is not deployed in account {where.account}, {where.region}",
        hint=app.command("deploy"),
        code="not_deployed",
        exit_code=Exit.NOT_FOUND,
    )


def require_api(app: App) -> str:
    """The deployed API's id. Raises ChatError `not_deployed`, exit 4."""
    api_id = app.cloud.websocket_api.ids.api or app.cloud.find_api()
    if not api_id:
        raise not_deployed(app)
    return api_id
