"""The operator's policy: exactly these actions, none of them wide, and small enough to attach."""

from __future__ import annotations

import json
from pathlib import Path

from nwchatctl.deploy.access import ROLE, role_policy

ROOT = Path(__file__).parents[2]
POLICY = json.loads((ROOT / "docs" / "operator-policy.json").read_text())
STATEMENTS = POLICY["Statement"]

MANAGED_POLICY_LIMIT = 6144
"""Characters without white space (IAM quotas)."""


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_exactly_the_actions_on_the_list() -> None:
    """Statement by statement, because one action may be needed on several kinds of resource."""
    have = sorted(f"{each['Sid']} {action}" for each in STATEMENTS for action in listed(each["Action"]))
    golden = (ROOT / "tests" / "golden" / "operator-actions.txt").read_text().splitlines()
    assert have == golden


def test_no_star_for_an_action_nor_alone_for_a_resource() -> None:
    for each in STATEMENTS:
        assert each["Effect"] == "Allow"
        assert not any("*" in action for action in listed(each["Action"]))
        for resource in listed(each["Resource"]):
            service = resource.split(":")[2]
            # A name of ours, or the part of an API that has no name to go by.
            assert "nwchat-" in resource or service in ("apigateway", "execute-api", "logs")
            assert resource.startswith("arn:aws:")
            assert not resource.endswith(":*:*")


def test_log_groups_are_found_but_only_ours_are_changed() -> None:
    wide = [each for each in STATEMENTS if each["Resource"] == "arn:aws:logs:*:*:log-group:*"]
    assert [listed(each["Action"]) for each in wide] == [["logs:DescribeLogGroups"]]


def test_roles_are_passed_to_lambda_only_but_for_the_one_that_logs() -> None:
    passing = {
        each["Resource"]: each["Condition"] for each in STATEMENTS if "iam:PassRole" in listed(each["Action"])
    }
    assert passing == {
        f"arn:aws:iam::*:role/{role}": {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
        for role, service in (("nwchat-*", "lambda"), ("nwchat-apigateway-logs", "apigateway"))
    }


def test_the_only_policy_that_is_attached_writes_logs_for_api_gateway() -> None:
    (attaching,) = (each for each in STATEMENTS if "iam:AttachRolePolicy" in listed(each["Action"]))
    assert attaching["Resource"] == f"arn:aws:iam::*:role/{ROLE}"
    assert attaching["Condition"] == {"ArnEquals": {"iam:PolicyARN": role_policy("aws")}}


def test_it_fits_a_managed_policy() -> None:
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= MANAGED_POLICY_LIMIT
