"""The report: a table, JSON, and nothing that identifies the account."""

from __future__ import annotations

import json

import pytest

from nwchatctl.sandbox.limits import AWS_PACE, RuleValues
from tests.live.question_list import BY_ID
from tests.live.questions import judge
from tests.live.report import RunReport, as_data, as_markdown, redact, summary

ARN = "arn:aws:iam::123456789012:user/livecheck-abcd1234-a-user"
RULES = RuleValues(AWS_PACE)
VERDICTS = [
    judge(BY_ID["deployment-in-use"], "accepted", RULES),
    judge(BY_ID["close-binary"], "1003", RULES),
    judge(BY_ID["recovery-ready"], None, RULES, f"{ARN} is not authorized"),
]


def report(**changed: object) -> RunReport:
    made: dict[str, object] = {
        "target": "AWS",
        "region": "us-east-2",
        "started": "2026-12-01 10:00 UTC",
        "versions": {"nwchatctl": "0.1.0"},
        "verdicts": VERDICTS,
        "durations": {"first deploy": 61.5},
        "seconds": 300.2,
        "dollars": 0.012,
        **changed,
    }
    return RunReport(**made)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"User: {ARN} is not authorized", "User: ARN is not authorized"),
        ("key AKIAIOSFODNN7EXAMPLE in 123456789012", "key KEY in ACCOUNT"),
        ("from 203.0.113.7 or 2001:db8:0:0:0:0:0:1", "from IP or IP"),
        ("https://a1b2c3d4e5.execute-api.us-east-2.amazonaws.com/production", "https://API/production"),
        ("connection L0SM9cOFvHcCIhw= and -0SM9cOFvHcCIhw=", "connection CONNECTION and CONNECTION"),
        (
            "nwchatctl deploy: exit code 4 at 12:30:01, 1.5.33",
            "nwchatctl deploy: exit code 4 at 12:30:01, 1.5.33",
        ),
        (
            "adr/0008-adoption.md, terraform-provider-aws#20634",
            "adr/0008-adoption.md, terraform-provider-aws#20634",
        ),
    ],
)
def test_redaction(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_json_names_questions_and_contradicted_rules() -> None:
    data = as_data(report(left=[f"user {ARN}"]))
    assert data["contradicted_rules"] == ["deployment_in_use"]
    assert [each["verdict"] for each in data["questions"]] == [
        "contradicts rule deployment_in_use",
        "as expected",
        "could not be measured because ARN is not authorized",
    ]
    assert data["left"] == ["user ARN"]
    assert "123456789012" not in json.dumps(data)


def test_markdown_has_the_table_and_the_json() -> None:
    text = as_markdown(report())
    assert "| Is deleting the deployment of a stage refused? | refused | accepted |" in text
    assert "- first deploy: 61.5 s" in text
    assert json.loads(text.partition("```json")[2].partition("```")[0]) == as_data(report())
    assert "123456789012" not in text


def test_summary() -> None:
    assert summary(VERDICTS) == (
        "3 questions: 1 as expected, 1 not as expected, 1 not measured; contradicted rules: deployment_in_use"
    )
