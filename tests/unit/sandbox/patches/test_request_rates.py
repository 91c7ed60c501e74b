from __future__ import annotations

from collections.abc import Iterator

import pytest

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.patches.request_rates import RequestRates
from nwchatctl.sandbox.request_model import ApiCall

REGION = "eu-central-1"


@pytest.fixture
def at_aws_pace() -> Iterator[None]:
    before = limits.current()
    limits.set_current(RuleValues(1.0))
    yield
    limits.set_current(before)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def accepted(rates: RequestRates, service: str, operation: str, calls: int, region: str = REGION) -> int:
    call = ApiCall(service, operation, "", {})
    return sum(rates.refusal(call, region) is None for _ in range(calls))


@pytest.mark.usefixtures("at_aws_pace")
def test_gateway_has_one_bucket_for_both_versions_in_each_region() -> None:
    clock = Clock()
    rates = RequestRates(clock)
    assert accepted(rates, "apigatewayv2", "GetApis", 30) == 30
    assert accepted(rates, "apigateway", "GetAccount", 30) == 10
    assert accepted(rates, "apigatewayv2", "GetApis", 30, "us-east-1") == 30
    clock.now += 1
    assert accepted(rates, "apigatewayv2", "GetApis", 30) == 10


@pytest.mark.usefixtures("at_aws_pace")
@pytest.mark.parametrize(
    ("service", "operation", "seconds"),
    [
        ("apigatewayv2", "CreateDeployment", 5),
        ("apigatewayv2", "CreateDomainName", 30),
        ("apigatewayv2", "UpdateDomainName", 30),
        ("apigatewayv2", "DeleteDomainName", 30),
        ("apigateway", "UpdateAccount", 20),
    ],
)
def test_slow_operations_have_intervals_of_their_own(service: str, operation: str, seconds: float) -> None:
    clock = Clock()
    rates = RequestRates(clock)
    assert accepted(rates, service, operation, 2) == 1
    clock.now += seconds - 0.1
    assert accepted(rates, service, operation, 1) == 0
    clock.now += 0.2
    assert accepted(rates, service, operation, 2) == 1


@pytest.mark.usefixtures("at_aws_pace")
def test_lambda_counts_reads_of_functions_and_policies_apart() -> None:
    rates = RequestRates(Clock())
    assert accepted(rates, "lambda", "CreateFunction", 20) == 15
    assert accepted(rates, "lambda", "GetPolicy", 20) == 15
    assert accepted(rates, "lambda", "GetFunction", 120) == 100
    assert accepted(rates, "lambda", "Invoke", 500) == 500


@pytest.mark.usefixtures("at_aws_pace")
def test_route53_has_one_bucket_for_all_regions() -> None:
    rates = RequestRates(Clock())
    assert accepted(rates, "route53", "ListHostedZones", 5) == 5
    assert accepted(rates, "route53", "ListHostedZones", 5, "us-east-1") == 0


@pytest.mark.usefixtures("at_aws_pace")
def test_throttling_errors_are_those_of_each_service() -> None:
    rates = RequestRates(Clock())
    expected = {
        ("apigatewayv2", "GetApis"): (429, b"Too Many Requests"),
        ("lambda", "ListFunctions"): (429, b"CallerRateLimitExceeded"),
        ("route53", "ListHostedZones"): (400, b"<Code>Throttling</Code>"),
    }
    for (service, operation), (status, part) in expected.items():
        accepted(rates, service, operation, 50)
        refused = rates.refusal(ApiCall(service, operation, "", {}), REGION)
        assert refused is not None and refused[0] == status and part in refused[2]


def test_without_a_pace_nothing_is_limited() -> None:
    rates = RequestRates(Clock())
    assert accepted(rates, "apigatewayv2", "CreateDeployment", 100) == 100
    assert accepted(rates, "lambda", "CreateFunction", 100) == 100
