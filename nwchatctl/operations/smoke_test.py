"""Runs the smoke test on the deployed chat."""

from __future__ import annotations

import math
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchat.auth.tokens import create_token
from nwchat.model.identity import Identity
from nwchat.model.limits import clean_name
from nwchat.model.subprotocol import SUBPROTOCOL
from nwchatctl.chat.first_connect import FirstConnect
from nwchatctl.chat.smoke_hints import failure_hint
from nwchatctl.chat.smoke_test import HistoryClient, Step, smoke
from nwchatctl.errors import ChatError, Exit
from nwchatctl.operations.deployed_api import require_api
from nwchatctl.operations.smoke_clients import chat_client, history_client
from nwchatctl.operations.token_keys import require_keys
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from nwchatctl.context import App

_TOKEN_SECONDS = 120
_NAME = "nwchatctl"
"""Id and name of the tester."""


@dataclass(frozen=True)
class SmokeResult:
    """The address that was tested, the steps, warnings about the address, and what to do about a failed
    step."""

    url: str
    steps: list[Step]
    warnings: tuple[str, ...]
    hint: str = ""


def run_smoke_test(app: App) -> SmokeResult:
    """Raises ChatError `not_deployed`, exit 4; a failed step is no error."""
    url, connect, warnings = chat_client(app, require_api(app))
    # As the chat cuts it.
    who = Identity(_NAME, clean_name(_NAME, app.limits.max_uname_chars))
    token = ""
    if app.settings.auth.mode == "token":
        token = create_token(who, require_keys(app)[0], app.now_ms() // 1000, _TOKEN_SECONDS)
    first_connect = FirstConnect(
        lambda: connect((SUBPROTOCOL, token) if token else ()),
        lambda: _stage_age(app),
        clock=time.monotonic,
        sleep=time.sleep,
        say=lambda text: app.say(Line(text, Mark.DIM)),
    )
    steps = list(
        smoke(
            first_connect,
            time.monotonic,
            secrets.token_hex(8),
            echo=app.settings.chat.echo_to_sender,
            max_chars=app.settings.chat.max_message_chars,
            connect_without_token=(lambda: connect(())) if token else None,
            identity=who if token else None,
            history=_history_api(app, token),
        )
    )
    failed = next((each for each in steps if not each.ok), None)
    return SmokeResult(url, steps, warnings, failure_hint(failed, app.command) if failed else "")


def _stage_age(app: App) -> float:
    """The stage's age in seconds by AWS's clock; infinity where there is no stage, which no wait helps."""
    created_at = app.cloud.websocket_api.stages.created_at(app.settings.stage.name)
    return math.inf if created_at is None else (app.now_ms() - created_at) / 1000


def _history_api(app: App, token: str) -> HistoryClient | None:
    """The history API as the holder of `token` asks it, None where there is to be none. Raises ChatError
    `not_deployed` where it is missing."""
    if not app.settings.history.enabled:
        return None
    history_id = app.cloud.find_history_api()
    if not history_id:
        raise ChatError(
            f"chat {app.settings.chat.name} has no history API yet",
            hint=f"{app.command('deploy')} makes it, or set history.enabled to false",
            code="not_deployed",
            exit_code=Exit.NOT_FOUND,
        )
    return HistoryClient(history_client(app, token), time.sleep, history_client(app, "") if token else None)
