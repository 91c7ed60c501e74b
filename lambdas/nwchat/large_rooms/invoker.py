"""Invokes the fan-out function asynchronously, once for each segment. Takes a Lambda client."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from nwchat.large_rooms.segments import MAX_EVENT_BYTES, Segment, to_event
from nwchat.log import LoggableError, error_name

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_WORKERS = 16


@dataclass(frozen=True, slots=True)
class FailedInvocation:
    """A segment for which the function could not be invoked, and the reason."""

    segment: Segment
    reason: str


class EventTooLarge(LoggableError, ValueError):
    """A segment's frame is larger than Lambda accepts."""


class Invoker:
    """Invokes `function`, a name with its alias (`nwchat-x-fanout:live`).

    Throttled invocations are retried by the client.
    """

    def __init__(self, client: LambdaClient, function: str) -> None:
        self._client = client
        self._function = function

    def invoke(self, segment: Segment) -> None:
        """Return when Lambda has queued the event.

        Raises EventTooLarge and boto3's errors.
        """
        # UTF-8, because escapes would more than triple the size of some frames.
        event = json.dumps(to_event(segment), ensure_ascii=False, separators=(",", ":")).encode()
        if len(event) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event of {len(event)} bytes is more than Lambda takes")
        self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=event)

    def invoke_all(self, segments: Iterable[Segment]) -> list[FailedInvocation]:
        """Invoke the function for all segments concurrently; return those that failed."""
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="invoke") as pool:
            return [each for each in pool.map(self._try_invoke, segments) if each is not None]

    def _try_invoke(self, segment: Segment) -> FailedInvocation | None:
        try:
            self.invoke(segment)
        except (ClientError, BotoCoreError, ValueError) as error:
            return FailedInvocation(segment, error_name(error))
        return None
