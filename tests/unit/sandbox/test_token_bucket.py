"""The token bucket of the sandbox's rate limits."""

from __future__ import annotations

from nwchatctl.sandbox.token_bucket import TokenBucket


def accepted(bucket: TokenBucket, now: float, requests: int) -> int:
    return sum(bucket.take(now) for _ in range(requests))


def test_a_new_bucket_accepts_the_burst_at_once() -> None:
    assert accepted(TokenBucket(rate=10, burst=40), 1000.0, 100) == 40


def test_an_empty_bucket_accepts_the_rate() -> None:
    bucket = TokenBucket(rate=8, burst=3)
    assert accepted(bucket, 0.0, 10) == 3
    # Exact in binary: 0.125 s refill one token, 0.0625 s half of one.
    assert [bucket.take(0.125), bucket.take(0.125), bucket.take(0.1875), bucket.take(0.25)] == [
        True,
        False,
        False,
        True,
    ]


def test_a_bucket_refills_up_to_the_burst() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert accepted(bucket, 0.0, 5) == 5
    assert accepted(bucket, 3600.0, 100) == 5


def test_a_refused_request_uses_no_token() -> None:
    bucket = TokenBucket(rate=1, burst=1)
    assert accepted(bucket, 0.0, 50) == 1
    assert bucket.take(1.0)


def test_a_slow_rate_accepts_one_request_per_period() -> None:
    """One request per 4 s."""
    bucket = TokenBucket(rate=0.25, burst=1)
    assert [bucket.take(now) for now in (0.0, 2.0, 3.0, 4.0, 5.0, 8.0)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_no_burst_and_no_rate_accept_nothing() -> None:
    assert accepted(TokenBucket(rate=10, burst=0), 100.0, 5) == 0
    bucket = TokenBucket(rate=0, burst=2)
    assert [accepted(bucket, 0.0, 5), accepted(bucket, 1e6, 5)] == [2, 0]


def test_a_clock_that_goes_back_refills_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=1)
    assert [bucket.take(10.0), bucket.take(5.0), bucket.take(5.5)] == [True, False, False]
