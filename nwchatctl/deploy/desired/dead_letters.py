"""What becomes of segments of a large room that cannot be sent: tried again, then kept in a queue."""

from __future__ import annotations

from nwchatctl.deploy.model.functions import AsyncInvoke, alias_name
from nwchatctl.deploy.model.storage import Queue
from nwchatctl.deploy.model.string_map import StringMap

RETRIES = 2
"""The most that Lambda does for an event (PutFunctionEventInvokeConfig); after one minute, then after two."""

MAX_AGE_SECONDS = 3600
"""A message that comes later than that is history, which clients ask for themselves. Long enough for two
retries of a function that takes its 15 minutes each time."""

KEPT_SECONDS = 14 * 86_400
"""The longest that SQS keeps anything (SQS quotas)."""

MAX_BYTES = 1_048_576
"""What SQS takes at most, and Lambda in an event: a frame of 128 KB, written as JSON twice, has to fit."""


def queue(name: str, tags: StringMap) -> Queue:
    """The queue, as SQS makes one but for how long it keeps what is in it."""
    return Queue(
        name=name,
        retention_seconds=KEPT_SECONDS,
        max_message_bytes=MAX_BYTES,
        delay_seconds=0,
        visibility_seconds=30,
        encryption="sqs",
        policy="",
        redrive="",
        tags=tags,
    )


def async_invoke(function: str, queue_arn: str) -> AsyncInvoke:
    """What leads events that `function`:live failed on into the queue."""
    return AsyncInvoke(
        name=alias_name(function),
        function=function,
        retries=RETRIES,
        max_age_seconds=MAX_AGE_SECONDS,
        on_failure=queue_arn,
        on_success="",
    )
