"""Patience with AWS: which failures pass, how long each is waited for, and how to make once what AWS would
make twice. All waiting is bounded, and Ctrl-C ends it (`hurry`).

botocore retries some failures by itself, some seconds long. What outlasts that, and what it does not know
(a bare 429, a conflict, a role that Lambda does not know yet), is retried here.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from nwchatctl.errors import ChatError

P = ParamSpec("P")
T = TypeVar("T")

RETRY_SECONDS = 90.0
"""How long a change that AWS says will work soon is tried again. The slowest limits that a deploy meets
are those of Create-, Update- and DeleteDomainName, one in 30 s each: of two names that change at once, just
after others, the second waits for 60. CreateDeployment's is one in 5 s; the control plane's burst of 40
refills in 4 s (API Gateway quotas)."""

UNANSWERED_SECONDS = 30.0
"""How long a call that nobody answers is tried again, on top of botocore's own attempts."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
"""Seconds. A wait is drawn between 0 and a bound that doubles ("full jitter", Amazon Builders' Library)."""

FIRST_POLL, LONGEST_POLL = 0.2, 2.0
"""Seconds between two looks at what AWS is still making; each is half as long again as the one before."""

_TRANSIENT = (
    # Lambda, of a role made seconds ago: IAM is eventually consistent.
    ("InvalidParameterValueException", "cannot be assumed by lambda"),
    ("InvalidParameterValueException", "does not have permissions"),
    # The same, of a queue made seconds ago: "The destination ARN … is invalid" (terraform-provider-aws).
    ("InvalidParameterValueException", "destination arn"),
    # SQS: a name is free again 60 seconds after its queue was deleted (CreateQueue).
    ("AWS.SimpleQueueService.QueueDeletedRecently", ""),
    ("QueueDeletedRecently", ""),
    # The same, where there are environment variables to encrypt (so terraform-provider-aws and chalice).
    ("InvalidParameterValueException", "kms key is invalid for creategrant"),
    # Lambda, while an earlier update runs.
    ("ResourceConflictException", "in progress"),
    ("ResourceConflictException", "cannot be performed at this time"),
    ("ResourceConflictException", "concurrent update"),
    # Lambda, of a version that an alias left a moment ago.
    ("ResourceConflictException", "referenced by an alias"),
    ("ResourceConflictException", "aliases reference it"),
    # API Gateway, when two calls meet: "concurrent modification", and what else it calls a conflict.
    ("ConflictException", ""),
    # API Gateway, of a role made seconds ago; two ways of saying it (so terraform-provider-aws).
    ("BadRequestException", "role arn does not have required"),
    ("BadRequestException", "could not successfully write to cloudwatch logs"),
    # API Gateway, of the account's logging role, set seconds ago.
    ("BadRequestException", "cloudwatch logs role arn must be set"),
    # DynamoDB: a table that is still being changed; more than 500 control plane calls at once.
    ("ResourceInUseException", "being"),
    ("LimitExceededException", "simultaneous"),
    # DynamoDB, of a table made seconds ago: its backups are still being enabled.
    ("ContinuousBackupsUnavailableException", ""),
    # CloudWatch Logs and IAM, for the same reasons.
    ("OperationAbortedException", ""),
    ("ConcurrentModificationException", ""),
    ("ConcurrentModification", ""),
    ("EntityTemporarilyUnmodifiable", ""),
    # IAM, of a role just made that another of its hosts does not know yet.
    ("MalformedPolicyDocument", "invalid principal"),
)

_LASTING_ERRORS = ("already exist", "being deleted")
"""What no waiting changes, though its code is one that passes."""

_THROTTLING_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "SlowDown",
        "PriorRequestNotComplete",
    }
)
"""botocore's own list (botocore.retries.standard), less what is a quota here."""

_SERVER_ERROR_STATUSES = (500, 502, 503, 504)

_LASTING_CONNECTION_ERRORS = (aws.SSLError, aws.ProxyConnectionError)
"""Connections that fail for a reason that stays."""

_stop = threading.Event()


def stop_retrying() -> None:
    """Ends the patience of all threads for good: this process has been told to stop."""
    _stop.set()


