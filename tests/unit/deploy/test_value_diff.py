"""Long values of a change: the part that differs is shown, and both sides never look the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchatctl.deploy.value_diff import CUT, differing

ARN = "arn:aws:execute-api:us-east-2:000000000000:cd04fceb/{}/POST/@connections/*"


def statement(**members: Any) -> str:
    made = {"Action": ["execute-api:ManageConnections"], "Effect": "Allow", "Resource": "*", **members}
    return json.dumps(made, sort_keys=True, separators=(",", ":"))


def test_short_values_are_whole() -> None:
    assert differing("50", "20", 72) == ("50", "20")
    assert differing(statement()[:72], "x", 72) == (statement()[:72], "x")


def test_member_of_a_statement_that_differs() -> None:
    before, after = (statement(Resource=ARN.format(each)) for each in ("production", "prod2"))
    assert differing(before, after, 72) == (
        'Resource …000000:cd04fceb/production/POST/@connections/*"',
        'Resource …000000:cd04fceb/prod2/POST/@connections/*"',
    )


def test_elements_of_a_list_that_differ() -> None:
    before = statement(Action=["dynamodb:GetItem", "dynamodb:PutItem"], Resource=ARN)
    after = statement(Action=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], Resource=ARN)
    assert differing(before, after, 72) == ("Action […]", 'Action […,"dynamodb:Query"]')
    assert differing(after, statement(Action=["dynamodb:Query"], Resource=ARN), 72) == (
        'Action […,"dynamodb:GetItem","dynamodb:PutItem"]',
        "Action […]",
    )


def test_condition_that_differs_within() -> None:
    before, after = (
        statement(Condition={"StringEquals": {"a": each, "b": "x"}}, Resource=ARN) for each in ("1", "2")
    )
    assert differing(before, after, 72) == (
        'Condition {"StringEquals":{"a":"1"}}',
        'Condition {"StringEquals":{"a":"2"}}',
    )


def test_member_that_is_added() -> None:
    before, after = statement(Resource=ARN), statement(Resource=ARN, Condition={"Bool": {"x": "true"}})
    assert differing(before, after, 72) == ("Condition (none)", 'Condition {"Bool":{"x":"true"}}')


def test_long_names_and_elements_do_not_hide_the_difference() -> None:
    name, element = "n" * 200, "e" * 200
    assert len(set(differing(json.dumps({f"{name}1": 1}), json.dumps({f"{name}2": 1}), 72))) == 2
    before, after = (json.dumps({"a": [f"{element}{each}", "x", each]}) for each in ("1", "2"))
    assert len(set(differing(before, after, 72))) == 2


def test_other_texts_are_shown_around_the_difference() -> None:
    before, after = "x" * 100 + "/old/" + "y" * 100, "x" * 100 + "/new/" + "y" * 100
    first, second = differing(before, after, 72)
    assert first == f"{CUT}{'x' * 19}/old/{'y' * 19}{CUT}"
    assert second == f"{CUT}{'x' * 19}/new/{'y' * 19}{CUT}"


def test_value_that_comes_or_goes_is_cut_at_its_end() -> None:
    assert differing("", "z" * 100, 72) == ("", "z" * 71 + CUT)
    assert differing("z" * 100, "", 72) == ("z" * 71 + CUT, "")


@pytest.mark.parametrize("other", ["[1]", "{", "true", '"' + "x" * 90 + '"'])
def test_what_is_no_object_is_text(other: str) -> None:
    first, second = differing(statement(Resource=ARN), other, 72)
    assert first != second


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=90),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
VALUES = st.text(max_size=300) | st.dictionaries(st.text(max_size=8), JSON, max_size=4).map(json.dumps)


@given(VALUES, VALUES, st.text(max_size=200))
def test_two_values_never_look_the_same(before: str, after: str, shared: str) -> None:
    before, after = shared + before, shared + after
    if before != after:
        first, second = differing(before, after, 72)
        assert first != second
        assert max(len(first), len(second)) <= max(len(before), len(after), 2 * 72)
