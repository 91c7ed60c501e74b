"""Failed invocations of `fanout`: retries, and the queue that keeps failed events."""

from __future__ import annotations

from nwchatctl.deploy.model.functions import AsyncInvoke, alias_name
from nwchatctl.deploy.model.storage import Queue
from nwchatctl.deploy.model.string_map import StringMap

RETRIES = 2
"""Lambda's maximum for an event (PutFunctionEventInvokeConfig); after one minute, then after two."""

MAX_AGE_SECONDS = 3600
"""Clients read a message that is older than this from history. Long enough for two retries of a function that
takes its 15 minutes each time."""

KEPT_SECONDS = 14 * 86_400
"""SQS's maximum retention (SQS quotas)."""

MAX_BYTES = 1_048_576
"""SQS's maximum, and Lambda's for an event: a frame of 128 KB, encoded as JSON twice, has to fit."""


def queue(name: str, tags: StringMap) -> Queue:
    """The queue, with SQS's defaults except for the retention."""
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
    """The settings that send failed events of `function`:live to the queue."""
    return AsyncInvoke(
        name=alias_name(function),
        function=function,
        retries=RETRIES,
        max_age_seconds=MAX_AGE_SECONDS,
        on_failure=queue_arn,
        on_success="",
    )
