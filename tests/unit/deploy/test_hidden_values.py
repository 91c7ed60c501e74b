"""Plans and releases show no secrets: foreign variables, names of secrets, addresses with passwords."""

from __future__ import annotations

import dataclasses

import pytest

from nwchatctl.deploy.changes import Create, Update, fields, flatten, is_hidden
from nwchatctl.deploy.fingerprints import attribute_texts
from nwchatctl.deploy.model.functions import Function
from nwchatctl.deploy.model.websocket import Stage
from nwchatctl.redaction import has_credentials

SECRET = "hunter2"
FUNCTION = Function(
    "f", "f", "nwchat.f.handler", "python3.13", "arm64", 256, 25, (("NWCHAT_A", "1"),), "c0de", "JSON",
    "INFO", "/aws/lambda/f", False, (),
)  # fmt: skip
STAGE = Stage("production", "d1", False, 100.0, 200, (), (), ())


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("NWCHAT_RATE_MESSAGES", "10", False),
        ("NWCHAT_AUTH_PARAMETER", "/nwchat-x/token-keys", False),
        ("NWCHAT_API_TOKEN", SECRET, True),
        ("NWCHAT_DATABASE", f"postgres://chat:{SECRET}@db/x", True),
        ("PGPASS", SECRET, True),
        ("DSN", SECRET, True),
        ("table", SECRET, True),
    ],
)
def test_values_of_variables_are_hidden(name: str, value: str, hidden: bool) -> None:
    function = dataclasses.replace(FUNCTION, environment=((name, value),))
    text = flatten(function)[f"environment.{name}"]
    assert is_hidden(text) is hidden
    assert text == value or hidden
    for change in (Create(function), Update(FUNCTION, function), Update(function, FUNCTION)):
        assert SECRET not in str(fields(change))
    assert SECRET not in str(attribute_texts([function]))


def test_a_changed_hidden_value_is_a_difference() -> None:
    one, other = (dataclasses.replace(FUNCTION, environment=(("PGPASS", each),)) for each in ("a", "b"))
    (change,) = fields(Update(one, other))
    assert change.name == "environment.PGPASS"
    assert change.before != change.after


def test_an_empty_variable_that_is_missing_is_a_difference() -> None:
    have, want = (dataclasses.replace(FUNCTION, environment=each) for each in ((), (("NWCHAT_ORIGINS", ""),)))
    (field,) = fields(Update(have, want))
    assert (field.name, field.before, field.after) == ("environment.NWCHAT_ORIGINS", "", '""')
    (field,) = fields(Update(want, have))
    assert (field.before, field.after) == ('""', "")


def test_tags_and_stage_variables_are_shown_unless_they_look_secret() -> None:
    stage = dataclasses.replace(STAGE, tags=(("team", "a"), ("api-key", SECRET)), variables=(("x", "y"),))
    shown = flatten(stage)
    assert (shown["tags.team"], shown["variables.x"]) == ("a", "y")
    assert is_hidden(shown["tags.api-key"])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("postgres://chat:pw@db/x", True),
        ("redis://:pw@cache", True),
        ("https://example.com:8080/a@b", False),
        ("arn:aws:sns:us-east-2:1:x", False),
        ("wss://x/production", False),
    ],
)
def test_addresses_with_passwords_are_found(value: str, found: bool) -> None:
    assert has_credentials(value) is found
