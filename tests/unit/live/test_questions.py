"""Verdicts: what a measured answer says about a rule of the sandbox; and that every question is measured."""

from __future__ import annotations

import pytest

from nwchatctl.sandbox.limits import AWS_PACE, RuleValues
from nwchatctl.sandbox.rules import RULES
from tests.live.__main__ import exit_code
from tests.live.cost import MAX_DOLLARS, expected_dollars
from tests.live.measure.functions import overlap_answer
from tests.live.measure.sockets import error_form, fields, id_details, id_form
from tests.live.question_list import BY_ID, QUESTIONS
from tests.live.questions import Question, judge
from tests.live.steps import LEFT_OUT, STEPS, chosen_steps

AWS = RuleValues(AWS_PACE)
OFF = RuleValues(chosen={"deployment_in_use": None})


def test_questions_name_rules_of_the_table_and_have_sources() -> None:
    assert {each.rule for each in QUESTIONS} - {""} <= {each.name for each in RULES}
    assert len(BY_ID) == len(QUESTIONS)
    assert all(each.source and each.method and each.text.endswith(("?", "(s)?")) for each in QUESTIONS)
    assert all(bool(each.rule or each.expected or each.seconds) for each in QUESTIONS)


def test_each_question_belongs_to_one_step() -> None:
    named = [question for step in STEPS for question in step.questions]
    assert sorted(named) == sorted(BY_ID)


@pytest.mark.parametrize(
    ("question", "measured", "rules", "verdict"),
    [
        ("deployment-in-use", "refused", AWS, "as expected"),
        ("deployment-in-use", "accepted", AWS, "contradicts rule deployment_in_use"),
        ("deployment-in-use", "accepted", OFF, "as expected"),
        ("deployment-in-use", "refused", OFF, "contradicts rule deployment_in_use"),
        ("close-by-delete", "1005", AWS, "as expected"),
        ("close-by-delete", "1008", AWS, "not as expected"),
        ("role-assumable", 9.0, AWS, "as expected"),
        ("role-assumable", 0.2, AWS, "as expected"),
        ("role-assumable", 40.0, AWS, "contradicts rule role_assumable"),
        ("role-assumable", 0.2, RuleValues(), "as expected"),
        ("role-assumable", 9.0, RuleValues(), "contradicts rule role_assumable"),
        ("recovery-ready", None, AWS, "could not be measured because it is slow"),
    ],
)
def test_verdicts(question: str, measured: str | float | None, rules: RuleValues, verdict: str) -> None:
    assert judge(BY_ID[question], measured, rules, "it is slow").text == verdict


def test_what_is_expected_is_in_words() -> None:
    assert judge(BY_ID["role-assumable"], 1.0, AWS).expected == "at most 8 s"
    assert judge(BY_ID["close-binary"], "1003", AWS).expected == "1003"


def test_exit_codes() -> None:
    question = Question("x", "?", "", "", expected=("yes",))
    good, bad = judge(question, "yes", AWS), judge(question, "no", AWS)
    missing, left_out = judge(question, None, AWS, "it failed"), judge(question, None, AWS, LEFT_OUT)
    assert exit_code([good, left_out]) == 0
    assert exit_code([good, missing]) == 1
    assert exit_code([missing, bad]) == 5


def test_a_step_comes_with_those_that_it_needs() -> None:
    assert [each.name for each in chosen_steps(["sockets"])] == ["function", "stage", "sockets"]
    assert [each.name for each in chosen_steps(None)] == [each.name for each in STEPS]


def test_the_cost_is_below_what_is_promised() -> None:
    assert 0 < expected_dollars() < MAX_DOLLARS


@pytest.mark.parametrize(
    ("codes", "kept", "answer"),
    [
        (["", ""], {"o0", "o1"}, "all kept"),
        (["", ""], {"o1"}, "some lost without an error"),
        (["", "ResourceConflictException"], {"o0"}, "some refused with 409"),
        (["", "ResourceConflictException"], set(), "some lost, some refused with 409"),
        (["", "AccessDeniedException"], {"o0"}, "AccessDeniedException"),
    ],
)
def test_overlapping_permissions(codes: list[str], kept: set[str], answer: str) -> None:
    assert overlap_answer(codes, "o", kept) == answer


def test_connection_ids_are_described_without_being_shown() -> None:
    ids = ["L0SM9cOFvHcCIhw=", "-0SM9cOFvHcCIhw="]
    assert id_form(ids) == "base64 with = at the end"
    assert id_form([*ids, "0a1b2c3d"]) == "another form"
    assert id_form([""]) == "another form"
    assert id_details(ids) == {
        "lengths": [16],
        "other_characters": "-=",
        "begin_with_dash_or_underscore": 1,
        "ids": 2,
    }
    assert fields({"ResponseMetadata": {}}) == "none"


def test_error_frames_are_shown_without_their_values() -> None:
    frame = '{"message": "Too Many Requests", "connectionId": "L0SM9cOFvHcCIhw=", "requestId": "x"}'
    assert error_form(frame) == "Too Many Requests (connectionId requestId)"
    assert error_form("[]") == error_form("Limit Exceeded") == "another form"
