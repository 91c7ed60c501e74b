"""Retries of writes that meet a transaction on the same item.

DynamoDB answers an item-level write with TransactionConflictException then (developer guide, "Transaction
conflict handling"), which neither client retries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nwchat.aws.errors import error_code

ATTEMPTS = 5
_BASE_BACKOFF_SECONDS = 0.05


def is_conflict(error: Exception) -> bool:
    """Whether an item-level write met a transaction."""
    return error_code(error) == "TransactionConflictException"


def retry_conflicts(
    write: Callable[..., Any],
    sleep: Callable[[float], None],
    jitter: Callable[[], float],
    is_transient: Callable[[Exception], bool] = is_conflict,
    **request: Any,
) -> Any:
    """The response of `write(**request)`, which is called at most ATTEMPTS times within about two seconds.

    `is_transient` decides whether to call it again after an error, of which it knows nothing. `sleep` takes
    seconds and `jitter` returns [0, 1). Raises the errors of `write`.
    """
    attempt = 0
    while True:
        try:
            return write(**request)
        except Exception as error:
            attempt += 1
            if not is_transient(error) or attempt == ATTEMPTS:
                raise
            sleep(jitter() * _BASE_BACKOFF_SECONDS * 2**attempt)
