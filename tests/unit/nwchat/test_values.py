"""Values of the functions behave as those of the standard library's dataclasses."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchat.aws.signing import Credentials
from nwchat.values import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """A value."""

    text: str
    number: int = 3
    secret: str = dataclasses.field(default="s", repr=False)
    many: tuple[int, ...] = dataclasses.field(default_factory=tuple)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """A value."""

    text: str
    number: int = 3
    secret: str = dataclasses.field(default="s", repr=False)
    many: tuple[int, ...] = dataclasses.field(default_factory=tuple)


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
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert dataclasses.replace(ours, number=9) == Ours(**{**arguments, "number": 9})
    assert Ours.__match_args__ == Theirs.__match_args__
    assert not hasattr(ours, "__dict__")


def test_secrets_are_not_shown() -> None:
    assert repr(Credentials("AK", "secret", "token")) == "Credentials(access_key_id='AK')"


def test_other_kinds_of_dataclasses_are_refused() -> None:
    with pytest.raises(TypeError):
        dataclass(frozen=False, slots=True)
