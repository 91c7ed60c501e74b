"""Retries of item-level writes that meet a transaction on the same item.

DynamoDB answers TransactionConflictException then (developer guide, "Transaction conflict handling"), which
botocore does not retry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

ATTEMPTS = 5
_BASE_BACKOFF_SECONDS = 0.05


def retry_conflicts(
    write: Callable[..., Any], sleep: Callable[[float], None], jitter: Callable[[], float], **request: Any
) -> Any:
    """The response of `write(**request)`, which is sent at most ATTEMPTS times within about two seconds.

    `sleep` takes seconds and `jitter` returns [0, 1). Raises boto3's errors.
    """
    attempt = 0
    while True:
        try:
            return write(**request)
        except ClientError as error:
            attempt += 1
            if (
                error.response.get("Error", {}).get("Code") != "TransactionConflictException"
                or attempt == ATTEMPTS
            ):
                raise
            sleep(jitter() * _BASE_BACKOFF_SECONDS * 2**attempt)
