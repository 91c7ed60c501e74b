"""Rate limits of API Gateway's data plane, with times of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.throttles import Settings, Throttles


@pytest.fixture(autouse=True)
def _aws_values() -> Iterator[None]:
    yield
    limits.set_current(RuleValues())


def stage(rate: float | None, burst: int | None, **routes: tuple[float, int]) -> Settings:
    def settings(rate: float | None, burst: int | None) -> dict[str, float]:
        named = {"throttlingRateLimit": rate, "throttlingBurstLimit": burst}
        return {name: value for name, value in named.items() if value is not None}

    return {
        "defaultRouteSettings": settings(rate, burst),
        "routeSettings": {key: settings(*values) for key, values in routes.items()},
    }


def routed(throttles: Throttles, found: Settings, route: str, requests: int, now: float = 0.0) -> int:
    return sum(throttles.accept_route("api", "production", found, route, now) for _ in range(requests))


def test_new_connections_have_a_bucket_of_500() -> None:
    throttles = Throttles()
    assert sum(throttles.accept_connection(0.0) for _ in range(1000)) == 500
    assert sum(throttles.accept_connection(0.5) for _ in range(1000)) == 250


def test_the_account_accepts_5000_requests_at_once_and_10000_a_second() -> None:
    throttles = Throttles()
    assert sum(throttles.accept_request(0.0) for _ in range(6000)) == 5000
    assert sum(throttles.accept_request(0.25) for _ in range(6000)) == 2500


@pytest.mark.parametrize(("burst", "accepted"), [(3.0, 3), (None, 7)])
def test_a_burst_that_is_off_is_one_second(burst: float | None, accepted: int) -> None:
    limits.set_current(RuleValues(chosen={"connect_rate": 7.0, "connect_burst": burst}))
    throttles = Throttles()
    assert sum(throttles.accept_connection(0.0) for _ in range(20)) == accepted


def test_rates_that_are_off_limit_nothing() -> None:
    limits.set_current(RuleValues(chosen={"connect_rate": None, "posts_rate": None}))
    throttles = Throttles()
    assert all(throttles.accept_connection(0.0) and throttles.accept_request(0.0) for _ in range(20_000))


def test_routes_of_a_stage_share_its_limit() -> None:
    throttles, found = Throttles(), stage(10, 5)
    assert routed(throttles, found, "$connect", 3) == 3
    assert routed(throttles, found, "$default", 9) == 2
    assert routed(throttles, found, "ping", 9, 0.5) == 5


def test_a_route_with_limits_of_its_own_is_counted_apart() -> None:
    throttles, found = Throttles(), stage(10, 5, ping=(1, 2))
    assert routed(throttles, found, "ping", 9) == 2
    assert routed(throttles, found, "$default", 9) == 5


def test_a_stage_without_limits_is_limited_by_the_account_only() -> None:
    assert routed(Throttles(), {}, "$default", 9) == 9


def test_limits_of_zero_refuse_everything() -> None:
    assert routed(Throttles(), stage(0, 0), "$default", 9) == 0


def test_changed_limits_hold_at_once() -> None:
    throttles = Throttles()
    assert routed(throttles, stage(1, 1), "$default", 9) == 1
    assert routed(throttles, stage(100, 4), "$default", 9) == 4


def test_stages_are_counted_apart() -> None:
    throttles, found = Throttles(), stage(1, 1)
    assert throttles.accept_route("api", "one", found, "$default", 0.0)
    assert throttles.accept_route("api", "two", found, "$default", 0.0)
    assert throttles.accept_route("other", "one", found, "$default", 0.0)
    assert not throttles.accept_route("api", "one", found, "$default", 0.0)


def test_stage_limits_are_ignored_when_the_rule_is_off() -> None:
    limits.set_current(RuleValues(chosen={"stage_throttling": None}))
    assert routed(Throttles(), stage(0, 0), "$default", 9) == 9
