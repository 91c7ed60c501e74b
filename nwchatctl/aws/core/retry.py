"""Retries of AWS calls: which errors are transient, how long each is retried, and how to create once what AWS
would create twice. All waiting is bounded, and `stop_retrying` ends it.

botocore retries some errors itself, for some seconds. Errors that last longer, and those that it does not
know (a bare 429, a conflict, a role that Lambda does not know yet), are retried here.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, Self, TypeVar, cast

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from nwchatctl import wait_notices
from nwchatctl.errors import ChatError
from nwchatctl.wait_notices import NOTICE_INTERVAL, NOTICE_SECONDS

P = ParamSpec("P")
T = TypeVar("T")

RETRY_SECONDS = 90.0
"""How long a transient error is retried. The slowest limits that a deploy meets are those of Create-, Update-
and DeleteDomainName, one in 30 s each: if two domains change at once, just after others, the second waits for
60 s. CreateDeployment's limit is one in 5 s; the control plane's burst of 40 refills in 4 s (API Gateway
quotas)."""

UNANSWERED_SECONDS = 30.0
"""How long a call without a response is retried, in addition to botocore's own attempts."""

VISIBLE_SECONDS = 30.0
"""How long a resource that was just created is looked for where AWS is eventually consistent."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
"""Seconds. A wait is random between 0 and a maximum that doubles ("full jitter", Amazon Builders'
Library)."""

FIRST_POLL, LONGEST_POLL = 0.2, 2.0
"""Seconds between two polls; each interval is 1.5 times the one before."""

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
    # DynamoDB: an item-level write met a transaction on the same item, or a transaction was repeated while it
    # ran (DynamoDB developer guide, "Transaction conflict handling"). botocore retries only the second.
    ("TransactionConflictException", ""),
    ("TransactionInProgressException", ""),
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
"""Messages of errors that do not pass, though their code is that of a transient one."""

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

_TRANSIENT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Why a transaction may be cancelled that is likely to succeed soon (DynamoDB API reference,
TransactWriteItems)."""

_SERVER_ERROR_STATUSES = (500, 502, 503, 504)

_LASTING_CONNECTION_ERRORS = (aws.SSLError, aws.ProxyConnectionError)
"""Connection errors that are not transient."""

_stop = threading.Event()


def stop_retrying() -> None:
    """Stops all retries and waits of all threads, for good: the process was told to stop."""
    _stop.set()


@contextmanager
def stop_retrying_on_interrupt() -> Iterator[None]:
    """Stops all retries if Ctrl-C, SIGTERM or --timeout interrupts the block. Enter it inside a thread pool's
    block, which waits for its threads."""
    try:
        yield
    except KeyboardInterrupt:
        stop_retrying()
        raise


def waiting_reason(error: Exception) -> str:
    """Why the call that failed with `error` is repeated, for the operator."""
    operation = getattr(error, "operation_name", "a call")
    if is_unanswered(error):
        return f"AWS could not be reached: {error}"
    if is_throttled(error):
        return f"AWS limits how often {operation} is called"
    return f"AWS fails {operation} for now"


def is_stopped() -> bool:
    """Whether `stop_retrying` was called."""
    return _stop.is_set()


