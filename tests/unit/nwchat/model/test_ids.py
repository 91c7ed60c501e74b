from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.model import ids


def test_an_id_as_the_ulid_specification_spells_it() -> None:
    assert ids.ulid(1469918176385, bytes(10)) == "01ARYZ6S410000000000000000"
    assert ids.ulid(2**48 - 1, b"\xff" * 10) == "7" + "Z" * 25
    assert ids.first_ulid(0) == "0" * 26


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_gives_its_time_back(now_ms: int, randomness: bytes) -> None:
    made = ids.ulid(now_ms, randomness)
    assert ids.is_ulid(made)
    assert ids.ulid_time(made) == now_ms
    assert made >= ids.first_ulid(now_ms)


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1))
def test_ids_sort_by_time(one: int, other: int) -> None:
    assert (ids.first_ulid(one) < ids.first_ulid(other)) == (one < other)


@pytest.mark.parametrize("now_ms", [-1, 2**48])
def test_a_time_out_of_range(now_ms: int) -> None:
    with pytest.raises(ValueError, match="48 bit"):
        ids.ulid(now_ms, bytes(10))


def test_the_wrong_number_of_random_bytes() -> None:
    with pytest.raises(ValueError, match="10 random bytes, not 9"):
        ids.ulid(0, bytes(9))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01ARYZ6S41000000000000000",
        "01ARYZ6S4100000000000000000",
        "01aryz6s410000000000000000",
        "01ARYZ6S41000000000000000U",
        "81ARYZ6S410000000000000000",
        "01ARYZ6S410000000000000000\n",
        "٠1ARYZ6S410000000000000000",
    ],
)
def test_what_is_not_an_id(text: str) -> None:
    assert not ids.is_ulid(text)
    with pytest.raises(ValueError, match="not an id"):
        ids.ulid_time(text)


def ticking(*times: int) -> Callable[[], int]:
    ticks: Iterator[int] = iter(times)
    return lambda: next(ticks)


def test_ids_increase_within_a_millisecond_and_when_the_clock_steps_back() -> None:
    draws = iter([b"\xff" * 10, bytes(10), bytes(10), bytes(10)])
    make = ids.UlidGenerator(ticking(5, 5, 3, 9), lambda _: next(draws))
    made = [make() for _ in range(4)]
    assert made == sorted(set(made))
    assert made[0] == ids.ulid(5, b"\xff" * 10)
    assert [ids.ulid_time(each) for each in made] == [5, 6, 6, 9]


def test_dedup_rooms_keep_kind_owner_key_and_text_apart() -> None:
    said, other = ids.said_digest("a", "b", "c"), ids.said_digest("ab", "", "c")
    rooms = {
        ids.dedup_room("claimed", "k", "a", said),
        ids.dedup_room("claimed", "k", "a", other),
        ids.dedup_room("claimed", "k", "b", said),
        ids.dedup_room("claimed", "ka", "", said),
        ids.dedup_room("proven", "k", "a", said),
        ids.dedup_room("socket", "k", "a", said),
        ids.dedup_room("broadcast", "k"),
        ids.dedup_room("broadcast", '["claimed"]'),
    }
    assert len(rooms) == 8
    assert all(each.startswith("sent#") for each in rooms)


def test_announcements_are_keyed_as_in_earlier_releases() -> None:
    digest = hashlib.sha256(b"broadcast\0restart").hexdigest()
    assert ids.dedup_room("broadcast", "restart") == f"sent#{digest}"


@given(st.text(), st.text(), st.text(), st.text())
def test_no_player_reaches_the_row_of_an_announcement(owner: str, key: str, text: str, id_: str) -> None:
    said = ids.said_digest(text, "", owner)
    kinds: tuple[ids.DedupKind, ...] = ("proven", "claimed", "socket")
    assert ids.dedup_room("broadcast", id_) not in {ids.dedup_room(each, key, owner, said) for each in kinds}


def test_an_id_is_late_after_30_seconds() -> None:
    assert not ids.is_late(ids.first_ulid(1000), 31_000)
    assert ids.is_late(ids.first_ulid(1000), 31_001)


def test_expiry() -> None:
    assert ids.connection_expiry(1_000_999) == 1000 + 8100
    assert ids.message_expiry(1_000_999, 90) == 1000 + 90 * 86_400
    assert not ids.is_expired(None, 10**15)
    assert not ids.is_expired(11, 10_999)
    assert ids.is_expired(10, 10_000)
