from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.delivery.rate_limit import ConcurrencyLimit, RateLimiter


def sent(rate_limiter: RateLimiter, begin: float, end: float, step: float = 0.001) -> int:
    """How many it lets go, asked each `step` for as many as there are."""
    count, steps = 0, round((end - begin) / step)
    for number in range(steps):
        while rate_limiter.try_acquire(begin + number * step) and count < 10**6:
            count += 1
    return count


@pytest.mark.parametrize("rate", [1.0, 10.0, 333.0, 5000.0])
def test_releases_rate_per_second(rate: float) -> None:
    assert sent(RateLimiter(rate), 100.0, 104.0) == pytest.approx(rate * 4, rel=0.03, abs=1 + rate * 0.05)


def test_unused_rate_does_not_accumulate() -> None:
    rate_limiter = RateLimiter(1000.0)
    sent(rate_limiter, 0.0, 1.0)
    assert sent(rate_limiter, 60.0, 60.001) <= 51


@given(st.floats(0.5, 20_000), st.floats(0, 1000))
def test_after_the_delay_one_may_go(rate: float, now: float) -> None:
    rate_limiter = RateLimiter(rate)
    while rate_limiter.try_acquire(now):
        pass
    delay = rate_limiter.delay(now)
    assert 0 < delay <= 1 / rate + 1e-9
    assert rate_limiter.try_acquire(now + delay + 1e-6)


def answers(
    rate_limiter: RateLimiter, begin: float, seconds: float, *, throttled: float, most: float = 400.0
) -> float:
    """So large a share of answers is throttled, at the rate that it allows; when that ends."""
    now, number = begin, 0
    while now < begin + seconds:
        number += 1
        rate_limiter.record_response(now, throttled=int(number * throttled) != int((number - 1) * throttled))
        now += 1 / min(rate_limiter.rate, most)
    return now


def test_it_backs_off_and_recovers() -> None:
    rate_limiter = RateLimiter(1000.0)
    now = answers(rate_limiter, 0.0, 3.0, throttled=0.5)
    assert 20 <= rate_limiter.rate < 100
    now = answers(rate_limiter, now, 10.0, throttled=0.0)
    assert 400 < rate_limiter.rate < 700
    answers(rate_limiter, now, 15.0, throttled=0.0)
    assert rate_limiter.rate == 1000.0


def test_without_a_limit_it_comes_down_from_what_is_known_to_be_too_much() -> None:
    rate_limiter = RateLimiter()
    assert rate_limiter.try_acquire(0) and rate_limiter.delay(0) == 0
    now = answers(rate_limiter, 0.0, 1.0, throttled=1.0)
    assert rate_limiter.rate < 8000
    answers(rate_limiter, now, 30.0, throttled=0.0)
    assert rate_limiter.rate == math.inf


@pytest.mark.parametrize("most", [5.0, 30.0, 100.0, 2000.0])
def test_one_slow_client_of_100_does_not_reduce_rate(most: float) -> None:
    rate_limiter = RateLimiter(most)
    answers(rate_limiter, 0.0, 20.0, throttled=0.01, most=most)
    assert rate_limiter.rate == most


def test_single_slow_client_does_not_reduce_rate() -> None:
    """Nine attempts, seconds apart, and nothing else."""
    rate_limiter = RateLimiter()
    for number in range(9):
        rate_limiter.record_response(number * 2.0, throttled=True)
    assert rate_limiter.rate == math.inf


def test_an_outage_slows_it_down_and_some_failures_do_not() -> None:
    rate_limiter = RateLimiter(1000.0)
    for number in range(4000):
        rate_limiter.record_response(number / 1000, failed=number % 2 == 0)
    assert rate_limiter.rate == 1000.0
    for number in range(4000, 8000):
        rate_limiter.record_response(number / 1000, failed=True)
    assert rate_limiter.rate < 100


def test_there_is_a_floor() -> None:
    rate_limiter = RateLimiter(10_000.0)
    answers(rate_limiter, 0.0, 60.0, throttled=1.0)
    assert rate_limiter.rate == 200.0
    small = RateLimiter(0.5)
    answers(small, 0.0, 60.0, throttled=1.0)
    assert small.rate == 0.5


def wide(latency: float, *, rate: float = 10_000.0, most: int = 512) -> int:
    width = ConcurrencyLimit(most)
    for number in range(3000):
        now = number / 500
        width.record_response(now - latency, now, rate)
    return width.current


@pytest.mark.parametrize(
    ("latency", "rate", "width"),
    [
        (0.001, 10_000.0, 16),
        (0.020, 10_000.0, 300),
        (0.020, 1000.0, 30),
        (0.2, 10_000.0, 512),
        (0.020, math.inf, 360),
        (5.0, 1.0, 16),
    ],
)
def test_concurrency_limit_is_rate_times_latency(latency: float, rate: float, width: int) -> None:
    assert wide(latency, rate=rate) == pytest.approx(width, abs=1)


def test_concurrency_limit_is_bounded() -> None:
    assert wide(1.0, most=7) == 7


def test_concurrency_limit_follows_latency() -> None:
    width = ConcurrencyLimit(512)
    now = 0.0
    for latency, expected in ((0.02, 300), (0.002, 30), (0.02, 300)):
        for _ in range(3000):
            now += 0.002
            width.record_response(now - latency, now, 10_000.0)
        assert width.current == pytest.approx(expected, abs=1)


def test_slow_handshakes_are_not_measured() -> None:
    width = ConcurrencyLimit(512)
    for number in range(3000):
        width.record_response(-math.inf, number / 500, 10_000.0)
    assert width.current == 32


def test_immediate_responses_do_not_lower_concurrency_limit() -> None:
    width = ConcurrencyLimit(512)
    for number in range(6000):
        now, quick = number / 500, number % 3 == 0
        width.record_response(
            now - (0.0005 if quick else 0.02), now, 10_000.0, "gone" if quick else "delivered"
        )
    assert width.current == pytest.approx(300, abs=1)


def test_rare_late_response_does_not_raise_concurrency_limit() -> None:
    width = ConcurrencyLimit(512)
    for number in range(3000):
        now = number / 500
        width.record_response(now - 0.002, now, 10_000.0, "delivered")
        if number % 1000 == 500:
            width.record_response(now - 7.0, now, 10_000.0, "refused")
    assert width.current == 30
