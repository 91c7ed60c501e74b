"""Limits the rates of calls to the control planes, as AWS does (rules of `sandbox up --pace`).

API Gateway: 10 calls a second with a bucket of 40 for the whole account, and slower limits of single
operations (developer guide, "Quotas for creating, deploying and managing an API"). Lambda: 15 a second, of
which GetPolicy has its own and GetFunction 100 (developer guide, "API requests per function"). Route 53: 5 a
second (developer guide, "Maximums on API requests").
"""

from __future__ import annotations

import time
from collections.abc import Callable

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.request_filter import Response
from nwchatctl.sandbox.request_model import ApiCall
from nwchatctl.sandbox.service_errors import error_response
from nwchatctl.sandbox.token_bucket import TokenBuckets

_INTERVALS = {
    "CreateDeployment": "deployment_interval",
    "CreateDomainName": "domain_name_interval",
    "UpdateDomainName": "domain_name_interval",
    "DeleteDomainName": "domain_name_interval",
    "UpdateAccount": "account_update_interval",
}
"""The rules of single operations of API Gateway, each of which has its own bucket."""

_INVOCATIONS = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")
_GET_FUNCTION_SHARE = 100 / 15
"""How much more GetFunction may be called than the rest of Lambda's control plane."""


class RequestRates:
    """The token buckets of the account, which AWS has for each Region (Route 53 has one)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets = TokenBuckets()

    def refusal(self, call: ApiCall, region: str) -> Response | None:
        """The service's throttling error for a call; None if it is within the rates."""
        match call.service:
            case "apigateway" | "apigatewayv2":
                return None if self._gateway(call.operation, region) else _too_many(call.service)
            case "lambda" if call.operation not in _INVOCATIONS:
                return None if self._lambda(call.operation, region) else _too_many_of_lambda()
            case "route53":
                rate = limits.current().value("route53_rate")
                return None if self._take(("route53", ""), rate, rate) else _too_many_of_route53()
        return None

    def _gateway(self, operation: str, region: str) -> bool:
        values = limits.current()
        rate, burst = values.value("gateway_rate"), values.value("gateway_burst")
        if not self._take(("gateway", region), rate, burst):
            return False
        rule = _INTERVALS.get(operation)
        interval = values.value(rule) if rule else None
        return not interval or self._take((operation, region), 1 / interval, 1)

    def _lambda(self, operation: str, region: str) -> bool:
        rate = limits.current().value("lambda_rate")
        if rate is None:
            return True
        if operation == "GetFunction":
            rate *= _GET_FUNCTION_SHARE
        bucket = operation if operation in ("GetFunction", "GetPolicy") else "lambda"
        return self._take((bucket, region), rate, rate)

    def _take(self, name: tuple[str, str], rate: float | None, burst: float | None) -> bool:
        """Whether a bucket has a token left. A rule that is off limits nothing."""
        # A bucket of less than one token, as at a slow pace, would never accept a call.
        size = burst if rate is None or burst is None else max(1.0, burst)
        return self._buckets.take(name, rate, size, self._clock())


def _too_many(service: str) -> Response:
    return error_response(service, "TooManyRequestsException", "Too Many Requests", 429)


def _too_many_of_lambda() -> Response:
    fields = {"Reason": "CallerRateLimitExceeded", "Type": "User"}
    return error_response("lambda", "TooManyRequestsException", "Rate exceeded", 429, fields)


def _too_many_of_route53() -> Response:
    return error_response("route53", "Throttling", "Rate exceeded")
