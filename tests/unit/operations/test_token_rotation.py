"""A rotation on keys that somebody else has changed, which PutParameter would take."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from nwchat.auth.key_cache import FRESH_SECONDS
from nwchat.auth.token_keys import TokenKey
from nwchatctl.aws.ssm import StoredKeys
from nwchatctl.errors import ChatError
from nwchatctl.operations import token_keys
from nwchatctl.signals import Terminated, TimedOut

ONE, TWO, BY_HAND = (TokenKey(name, name * 43, 1) for name in "abc")


class Parameter:
    """A parameter that `meanwhile` is put into right before each put of ours. What is put is not there to be
    read yet."""

    def __init__(self, *held: TokenKey, meanwhile: tuple[TokenKey, ...] = ()) -> None:
        self.seen = held
        self.meanwhile = meanwhile
        self.put_keys: tuple[TokenKey, ...] = ()
        self.version = 3

    def read_stored(self, name: str) -> StoredKeys:
        return StoredKeys(self.seen, 3)

    def put(self, name: str, keys: Sequence[TokenKey]) -> int:
        self.version += 2 if self.meanwhile else 1
        self.put_keys = tuple(keys)
        return self.version


def turn(parameter: Parameter, keys: tuple[TokenKey, ...]) -> TokenKey:
    app: Any = SimpleNamespace(
        now_ms=lambda: 5_000_123,
        options=SimpleNamespace(timeout=1.0),
        command=lambda *words: " ".join(words),
        cloud=SimpleNamespace(token_keys=parameter, names=SimpleNamespace(token_keys="/p")),
    )
    return token_keys.put_new_key(app, keys)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def test_rotate_returns_when_cached_keys_have_expired(slept: list[float]) -> None:
    parameter = Parameter(ONE, TWO)
    new = turn(parameter, (ONE, TWO))
    assert parameter.put_keys == (new, ONE)
    assert new.created_at == 5_000
    assert len(slept) == 1
    assert slept[0] > FRESH_SECONDS


def test_keys_that_have_changed_since_are_left_alone() -> None:
    parameter = Parameter(BY_HAND, ONE)
    with pytest.raises(ChatError) as raised:
        turn(parameter, (ONE, TWO))
    assert (raised.value.code, parameter.put_keys) == ("changed_meanwhile", ())


def test_concurrent_put_fails_rotation() -> None:
    parameter = Parameter(ONE, TWO, meanwhile=(BY_HAND, ONE))
    with pytest.raises(ChatError) as raised:
        turn(parameter, (ONE, TWO))
    assert raised.value.code == "changed_meanwhile"


def test_rotation_interrupted_after_put_reports_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run once more it would end the key that the site signs with."""

    def stopped_by(error: type[BaseException]) -> tuple[BaseException, str]:
        def sleep(seconds: float) -> None:
            raise error

        monkeypatch.setattr("time.sleep", sleep)
        parameter = Parameter(ONE, TWO)
        with pytest.raises((ChatError, KeyboardInterrupt)) as raised:
            turn(parameter, (ONE, TWO))
        return raised.value, parameter.put_keys[0].kid

    late, kid = stopped_by(TimedOut)
    assert isinstance(late, ChatError)
    assert (late.code, late.message) == ("timeout", f"timed out after 1 s, but key {kid} signs from now on")
    assert late.hint == "token key prints it for the site; do not rotate again"
    for kind in (KeyboardInterrupt, Terminated):
        error, kid = stopped_by(kind)
        assert type(error) is kind
        assert error.__notes__ == [f"but key {kid} signs from now on: do not rotate again"]
