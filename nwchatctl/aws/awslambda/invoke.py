"""Invokes the chat's functions: one with a test event, `fanout` with the segments of a broadcast."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchat.large_rooms.invoker import FailedInvocation, Invoker
from nwchat.large_rooms.segments import Segment
from nwchatctl.deploy.model.functions import ALIAS, alias_name

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """A function's result. `error` is "" or `Handled`/`Unhandled`; `log` the last 4 KB of output."""

    payload: bytes
    error: str
    version: str
    log: str


def invoke(client: LambdaClient, function: str, event: bytes) -> InvokeResult:
    """Invokes the live version of `function` and waits for it; `event` is JSON, at most 6 MB.

    Raises Lambda's ResourceNotFoundException if there is no such function or no live alias.
    """
    response = client.invoke(FunctionName=function, Qualifier=ALIAS, LogType="Tail", Payload=event)
    return InvokeResult(
        payload=response["Payload"].read(),
        error=response.get("FunctionError", ""),
        version=response.get("ExecutedVersion", ""),
        log=base64.b64decode(response.get("LogResult", "")).decode("utf-8", "replace"),
    )


def require_function(client: LambdaClient, function: str) -> None:
    """Raises Lambda's ResourceNotFoundException if there is no live `function`, and its other refusals.

    Call it before segments are sent: otherwise each of a hundred segments would fail for the same reason.
    """
    client.invoke(FunctionName=alias_name(function), InvocationType="DryRun")


def invoke_segments(
    client: LambdaClient, function: str, segments: Sequence[Segment]
) -> list[FailedInvocation]:
    """Invokes the live `function` once for each segment, asynchronously; returns the segments that Lambda did
    not accept.

    `segments` come from `nwchat.large_rooms.segments.cut`.
    """
    return Invoker(client, alias_name(function)).invoke_all(segments)