def error_code(error: aws.ClientError) -> str:
    """AWS's error code, or the HTTP status if the response has no code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_unanswered(error: Exception) -> bool:
    """Whether no complete response came, so that it is unknown whether the call was carried out."""
    known = (aws.ConnectionError, aws.HTTPClientError, ResponseParserError)
    if isinstance(error, _LASTING_CONNECTION_ERRORS) or is_header_error(error):
        return False
    return isinstance(error, known)


def is_header_error(error: BaseException) -> bool:
    """Whether a key or token has a character that no header may have. The error's text has the header, so it
    must not be shown."""
    return isinstance(error, aws.HTTPClientError) and "header value" in str(error)


def is_throttled(error: Exception) -> bool:
    """Whether AWS refused the call because there were too many."""
    return isinstance(error, aws.ClientError) and (
        error_code(error) in _THROTTLING_CODES or _status(error) == 429
    )


def is_server_error(error: Exception) -> bool:
    """Whether it is a server error; the call may have been carried out all the same."""
    return isinstance(error, aws.ClientError) and _status(error) in _SERVER_ERROR_STATUSES


def cancellation_codes(error: aws.ClientError) -> list[str]:
    """Why DynamoDB cancelled a transaction: one code for each of its items, in order; [] for other errors."""
    response: Any = error.response
    return [str(each.get("Code")) for each in response.get("CancellationReasons", [])]


def is_conflict(error: Exception) -> bool:
    """Whether a transaction of DynamoDB was cancelled for a reason that passes: it met another write of an
    item, or was throttled. Other cancellations, as an unmet condition, do not pass."""
    if not isinstance(error, aws.ClientError) or error_code(error) != "TransactionCanceledException":
        return False
    codes = set(cancellation_codes(error)) - {"None"}
    return bool(codes) and codes <= _TRANSIENT_REASONS


def reports_existing(error: Exception) -> bool:
    """Whether AWS reports that the resource exists already."""
    return isinstance(error, aws.ClientError) and "already exist" in str(error).lower()


def is_transient(error: Exception) -> bool:
    """Whether the same call is likely to succeed soon."""
    if is_unanswered(error) or is_throttled(error) or is_server_error(error) or is_conflict(error):
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
    """Runs `call`, and repeats it after transient errors, within the limits above.

    Only for calls that are safe to repeat after a lost response; for others there is `create_once`.
    """
    with _RetryPeriod(time.monotonic()) as period:
        while True:
            try:
                return call(*args, **kwargs)
            except Exception as error:
                period.wait_or_raise(error)


def repeat_while(
    call: Callable[[], T],
    passes: Callable[[aws.ClientError], bool],
    seconds: float,
    *,
    poll: float = LONGEST_POLL,
    notice: Callable[[float], None] = lambda waited: None,
    ended: threading.Event | None = None,
) -> T:
    """Runs `call`, and repeats it every `poll` seconds while it fails with an error that `passes`, for at
    most `seconds`; transient errors are retried as by `with_retries`. Then raises the error.

    `notice` is called with the seconds waited so far after `NOTICE_SECONDS`, and every minute. `ended` ends
    the wait early.
    """

    def attempt() -> tuple[T, None] | tuple[None, aws.ClientError]:
        try:
            return call(), None
        except aws.ClientError as error:
            if passes(error):
                return None, error
            raise

    pause = _NoticedPause(notice, time.monotonic())
    deadline = pause.began + seconds
    while True:
        result, error = with_retries(attempt)
        if error is None:
            return cast("T", result)
        over = time.monotonic() + poll > deadline or (ended is not None and ended.is_set())
        if over or pause.wait(poll):
            raise error


@dataclass
class _NoticedPause:
    """The pauses of one wait that began at `began` (monotonic seconds), with a notice when one is due."""

    notice: Callable[[float], None]
    began: float
    next_notice: float = NOTICE_SECONDS

    def wait(self, seconds: float) -> bool:
        """Waits; returns True at once if the process was told to stop."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            due = self.began + self.next_notice - time.monotonic()
            if _stop.wait(min(left, max(due, 0.0))):
                return True
            if time.monotonic() >= self.began + self.next_notice:
                waited = time.monotonic() - self.began
                self.next_notice = waited + NOTICE_INTERVAL
                self.notice(waited)
        return False


def create_once(make: Callable[[], T], find: Callable[[], T | None]) -> tuple[T, bool]:
    """Creates a resource once; returns (what `make` returned, True) or (what `find` returned, False).

    For creates that AWS carries out each time they are sent; botocore must not retry `make`. If an error
    leaves open whether `make` was carried out, or says that the resource exists, `find` is called before
    `make` is repeated.
    """
    with _RetryPeriod(time.monotonic()) as period:
        while True:
            try:
                return make(), True
            except Exception as error:
                already_exists = reports_existing(error)
                if not already_exists:
                    period.wait_or_raise(error)
                if already_exists or is_unanswered(error) or is_server_error(error):
                    found = with_retries(find)
                    if found is not None:
                        return found, False
                    if already_exists:
                        raise


def wait_until(ready: Callable[[], bool], what: str, seconds: float) -> None:
    """Returns once `ready` returns True; transient errors of `ready` are retried.

    Raises ChatError `timeout` with the text `what` after `seconds`.
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


@dataclass(eq=False)
class _RetryPeriod:
    """The retries of one call: when they started (monotonic seconds), and the maximum of the next wait
    (seconds). A context manager around the call."""

    started_at: float
    max_wait: float = FIRST_WAIT

    def __enter__(self) -> Self:
        wait_notices.began(self, "", self.started_at)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        wait_notices.ended(self, answered=error is None)

    def wait_or_raise(self, error: Exception) -> None:
        """Waits before the next attempt. Raises `error` if it is not transient or the time is over."""
        if not is_transient(error):
            raise error
        # Jitter needs no cryptographic randomness.
        wait = random.uniform(0, self.max_wait)  # noqa: S311
        self.max_wait = min(LONGEST_WAIT, self.max_wait * 2)
        limit = UNANSWERED_SECONDS if is_unanswered(error) else RETRY_SECONDS
        waited = time.monotonic() + wait - self.started_at
        if waited > limit:
            raise error
        wait_notices.failed(self, "", waiting_reason(error))
        if _stop.wait(wait):
            raise error


def _status(error: aws.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
