"""Invokes one function of the chat with a test event."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nwchatctl.aws.awslambda import invoke
from nwchatctl.aws.core.errors import is_not_deployed
from nwchatctl.deploy.desired.functions import FUNCTIONS
from nwchatctl.deploy.desired.history_api import HISTORY
from nwchatctl.deploy.desired.token_auth import AUTHORIZE
from nwchatctl.errors import ChatError, Exit
from nwchatctl.operations.deployed_api import require_api

if TYPE_CHECKING:
    from nwchatctl.aws.awslambda.invoke import InvokeResult
    from nwchatctl.context import App

FUNCTION_NAMES = tuple(FUNCTIONS)
"""The short names of the functions."""


def invoke_function(app: App, function: str, payload: bytes) -> tuple[InvokeResult, float]:
    """The result of one of FUNCTION_NAMES, and how long it took, in ms. Raises boto3's errors, and ChatError
    `not_deployed`, exit 4, for a function that the settings do not ask for."""
    name = app.cloud.names.function(function)
    client = app.aws.client("lambda", slow=True)
    began = time.monotonic()
    try:
        result = invoke.invoke(client, name, payload)
    except Exception as error:
        if is_not_deployed(error):
            _refuse_unwanted(app, function)
        raise
    return result, round((time.monotonic() - began) * 1000, 1)


def _refuse_unwanted(app: App, function: str) -> None:
    """Raises ChatError if the chat is deployed and its settings leave this function out."""
    settings = app.settings
    wanted = {
        AUTHORIZE: (settings.auth.mode == "token", 'auth.mode = "token"'),
        HISTORY: (settings.history.enabled, "history.enabled = true"),
    }
    is_wanted, setting = wanted.get(function, (True, ""))
    if is_wanted:
        return
    require_api(app)
    raise ChatError(
        f"chat {settings.chat.name} has no function {function}: it exists only with {setting}",
        hint=f"set {setting} in nwchat.toml and run `{app.command('deploy')}`, or name another function",
        code="not_deployed",
        exit_code=Exit.NOT_FOUND,
    )
