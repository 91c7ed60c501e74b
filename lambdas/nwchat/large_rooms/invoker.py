"""Invokes the fan-out function asynchronously, once for each segment.

Takes a Lambda client: boto3's, or that of the functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from nwchat.aws.errors import is_failed_call
from nwchat.large_rooms.segments import MAX_EVENT_BYTES, Segment, to_event
from nwchat.log import LoggableError, error_name
from nwchat.values import dataclass

_WORKERS = 16


@dataclass(frozen=True, slots=True)
class FailedInvocation:
    """A segment for which the function could not be invoked, and the reason."""

    segment: Segment
    reason: str


class LambdaApi(Protocol):
    """What an Invoker needs of a client."""

    @property
    def invoke(self) -> Callable[..., Any]: ...


class EventTooLarge(LoggableError, ValueError):
    """A segment's frame is larger than Lambda accepts."""


class Invoker:
    """Invokes `function`, a name with its alias (`nwchat-x-fanout:live`).

    Throttled invocations are retried by the client.
    """

    def __init__(self, client: LambdaApi, function: str) -> None:
        self._client = client
        self._function = function

    def invoke(self, segment: Segment) -> None:
        """Return when Lambda has queued the event.

        Raises EventTooLarge and the client's errors.
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
        except Exception as error:
            if not isinstance(error, ValueError) and not is_failed_call(error):
                raise
            return FailedInvocation(segment, error_name(error))
        return None
