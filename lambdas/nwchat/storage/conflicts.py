"""Retries of writes that meet a transaction on the same item.

DynamoDB answers an item-level write with TransactionConflictException then (developer guide, "Transaction
conflict handling"), which botocore does not retry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

ATTEMPTS = 5
_BASE_BACKOFF_SECONDS = 0.05


def is_conflict(error: ClientError) -> bool:
    """Whether an item-level write met a transaction."""
    return error.response.get("Error", {}).get("Code") == "TransactionConflictException"


def retry_conflicts(
    write: Callable[..., Any],
    sleep: Callable[[float], None],
    jitter: Callable[[], float],
    is_transient: Callable[[ClientError], bool] = is_conflict,
    **request: Any,
) -> Any:
    """The response of `write(**request)`, which is called at most ATTEMPTS times within about two seconds.

    `is_transient` decides whether to call it again. `sleep` takes seconds and `jitter` returns [0, 1). Raises
    boto3's errors.
    """
    attempt = 0
    while True:
        try:
            return write(**request)
        except ClientError as error:
            attempt += 1
            if not is_transient(error) or attempt == ATTEMPTS:
                raise
            sleep(jitter() * _BASE_BACKOFF_SECONDS * 2**attempt)
