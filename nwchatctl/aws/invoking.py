"""Running one function with an event, as the console's Test button does."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.model.functions import ALIAS

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a function gave back. `error` is "" or `Handled`/`Unhandled`; `log` the last 4 KB of output."""

    payload: bytes
    error: str
    version: str
    log: str


def invoke(client: LambdaClient, function: str, event: bytes) -> Invocation:
    """Runs the live version of `function` and waits for it; `event` is JSON, at most 6 MB.

    Raises Lambda's ResourceNotFoundException where there is no such function or no live alias.
    """
    answer = client.invoke(FunctionName=function, Qualifier=ALIAS, LogType="Tail", Payload=event)
    return Invocation(
        payload=answer["Payload"].read(),
        error=answer.get("FunctionError", ""),
        version=answer.get("ExecutedVersion", ""),
        log=base64.b64decode(answer.get("LogResult", "")).decode("utf-8", "replace"),
    )
