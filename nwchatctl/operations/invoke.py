"""Invokes one function of the chat with a test event."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nwchatctl.aws.awslambda import invoke
from nwchatctl.deploy.desired.functions import FUNCTIONS

if TYPE_CHECKING:
    from nwchatctl.aws.awslambda.invoke import InvokeResult
    from nwchatctl.context import App

FUNCTION_NAMES = tuple(FUNCTIONS)
"""The short names of the functions."""


def invoke_function(app: App, function: str, payload: bytes) -> tuple[InvokeResult, float]:
    """The result of one of FUNCTION_NAMES, and how long it took, in ms. Raises boto3's errors."""
    name = app.cloud.names.function(function)
    client = app.aws.client("lambda", slow=True)
    began = time.monotonic()
    result = invoke.invoke(client, name, payload)
    return result, round((time.monotonic() - began) * 1000, 1)
