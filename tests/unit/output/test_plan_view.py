"""Plans for a person and for scripts."""

from __future__ import annotations

import dataclasses
import json

from nwchatctl.deploy.changes import Create, Delete, Update
from nwchatctl.deploy.consequences import Consequence
from nwchatctl.deploy.model.functions import Role
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.storage import LogGroup
from nwchatctl.output.plan_view import as_json, as_lines, consequences_json, plan_lines
from nwchatctl.report import Line, Mark

GROUP = LogGroup("g", 30, ())
RELEASE = Release("ebaf584af111", (("f", "abc"),), "d1", "c0de", True)


def role(stage: str) -> Role:
    statement = {
        "Action": ["execute-api:ManageConnections"],
        "Effect": "Allow",
        "Resource": f"arn:aws:execute-api:us-east-2:123456789012:abc/{stage}/POST/@connections/*",
        "Sid": "Sockets",
    }
    policy = json.dumps({"Statement": [statement]}, sort_keys=True, separators=(",", ":"))
    return Role("r", "{}", policy, (), ())


MOVED = Update(role("production"), role("prod2"))
NOTE = "(… stands for what is the same or left out: -v shows all)"


def texts(lines: tuple[Line, ...]) -> list[str]:
    return [each.text for each in lines]


def test_policy_shows_its_statement_and_the_part_that_differs() -> None:
    assert texts(as_lines([MOVED])) == [
        '~ role r  policy.Sockets Resource …23456789012:abc/production/POST/@connections/*" → '
        'Resource …23456789012:abc/prod2/POST/@connections/*"',
        NOTE,
    ]


def test_verbose_shows_values_whole() -> None:
    (line,) = texts(as_lines([MOVED], verbose=True))
    for stage in ("production", "prod2"):
        assert json.dumps(json.loads(role(stage).policy)["Statement"][0], separators=(",", ":")) in line


def test_note_is_there_only_where_something_is_left_out() -> None:
    shorter = Update(GROUP, dataclasses.replace(GROUP, retention_days=7))
    assert texts(plan_lines([shorter])) == ["~ log-group g  retention_days 30 → 7", "1 to update"]
    assert texts(as_lines([Create(role("production")), Delete(role("production"))])) == [
        "+ role r",
        "- role r",
    ]


def test_release_that_runs_again_is_said_in_words() -> None:
    again = Update(dataclasses.replace(RELEASE, latest=False), RELEASE)
    assert texts(as_lines([again])) == ["~ release ebaf584af111  is the current release again"]
    (change,) = as_json([again])
    assert change["fields"] == [{"name": "latest", "before": "off", "after": "on"}]


def test_consequences_follow_the_summary() -> None:
    means = (Consequence("opens_chat", "this opens it", "--open"), Consequence("logs_shortened", "logs go"))
    assert plan_lines([Delete(GROUP)], consequences=means)[1:] == (
        Line("1 to delete", Mark.HEAD),
        Line("! this opens it", Mark.WARN),
        Line("! logs go", Mark.WARN),
    )
    assert consequences_json(means) == [
        {"code": "opens_chat", "message": "this opens it", "flag": "--open"},
        {"code": "logs_shortened", "message": "logs go", "flag": None},
    ]
