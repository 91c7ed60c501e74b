"""A rotation on keys that somebody else has changed, which PutParameter would take."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from nwchat.keyring import FRESH_SECONDS
from nwchat.token_keys import Key
from nwchatctl.commands import _token_rotate
from nwchatctl.errors import ChatError

ONE, TWO, BY_HAND = (Key(name, name * 43, 1) for name in "abc")


class Parameter:
    """A parameter that `meanwhile` is put into right after each put of ours."""

    def __init__(self, *held: Key, meanwhile: tuple[Key, ...] = ()) -> None:
        self.held = held
        self.meanwhile = meanwhile
        self.puts = 0

    def keys(self, name: str) -> tuple[Key, ...]:
        return self.held

    def put(self, name: str, keys: Sequence[Key]) -> None:
        self.puts += 1
        self.held = self.meanwhile or tuple(keys)


def turn(parameter: Parameter, keys: tuple[Key, ...]) -> Key:
    app: Any = SimpleNamespace(
        now_ms=lambda: 5_000_123,
        cloud=SimpleNamespace(token_keys=parameter, names=SimpleNamespace(token_keys="/p")),
    )
    return _token_rotate._turn(app, keys)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def test_it_returns_when_every_function_has_to_ask_again(slept: list[float]) -> None:
    parameter = Parameter(ONE, TWO)
    new = turn(parameter, (ONE, TWO))
    assert parameter.held == (new, ONE)
    assert new.created_at == 5_000
    assert len(slept) == 1
    assert slept[0] > FRESH_SECONDS


def test_keys_that_have_changed_since_are_left_alone() -> None:
    parameter = Parameter(BY_HAND, ONE)
    with pytest.raises(ChatError) as raised:
        turn(parameter, (ONE, TWO))
    assert (raised.value.code, parameter.puts) == ("changed_meanwhile", 0)


def test_a_put_that_was_overwritten_is_no_rotation() -> None:
    parameter = Parameter(ONE, TWO, meanwhile=(BY_HAND, ONE))
    with pytest.raises(ChatError) as raised:
        turn(parameter, (ONE, TWO))
    assert raised.value.code == "changed_meanwhile"
