"""`smoke`: does the chat work, right now, for real sockets?"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchat.model.identity import Identity
    from nwchatctl.chat.smoke_test import HistoryClient, Step
    from nwchatctl.context import App

HELP = examples(
    ("after a deploy, or when somebody says that the chat is down", "nwchatctl smoke"),
    ("from monitoring: exit 1 when a step fails", "nwchatctl -q --timeout 60s smoke --json"),
)


_TOKEN_SECONDS = 120
_NAME = "nwchatctl"
"""Id and name of whoever makes the test."""


def smoke(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Test the chat with two real sockets, and its history API.

    Connects, through the chat's own name where it has one, pings, sends a message, awaits its ack, its echo
    and its place in history, closes, and reads it over HTTP; a line each with its time. The message is a real
    one: whoever is in the chat sees it. In token mode it also sees that nobody comes in or reads without a
    token, or speaks under another name.
    """
    from nwchat.model.identity import Identity
    from nwchat.model.limits import clean_name
    from nwchat.model.subprotocol import SUBPROTOCOL
    from nwchatctl.chat.smoke_test import smoke as run
    from nwchatctl.operations.deployed_api import require_api
    from nwchatctl.operations.smoke_clients import chat_client

    app: App = ctx.obj
    url, connect, said = chat_client(app, require_api(app))
    # As the chat cuts it.
    who = Identity(_NAME, clean_name(_NAME, app.limits.max_uname_chars))
    token = _token(app, who) if app.settings.auth.mode == "token" else ""
    over = _history_api(app, token)
    steps = list(
        run(
            lambda: connect((SUBPROTOCOL, token) if token else ()),
            time.monotonic,
            secrets.token_hex(8),
            echo=app.settings.chat.echo_to_sender,
            max_chars=app.settings.chat.max_message_chars,
            connect_without_token=(lambda: connect(())) if token else None,
            identity=who if token else None,
            history=over,
        )
    )
    failed = [each for each in steps if not each.ok]
    return Report(
        data={
            "url": url,
            "ok": not failed,
            "steps": [
                {"name": each.name, "ok": each.ok, "ms": each.ms, "detail": each.detail} for each in steps
            ],
        },
        body=tuple(_line(each) for each in steps),
        exit_code=Exit.FAILED if failed else Exit.DONE,
        warnings=said + tuple(f"{each.name} failed: {each.detail}" for each in failed),
    )


def _token(app: App, who: Identity) -> str:
    """One of our own, for as long as this takes."""
    from nwchat.auth.tokens import mint
    from nwchatctl.operations.token_keys import require_keys

    key = require_keys(app)[0]
    return mint(who, key, app.now_ms() // 1000, _TOKEN_SECONDS)


def _history_api(app: App, token: str) -> HistoryClient | None:
    """The history API as the holder of `token` asks it, None where there is to be none. Raises ChatError
    `not_deployed` where it is missing."""
    from nwchatctl.chat.smoke_test import HistoryClient
    from nwchatctl.operations.smoke_clients import history_client

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


def _line(step: Step) -> Line:
    word, mark = ("ok", Mark.GOOD) if step.ok else ("failed", Mark.BAD)
    return Line(f"{step.name:<8} {word:<6} {step.ms:>7.0f} ms  {step.detail}", mark)
