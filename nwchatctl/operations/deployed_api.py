"""The deployed API, which a command that talks to the chat needs, and the error where it is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.errors import ChatError, Exit

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.live import Live

API = "its WebSocket API"


def not_deployed(app: App, part: str = API, live: Live | None = None) -> ChatError:
    """The error of every command that needs `part` of the chat, which is not there: either the chat is not
    deployed, or that part of it is missing. Reads the chat unless `live` is given; raises as `Cloud.read`."""
    chat = app.settings.chat.name
    place = app.cloud.location.place
    if live is None:
        app.cloud.reads_domains = False
        live = app.cloud.read()
    if not live.is_partly_deployed:
        return ChatError(
            f"chat {chat} is not deployed in {place}",
            hint=app.command("deploy"),
            code="not_deployed",
            exit_code=Exit.NOT_FOUND,
        )
    return ChatError(
        f"chat {chat} is deployed only in part in {place}: {part or 'a part of it'} is missing",
        hint=f"`{app.command('deploy')}` creates what is missing; `{app.command('status')}` lists it",
        code="part_missing",
        exit_code=Exit.NOT_FOUND,
    )


def require_api(app: App) -> str:
    """The deployed API's id. Raises ChatError `not_deployed` or `part_missing`, exit 4."""
    api_id = app.cloud.websocket_api.ids.api or app.cloud.find_api()
    if not api_id:
        raise not_deployed(app)
    return api_id