@contextmanager
def stop_retrying_on_interrupt() -> Iterator[None]:
    """Within, Ctrl-C (SIGTERM, --timeout) hurries. To be entered inside a pool: it waits for its threads."""
    try:
        yield
    except KeyboardInterrupt:
        stop_retrying()
        raise


def is_stopped() -> bool:
    """Whether `hurry` was called."""
    return _stop.is_set()


def error_code(error: aws.ClientError) -> str:
    """AWS's error code, or the HTTP status where the answer carried none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_unanswered(error: Exception) -> bool:
    """Whether no whole answer came, so that nobody knows if the call was carried out."""
    known = (aws.ConnectionError, aws.HTTPClientError, ResponseParserError)
    return isinstance(error, known) and not isinstance(error, _LASTING_CONNECTION_ERRORS)


def is_throttled(error: Exception) -> bool:
    """Whether AWS did nothing, because there were too many calls."""
    return isinstance(error, aws.ClientError) and (
        error_code(error) in _THROTTLING_CODES or _status(error) == 429
    )


def is_server_error(error: Exception) -> bool:
    """Whether the fault is AWS's own; the call may have been carried out all the same."""
    return isinstance(error, aws.ClientError) and _status(error) in _SERVER_ERROR_STATUSES


def is_already_exists(error: Exception) -> bool:
    """Whether AWS says that what should be made is there already."""
    return isinstance(error, aws.ClientError) and "already exist" in str(error).lower()


def is_transient(error: Exception) -> bool:
    """Whether the same call may well work soon."""
    if is_unanswered(error) or is_throttled(error) or is_server_error(error):
        return True
    if not isinstance(error, aws.ClientError):
        return False
    text = str(error).lower()
    if any(part in text for part in _LASTING_ERRORS):
        return False
    return any(error_code(error) == code and part in text for code, part in _TRANSIENT)


def with_retries(
    call: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """`call`, again for as long as `passing` errors come, within the bounds above.

    Only for calls that are safe to repeat after an answer was lost; `once` is for the others.
    """
    period = _RetryPeriod(time.monotonic())
    while True:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            period.wait_or_raise(error)


def create_once(make: Callable[[], T], find: Callable[[], T | None]) -> tuple[T, bool]:
    """What `make` gave and True; or what `find` found and False.

    For creates that AWS carries out as often as they are sent. `make` must not be retried by botocore.
    Where its failure leaves open whether it was carried out, or says that it was, `find` is asked before
    it is called again.
    """
    period = _RetryPeriod(time.monotonic())
    while True:
        try:
            return make(), True
        except Exception as error:
            already_exists = is_already_exists(error)
            if not already_exists:
                period.wait_or_raise(error)
            if already_exists or is_unanswered(error) or is_server_error(error):
                found = with_retries(find)
                if found is not None:
                    return found, False
                if already_exists:
                    raise


def wait_until(ready: Callable[[], bool], what: str, seconds: float) -> None:
    """Returns once `ready` says so; failures of asking that pass are survived.

    Raises ChatError `timeout`, saying `what` did not come to pass within `seconds`.
    """
    deadline = time.monotonic() + seconds
    wait = FIRST_POLL
    while not with_retries(ready):
        if time.monotonic() + wait > deadline or _stop.wait(wait):
            raise ChatError(
                f"AWS took too long: {what}",
                hint="run the command again: it goes on from here",
                code="timeout",
            )
        wait = min(wait * 1.5, LONGEST_POLL)


@dataclass
class _RetryPeriod:
    """With one call: since when, and how long the next wait may be."""

    started_at: float
    max_wait: float = FIRST_WAIT

    def wait_or_raise(self, error: Exception) -> None:
        """Waits before another attempt. Raises `error` where there is to be none."""
        if not is_transient(error):
            raise error
        # Jitter, not secrecy.
        wait = random.uniform(0, self.max_wait)  # noqa: S311
        self.max_wait = min(LONGEST_WAIT, self.max_wait * 2)
        limit = UNANSWERED_SECONDS if is_unanswered(error) else RETRY_SECONDS
        if time.monotonic() + wait > self.started_at + limit or _stop.wait(wait):
            raise error


def _status(error: aws.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
