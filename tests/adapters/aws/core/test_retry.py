"""Which failures are transient, that retries end, and that nothing is created twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from nwchatctl import wait_notices
from nwchatctl.aws.core import retry
from nwchatctl.errors import ChatError

BUSY = "Unable to complete operation due to concurrent modification. Please try again later."
URL = "http://127.0.0.1:1"
RESET = aws.ConnectionClosedError(endpoint_url=URL)


def client_error(code: str, message: str = "", status: int = 400) -> aws.ClientError:
    about = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return aws.ClientError(about, "CreateFunction")  # type: ignore[arg-type]


class Clock(threading.Event):
    """The event that a retry waits for; waiting for it costs no time, but moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.now += timeout
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(retry, "_stop", made)
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def answering(*answers: Exception | str) -> Callable[[], str]:
    """A call that gives one of `answers` after the other, and the last for ever."""
    left = list(answers)

    def call() -> str:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        (
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            400,
            True,
        ),
        (
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call …",
            400,
            True,
        ),
        ("InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes", 400, False),
        ("ResourceConflictException", "An update is in progress for resource: arn:aws:lambda:…", 409, True),
        ("ResourceConflictException", "The statement id (x) provided already exists.", 409, False),
        ("ResourceConflictException", "Function already exist: f", 409, False),
        ("ConflictException", BUSY, 409, True),
        ("ConflictException", "something else is going on", 409, True),
        ("ConflictException", "Api mapping already exists", 409, False),
        ("ResourceInUseException", "Table is being created: t", 400, True),
        ("ResourceInUseException", "Table already exists: t", 400, False),
        ("ResourceInUseException", "Table is being deleted: t", 400, False),
        ("ContinuousBackupsUnavailableException", "Backups are being enabled for the table: t", 400, True),
        ("OperationAbortedException", "A conflicting operation is currently in progress", 400, True),
        ("TransactionConflictException", "Transaction is ongoing for the item", 400, True),
        ("TransactionInProgressException", "The transaction with the given token is in progress", 400, True),
        ("TransactionCanceledException", "cancelled for reasons that are not given", 400, False),
        ("ThrottlingException", "Rate exceeded", 400, True),
        ("Throttling", "Rate exceeded", 400, True),
        ("TooManyRequestsException", "Too Many Requests", 429, True),
        ("429", "", 429, True),
        ("502", "Bad Gateway", 502, True),
        ("ServiceException", "internal", 500, True),
        ("AccessDeniedException", "no", 403, False),
        ("LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000", 409, False),
    ],
)
def test_transient_errors_are_recognized(code: str, message: str, status: int, expected: bool) -> None:
    assert retry.is_transient(client_error(code, message, status)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RESET, True),
        (aws.ReadTimeoutError(endpoint_url=URL), True),
        (aws.ConnectTimeoutError(endpoint_url=URL), True),
        (aws.EndpointConnectionError(endpoint_url=URL), True),
        (ResponseParserError("cut"), True),
        (aws.SSLError(endpoint_url=URL, error=ValueError("self-signed")), False),
        (aws.ProxyConnectionError(proxy_url=URL), False),
        (aws.NoCredentialsError(), False),
        (ValueError("x"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_transient_connection_errors_are_recognized(error: Exception, expected: bool) -> None:
    assert retry.is_transient(error) is expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["TransactionConflict", "None"], True),
        (["None", "ThrottlingError"], True),
        (["ProvisionedThroughputExceeded", "TransactionConflict"], True),
        (["ConditionalCheckFailed", "TransactionConflict"], False),
        (["ItemCollectionSizeLimitExceeded"], False),
        (["None"], False),
    ],
)
def test_cancelled_transactions_are_transient_by_their_reasons(codes: list[str], expected: bool) -> None:
    error = client_error("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": each} for each in codes]
    assert retry.cancellation_codes(error) == codes
    assert retry.is_transient(error) is expected


