"""Concurrent executions of functions, and the size of their responses, as Lambda limits them.

ministack 1.5.33 has a cap of its own by the machine's memory, does not apply a function's reserved
concurrency to its versions and aliases, nor to events of WebSocket APIs, and accepts any reservation.
Sources: Lambda developer guide, "Understanding Lambda function scaling", "Configuring reserved concurrency"
and "How Lambda handles errors and retries with asynchronous invocation".
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.patches import role_grants

UNRESERVED = 100
"""Executions that always remain for functions without reserved concurrency, or all of a smaller account."""

ASYNCHRONOUS = "asynchronous"
"""The key in a function's record that marks an asynchronous invocation."""

_MAX_EVENT_SECONDS = 21_600
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 2.0
"""Seconds between two attempts of a throttled event; Lambda begins with one second."""

_execute = lambda_svc._execute_function
_put = lambda_svc._put_function_concurrency
_account_settings = lambda_svc._get_account_settings


class ConcurrencyExceeded(Exception):
    """An invocation beyond a limit. `scope` is whose limit: "function" or "account"."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope


def acquire_slot(function: dict[str, Any], config: dict[str, Any]) -> tuple[str | None, str | None]:
    """Counts one invocation; returns its key, or None and whose limit is reached.

    The machine's own cap, which protects it from functions that invoke themselves, remains.
    """
    key = lambda_svc._inflight_key(config)
    with lambda_svc._inflight_lock:
        machine = lambda_svc._ACCOUNT_CONCURRENCY_CAP
        if machine and lambda_svc._inflight_total >= machine:
            return None, "account"
        if (scope := _exhausted(key)) is not None:
            return None, scope
        lambda_svc._inflight[key] = lambda_svc._inflight.get(key, 0) + 1
        lambda_svc._inflight_total += 1
    return key, None


@contextmanager
def socket_event_slot(config: dict[str, Any]) -> Iterator[None]:
    """Counts one event of a WebSocket API while the block runs. Raises ConcurrencyExceeded.

    The machine's cap does not apply: these events wait for an environment.
    """
    key, running = lambda_svc._inflight_key(config), lambda_svc._inflight
    with lambda_svc._inflight_lock:
        if (scope := _exhausted(key)) is not None:
            raise ConcurrencyExceeded(scope)
        running[key] = running.get(key, 0) + 1
    try:
        yield
    finally:
        with lambda_svc._inflight_lock:
            running[key] -= 1


def _exhausted(key: str) -> str | None:
    """Whose limit does not allow one more execution of the function `key`: "function" or "account"."""
    running, reservations = lambda_svc._inflight, _reservations()
    reserved = reservations.get(key.rpartition(":")[2])
    if reserved is not None:
        return "function" if running.get(key, 0) >= reserved else None
    shared = sum(count for each, count in running.items() if each.rpartition(":")[2] not in reservations)
    return "account" if shared >= _account_limit() - sum(reservations.values()) else None


def _account_limit() -> float:
    limit = limits.current().value("concurrent_executions")
    return math.inf if limit is None else limit


def _reservations() -> dict[str, int]:
    """The reserved concurrency of each function that has one."""
    if not limits.current().on("reserved_concurrency"):
        return {}
    found = {name: lambda_svc._functions[name].get("concurrency") for name in list(lambda_svc._functions)}
    return {name: int(count) for name, count in found.items() if count is not None}


def execute(function: dict[str, Any], event: Any) -> dict[str, Any]:
    """Executes a function. A throttled event is tried again until it is too old, which counts as none of its
    retries; with a reserved concurrency of 0 it fails at once."""
    config = function.get("config") or function
    if (undecrypted := role_grants.failure(config)) is not None:
        return undecrypted
    age = (function.get("event_invoke_config") or {}).get("MaximumEventAgeInSeconds", _MAX_EVENT_SECONDS)
    deadline, wait = time.monotonic() + age, _FIRST_WAIT
    while True:
        result: dict[str, Any] = _execute(function, event)
        stopped = _reservations().get(str(config.get("FunctionName"))) == 0
        is_repeated = result.get("throttle") and function.get(ASYNCHRONOUS) and not stopped
        if not is_repeated or time.monotonic() + wait > deadline:
            return result if result.get("error") else too_large(result.get("body")) or result
        time.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT)


def too_large(response: Any) -> dict[str, Any] | None:
    """The failure of a function whose response is too large; None for any other response."""
    most = limits.current().value("payload_synchronous")
    size = len(json.dumps(response, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if most is None or size <= most:
        return None
    text = f"Response payload size exceeded maximum allowed payload size ({most:.0f} bytes)."
    return {
        "body": {"errorMessage": text, "errorType": "Function.ResponseSizeTooLarge"},
        "error": True,
        "log": "",
    }


def put_concurrency(name: str, wanted: dict[str, Any]) -> Any:
    """Reserves concurrency for a function, unless too little would remain for the others."""
    reserved, total = _reservations(), _account_limit()
    reserved[name] = int(wanted.get("ReservedConcurrentExecutions", 0))
    least = min(UNRESERVED, total)
    if limits.current().on("reserved_concurrency") and total - sum(reserved.values()) < least:
        return error_response_json(
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{least:g}].",
            400,
        )
    return _put(name, wanted)


def account_settings() -> Any:
    """The account's limits, as the rules have them."""
    status, headers, body = _account_settings()
    answer, total = json.loads(body), limits.current().value("concurrent_executions")
    if total is not None:
        answer["AccountLimit"]["ConcurrentExecutions"] = int(total)
        left = total - sum(_reservations().values())
        answer["AccountLimit"]["UnreservedConcurrentExecutions"] = int(max(left, 0))
    return status, headers, json.dumps(answer).encode()


def install() -> None:
    lambda_svc._acquire_execution_slot = acquire_slot
    lambda_svc._execute_function = execute
    lambda_svc._put_function_concurrency = put_concurrency
    lambda_svc._get_account_settings = account_settings
