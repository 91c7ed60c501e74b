"""The operator's policies: exactly these actions, none of them wide, and small enough to attach."""

from __future__ import annotations

import json

from nwchatctl.deploy.logging_role import ROLE, role_policy
from tests.paths import ROOT

POLICY = json.loads((ROOT / "docs" / "operator-policy.json").read_text())
STATEMENTS = POLICY["Statement"]
ADOPT_POLICY = json.loads((ROOT / "docs" / "adopt-policy.json").read_text())

WITHOUT_RESOURCES = {"acm:ListCertificates", "acm:RequestCertificate", "route53:ListHostedZones"}
"""Actions for which AWS knows no resource but `*` (Service Authorization Reference)."""

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
        if each["Resource"] == "*":
            assert set(listed(each["Action"])) <= WITHOUT_RESOURCES
            continue
        for resource in listed(each["Resource"]):
            service = resource.split(":")[2]
            # A name of ours, the role that AWS makes for API Gateway, or what has no name to go by.
            named = (
                "nwchat-" in resource or ":role/aws-service-role/ops.apigateway.amazonaws.com/" in resource
            )
            assert named or service in ("acm", "apigateway", "execute-api", "logs", "route53")
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


def test_zones_are_changed_only_by_the_kinds_of_record_that_names_need() -> None:
    (changing,) = (
        each for each in STATEMENTS if "route53:ChangeResourceRecordSets" in listed(each["Action"])
    )
    kinds = {"route53:ChangeResourceRecordSetsRecordTypes": ["A", "AAAA", "CNAME"]}
    assert changing["Condition"] == {"ForAllValues:StringEquals": kinds}


def test_the_only_policy_that_is_attached_writes_logs_for_api_gateway() -> None:
    (attaching,) = (each for each in STATEMENTS if "iam:AttachRolePolicy" in listed(each["Action"]))
    assert attaching["Resource"] == f"arn:aws:iam::*:role/{ROLE}"
    assert attaching["Condition"] == {"ArnEquals": {"iam:PolicyARN": role_policy("aws")}}


def test_it_fits_a_managed_policy() -> None:
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= MANAGED_POLICY_LIMIT


def test_adopting_asks_for_exactly_the_actions_on_its_list() -> None:
    statements = ADOPT_POLICY["Statement"]
    have = sorted(f"{each['Sid']} {action}" for each in statements for action in listed(each["Action"]))
    golden = (ROOT / "tests" / "golden" / "adopt-actions.txt").read_text().splitlines()
    assert have == golden


def test_adopting_reads_and_tags_what_is_not_ours_and_no_more() -> None:
    """What is ours, and only that, is the other policy's: neither makes up for what the other lacks."""
    ours = {each["Resource"] for each in STATEMENTS if isinstance(each["Resource"], str)}
    for each in ADOPT_POLICY["Statement"]:
        assert each["Effect"] == "Allow"
        assert "Resource" not in each
        assert each["NotResource"] in ours
        for action in listed(each["Action"]):
            service, _, call = action.partition(":")
            assert call.startswith(("Get", "List", "Describe")) or call in ("Scan", "TagResource")
            # The exception is of the same service: a wrong one would leave all of ours in.
            assert each["NotResource"].split(":")[2] == service