def test_retry_returns_first_success(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    monkeypatch.setattr("random.uniform", uniform)
    busy = client_error("ConflictException", BUSY)
    call = answering(*[busy] * 4, client_error("429", "", 429), RESET, "done")
    assert retry.with_retries(call) == "done"
    # From 0, so that what met once does not meet again; bounded, so that nothing sleeps for long.
    assert bounds == [(0, 0.5), (0, 1.0), (0, 2.0), (0, 4.0), (0, 5.0), (0, 5.0)]
    assert clock.waits == [high for _, high in bounds]


def test_retry_gives_up_after_limit(clock: Clock) -> None:
    with pytest.raises(aws.ClientError):
        retry.with_retries(answering(client_error("ConflictException", BUSY)))
    assert retry.RETRY_SECONDS - 5 < clock.now <= retry.RETRY_SECONDS


def test_retry_outlasts_slowest_control_plane_limit(clock: Clock) -> None:
    """CreateDeployment, one in 5 s, while as many others want it as there are stages: ten."""
    free_at = [50.0]

    def call() -> str:
        if clock.now < free_at[0]:
            raise client_error("TooManyRequestsException", status=429)
        return "made"

    assert retry.with_retries(call) == "made"


def test_retry_without_response_gives_up_sooner(clock: Clock) -> None:
    """A network that is gone is no reason to hang for a minute and a half."""
    with pytest.raises(aws.ConnectionClosedError):
        retry.with_retries(answering(RESET))
    assert retry.UNANSWERED_SECONDS - 5 < clock.now <= retry.UNANSWERED_SECONDS


def test_a_long_retry_is_announced_once_and_its_end_too(clock: Clock) -> None:
    throttled = client_error("TooManyRequestsException", status=429)
    said: list[str] = []
    with wait_notices.announced(said.append, watched=False):
        assert retry.with_retries(answering(throttled, "quick")) == "quick"
        assert said == []
        with pytest.raises(aws.ClientError):
            retry.with_retries(answering(throttled))
        assert said[0] == "AWS limits how often CreateFunction is called; waiting until this has passed"
        # 90 seconds, so twice; and the error says how it ended.
        assert len(said) == 2
        retry.with_retries(answering(*(RESET,) * 6, "late"))
    assert said[2].startswith("AWS could not be reached: Connection was closed before we received a valid")
    assert said[3:] == ["AWS answers again"]
    with pytest.raises(aws.ClientError):
        retry.with_retries(answering(throttled))
    assert len(said) == 4


def test_other_errors_are_not_retried(clock: Clock) -> None:
    with pytest.raises(aws.ClientError):
        retry.with_retries(answering(client_error("ValidationException", "no")))
    assert clock.waits == []


def test_stop_retrying_ends_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a change is patient in a thread of its own: the thread ends at once, with AWS's error."""
    monkeypatch.setattr(retry, "_stop", threading.Event())
    monkeypatch.setattr("random.uniform", lambda low, high: 60.0)
    asked, ended = threading.Event(), threading.Event()

    def call() -> None:
        asked.set()
        raise client_error("ConflictException", BUSY)

    def change() -> None:
        with pytest.raises(aws.ClientError):
            retry.with_retries(call)
        ended.set()

    thread = threading.Thread(target=change)
    thread.start()
    assert asked.wait(60)
    with pytest.raises(KeyboardInterrupt), retry.stop_retrying_on_interrupt():
        raise KeyboardInterrupt
    assert ended.wait(60)
    thread.join()
    assert retry.is_stopped()


# Once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [RESET, client_error("502", "Bad Gateway", 502), client_error("ConflictException", "x already exists")],
    ids=["reset", "502", "exists"],
)
def test_create_once_finds_resource_whose_response_was_lost(clock: Clock, error: Exception) -> None:
    assert retry.create_once(answering(error), lambda: "found") == ("found", False)


@pytest.mark.parametrize("error", [RESET, client_error("502", "Bad Gateway", 502)], ids=["reset", "502"])
def test_create_once_retries_when_nothing_was_created(clock: Clock, error: Exception) -> None:
    assert retry.create_once(answering(error, error, "made"), lambda: None) == ("made", True)
    assert len(clock.waits) == 2


def test_create_once_does_not_search_after_throttling(clock: Clock) -> None:
    throttled = client_error("TooManyRequestsException", status=429)
    looks: list[int] = []
    made = retry.create_once(answering(throttled, throttled, "made"), lambda: looks.append(1))
    assert (made, looks) == (("made", True), [])


def test_create_once_gives_up_after_limit(clock: Clock) -> None:
    with pytest.raises(aws.ConnectionClosedError):
        retry.create_once(answering(RESET), lambda: None)
    with pytest.raises(aws.ClientError, match="already exists"):
        retry.create_once(answering(client_error("ConflictException", "x already exists")), lambda: None)
    with pytest.raises(aws.ClientError, match="ValidationException"):
        retry.create_once(answering(client_error("ValidationException")), lambda: pytest.fail("looked"))


def test_search_is_retried(clock: Clock) -> None:
    look = answering(client_error("429", "", 429), "found")
    assert retry.create_once(answering(RESET), look) == ("found", False)


# Waiting --------------------------------------------------------------------------------------


def test_poll_starts_at_once_and_backs_off(clock: Clock) -> None:
    retry.wait_until(lambda: len(clock.waits) == 8, "it is not there", 60)
    assert clock.waits == pytest.approx([0.2, 0.3, 0.45, 0.675, 1.0125, 1.51875, 2.0, 2.0])


def test_poll_survives_throttling_and_lost_responses(clock: Clock) -> None:
    ready = answering(client_error("ThrottlingException"), RESET, "yes")
    retry.wait_until(lambda: bool(ready()), "it is not there", 60)


def test_poll_gives_up_after_limit(clock: Clock) -> None:
    with pytest.raises(ChatError, match="AWS took too long: the table is not active") as caught:
        retry.wait_until(lambda: False, "the table is not active", 60)
    assert caught.value.code == "timeout"
    assert 57 < clock.now <= 60
