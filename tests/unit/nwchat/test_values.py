"""Values of the functions behave as those of the standard library's dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from nwchat.auth.token_keys import TokenKey
from nwchat.aws.signing import Credentials
from nwchat.values import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Ours:
    """A value."""

    text: str
    number: int = 3
    many: tuple[int, ...] = ()

    def first(self) -> int:
        """A method."""
        return self.many[0]


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """A value."""

    text: str
    number: int = 3
    many: tuple[int, ...] = ()

    def first(self) -> int:
        """A method."""
        return self.many[0]


ARGUMENTS: list[dict[str, Any]] = [{"text": "a"}, {"text": "a", "number": 4, "many": (1,)}, {"text": "b"}]


@pytest.mark.parametrize("one", ARGUMENTS)
@pytest.mark.parametrize("other", ARGUMENTS)
def test_values_are_equal_as_those_of_the_standard_library(one: Any, other: Any) -> None:
    assert (Ours(**one) == Ours(**other)) is (Theirs(**one) == Theirs(**other))
    assert (hash(Ours(**one)) == hash(Ours(**other))) is (hash(Theirs(**one)) == hash(Theirs(**other)))
    different: Any = Theirs(**one)
    assert Ours(**one) != different


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_text_and_fields_are_those_of_the_standard_library(arguments: Any) -> None:
    ours, theirs = Ours(**arguments), Theirs(**arguments)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert asdict(ours) == dataclasses.asdict(theirs)
    assert replace(ours, number=9) == Ours(**{**arguments, "number": 9})
    assert Ours.__match_args__ == Theirs.__match_args__
    assert Ours.__doc__ == Theirs.__doc__
    assert not hasattr(ours, "__dict__")


def test_arguments_by_place_and_by_name_are_the_same() -> None:
    assert Ours("a", 4, (1,)) == Ours("a", many=(1,), number=4)
    assert Ours("a", 4, (1,)).first() == 1


WRONG: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    (("a",), {"text": "b"}),
    (("a", 1, (), "more"), {}),
    (("a",), {"other": 1}),
    ((), {"other": "a"}),
]


@pytest.mark.parametrize(("args", "named"), WRONG)
@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_wrong_arguments_are_refused(kind: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        kind(*args, **named)


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_values_cannot_be_changed(kind: Any) -> None:
    value = kind("a")
    with pytest.raises(AttributeError):
        value.text = "b"
    with pytest.raises(AttributeError):
        del value.text
    assert value.text == "a"


def test_the_standard_librarys_functions_accept_them() -> None:
    """The tool and its tests use them."""
    ours, theirs = Ours("a", many=(1,)), Theirs("a", many=(1,))
    assert dataclasses.is_dataclass(Ours)
    for _ in range(2):
        assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
        assert dataclasses.replace(ours, number=9) == Ours("a", 9, (1,))
    shown = [
        [(each.name, each.type, each.default) for each in dataclasses.fields(kind)] for kind in (Ours, Theirs)
    ]
    assert shown[0] == shown[1]


def test_values_are_copied_and_pickled() -> None:
    value = Ours("a", 4, (1,))
    assert copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value


def test_secrets_are_not_shown() -> None:
    assert repr(Credentials("AK", "secret", "token")) == "Credentials(access_key_id='AK')"
    assert repr(TokenKey("k1", "secret", 7)) == "TokenKey(kid='k1', created_at=7)"


def test_other_kinds_of_dataclasses_are_refused() -> None:
    with pytest.raises(TypeError):
        dataclass(frozen=False, slots=True)
