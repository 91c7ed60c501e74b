"""When a lease may be taken over, and how long its holder relies on it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nwchatctl.chat import broadcast_progress
from nwchatctl.deploy import lock
from nwchatctl.lease import LeaseTerms, LeaseWatch

TERMS = LeaseTerms(valid_seconds=20.0, renew_seconds=2.0)
UNTIL = 1_700_000_000_000


def looks(*looks: tuple[float, str, int], dead: bool = False) -> list[bool]:
    """The answers to looks at (monotonic seconds, the lease that was read, AWS's time in ms)."""
    watch = LeaseWatch(TERMS)
    return [
        watch.may_take_over(seen, expires_at=UNTIL, now_ms=now_ms, now=now, dead=dead)
        for now, seen, now_ms in looks
    ]


def test_lease_of_a_dead_process_is_free_at_once() -> None:
    assert looks((0, "a", UNTIL - 20_000), dead=True) == [True]


def test_expired_lease_is_free_once_it_was_seen_unchanged() -> None:
    assert looks((5, "a", UNTIL), (14.9, "a", UNTIL), (15, "a", UNTIL)) == [False, False, True]


def test_expired_lease_that_is_renewed_is_held() -> None:
    """Its holder's clock is wrong."""
    found = looks(*((each, f"renewal {each // 2}", UNTIL + 3_600_000) for each in range(60)))
    assert found == [False] * 60


def test_lease_that_has_not_expired_is_free_once_it_was_silent_for_its_validity() -> None:
    """The clock of its holder was ahead."""
    assert looks((0, "a", 0), (12, "a", 0), (19.9, "a", 0), (20, "a", 0)) == [False, False, False, True]


@pytest.mark.parametrize("terms", [lock.TERMS, broadcast_progress.TERMS])
def test_a_lost_renewal_costs_no_lease(terms: LeaseTerms) -> None:
    assert terms.holder_seconds > 3 * terms.renew_seconds
    assert terms.watch_seconds >= terms.renew_seconds


@settings(deadline=None, max_examples=200)
@given(
    terms=st.sampled_from([TERMS, lock.TERMS]),
    renewals=st.lists(st.floats(0.5, 200), min_size=1, max_size=12),
    holder_ahead=st.integers(-5_000, 5_000),
    contender_ahead=st.integers(-5_000, 5_000),
    step=st.floats(0.3, 3),
)
def test_no_lease_is_taken_while_its_holder_relies_on_it(
    terms: LeaseTerms, renewals: list[float], holder_ahead: int, contender_ahead: int, step: float
) -> None:
    """Both clocks are as far from AWS's as is tolerated; a holder stops once it cannot renew."""
    watch, now, renewed_at, left = LeaseWatch(terms), 0.0, 0.0, list(renewals)
    for _ in range(1_000):
        now += step
        while left and left[0] <= terms.renew_seconds * 2 and renewed_at + left[0] <= now:
            renewed_at += left.pop(0)
        until = round(renewed_at * 1000) + holder_ahead + terms.valid_ms
        now_ms = round(now * 1000) + contender_ahead
        if watch.may_take_over(renewed_at, expires_at=until, now_ms=now_ms, now=now, dead=False):
            assert now - renewed_at >= terms.holder_seconds
            return
    raise AssertionError("a lease that is renewed no more is taken over in the end")
