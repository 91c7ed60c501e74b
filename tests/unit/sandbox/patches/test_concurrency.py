"""Lambda's limits of concurrent executions, as the sandbox counts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ministack")

from ministack.services import lambda_svc

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.patches import concurrency
from nwchatctl.sandbox.patches.concurrency import ConcurrencyExceeded, socket_event_slot

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def config(name: str) -> dict[str, Any]:
    return {"FunctionName": name, "FunctionArn": ARN + name}


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Functions `a` and `b` in an account with 3 executions."""
    functions: dict[str, Any] = {name: {"concurrency": None, "config": config(name)} for name in "ab"}
    monkeypatch.setattr(lambda_svc, "_functions", functions)
    monkeypatch.setattr(lambda_svc, "_inflight", {})
    monkeypatch.setattr(lambda_svc, "_inflight_total", 0)
    monkeypatch.setattr(concurrency, "_FIRST_WAIT", 0.001)
    limits.set_current(limits.RuleValues(0.0, {"concurrent_executions": 3}))
    yield functions
    limits.set_current(limits.RuleValues())


def acquire(name: str) -> str | None:
    """Whose limit refuses one more execution; None if it is counted."""
    return concurrency.acquire_slot({}, config(name))[1]


def test_account_limit_counts_invocations_and_socket_events() -> None:
    with socket_event_slot(config("a")), socket_event_slot(config("b")):
        assert [acquire("a"), acquire("b")] == [None, "account"]
        with pytest.raises(ConcurrencyExceeded) as raised, socket_event_slot(config("a")):
            pass
        assert raised.value.scope == "account"
    assert acquire("b") is None


def test_reserved_executions_are_the_functions_own_and_no_others(account: dict[str, Any]) -> None:
    account["a"]["concurrency"] = 1
    assert [acquire("a"), acquire("a")] == [None, "function"]
    assert [acquire("b"), acquire("b"), acquire("b")] == [None, None, "account"]


def test_rules_that_are_off_refuse_nothing(account: dict[str, Any]) -> None:
    account["a"]["concurrency"] = 0
    limits.set_current(limits.RuleValues(0.0, {"concurrent_executions": None, "reserved_concurrency": None}))
    assert [acquire("a") for _ in range(4)] == [None] * 4


THROTTLED = {"throttle": True, "error": True, "body": {}}
DONE = {"body": "x"}


@pytest.mark.parametrize(
    ("asynchronous", "reserved", "attempts"), [(True, 1, 3), (False, 1, 1), (True, 0, 1)]
)
def test_throttled_event_is_tried_again_unless_its_function_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
    account: dict[str, Any],
    asynchronous: bool,
    reserved: int,
    attempts: int,
) -> None:
    account["a"]["concurrency"] = reserved
    answers = [THROTTLED, THROTTLED, DONE]
    monkeypatch.setattr(concurrency, "_execute", lambda function, event: answers.pop(0))
    function = {"config": config("a"), concurrency.ASYNCHRONOUS: asynchronous}
    result = concurrency.execute(function, {})
    assert (3 - len(answers), result) == (attempts, DONE if attempts == 3 else THROTTLED)


def test_throttled_event_is_given_up_when_it_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "_execute", lambda function, event: THROTTLED)
    function = {
        "config": config("a"),
        concurrency.ASYNCHRONOUS: True,
        "event_invoke_config": {"MaximumEventAgeInSeconds": 0},
    }
    assert concurrency.execute(function, {}) == THROTTLED


def test_large_response_is_a_failure_of_the_function() -> None:
    limits.set_current(limits.RuleValues(0.0, {"payload_synchronous": 10}))
    assert concurrency.too_large("x" * 8) is None
    failure = concurrency.too_large("x" * 9)
    assert failure is not None
    assert failure["body"]["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_reservation_leaves_a_hundred_or_all_of_a_small_account(account: dict[str, Any]) -> None:
    def put(count: int) -> Any:
        return concurrency.put_concurrency("a", {"ReservedConcurrentExecutions": count})

    assert put(0)[0] == 200
    assert put(1)[0] == 400
    limits.set_current(limits.RuleValues(0.0, {"concurrent_executions": 150}))
    account["b"]["concurrency"] = 20
    assert put(30)[0] == 200
    status, _, body = put(31)
    assert (status, "minimum value of [100]" in json.loads(body)["message"]) == (400, True)
