"""The IAM policies: exactly these actions, none of them wide, limited to one chat, and small enough."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from nwchat.model import bans, ids
from nwchatctl.deploy.desired import policies
from nwchatctl.deploy.desired.functions import FUNCTIONS
from nwchatctl.deploy.logging_role import ROLE, role_policy
from nwchatctl.errors import ChatError
from nwchatctl.iam_templates import (
    MANAGED_POLICY_CHARS,
    POLICIES,
    PolicyValues,
    boundary_name,
    compact,
    policy_document,
    template,
)
from tests.paths import GOLDEN

ACCOUNT, BOUNDARY = "123456789012", "arn:aws:iam::123456789012:policy/nwchat-dojo-boundary"
VALUES = PolicyValues(
    partition="aws",
    region="us-east-2",
    account=ACCOUNT,
    chat="dojo",
    domains=("chat.example.com", "history.example.com"),
    zones=("Z1", "Z2"),
    tables=("chat",),
    functions=("chat-connect", "chat-message"),
)
LONGEST = PolicyValues(
    partition="aws-us-gov",
    region="ap-southeast-3",
    account=ACCOUNT,
    chat="a" * 24,
    apis=("a1b2c3d4e5", "b1b2c3d4e5"),
    domains=("chat." + "x" * 60 + ".example.com", "history." + "x" * 60 + ".example.com"),
    zones=("Z" + "0" * 20, "Z" + "1" * 20),
    tables=("t" * 50,),
    functions=("f" * 50, "g" * 50, "h" * 50),
)
DOCUMENTS = {name: policy_document(name, VALUES) for name in POLICIES}

WITHOUT_RESOURCES = {
    *(
        "acm:ListCertificates",
        "acm:RequestCertificate",
        "lambda:GetAccountSettings",
        "tag:GetResources",
        "route53:ListHostedZones",
    ),
    *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies"),
    *policies.NETWORK_ACTIONS,
    *("ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"),
    *("logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
}
"""Actions for which AWS knows no resource but `*` (Service Authorization Reference)."""

UNNAMED = ("acm", "apigateway", "kms", "logs", "route53")
"""Services whose resources have no name to go by, or are found by a call that names none."""


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def statement(policy: str, sid: str) -> dict[str, Any]:
    (found,) = (each for each in DOCUMENTS[policy]["Statement"] if each["Sid"] == sid)
    return dict(found)


def allowed(policy: str) -> list[dict[str, Any]]:
    return [each for each in DOCUMENTS[policy]["Statement"] if each["Effect"] == "Allow"]


def test_exactly_the_actions_on_the_list() -> None:
    """Statement by statement, because one action may be needed on several kinds of resource."""
    have = [
        f"{name} {each['Effect']} {each['Sid']} {action}"
        for name, document in DOCUMENTS.items()
        for each in document["Statement"]
        for action in listed(each["Action"])
    ]
    assert sorted(have) == (GOLDEN / "policy-actions.txt").read_text().splitlines()


@pytest.mark.parametrize("name", POLICIES)
def test_it_fits_a_managed_policy(name: str) -> None:
    assert len(compact(policy_document(name, VALUES))) <= MANAGED_POLICY_CHARS
    assert len(compact(policy_document(name, LONGEST))) <= MANAGED_POLICY_CHARS


@pytest.mark.parametrize("name", POLICIES)
def test_no_placeholder_is_left(name: str) -> None:
    assert "${" not in compact(DOCUMENTS[name])
    assert "${" in compact(template(name))


@pytest.mark.parametrize("name", POLICIES)
def test_the_account_and_partition_are_named(name: str) -> None:
    for value in (VALUES, LONGEST):
        text = compact(policy_document(name, value))
        assert text.count("arn:") == text.count(f"arn:{value.partition}:")
    for each in DOCUMENTS[name]["Statement"]:
        for resource in listed(each["Resource"]):
            _, _, service, region, account, *_ = [*resource.split(":"), *[""] * 5]
            assert resource == "*" or service in ("apigateway", "route53") or account == ACCOUNT
            # One boundary holds for the chat in every Region.
            known = "*" if name == "boundary" else "us-east-2"
            assert resource == "*" or service in ("iam", "route53") or region == known


@pytest.mark.parametrize("name", POLICIES)
def test_no_star_for_an_action_nor_alone_for_a_resource(name: str) -> None:
    for each in allowed(name):
        actions = listed(each["Action"])
        assert not any("*" in action for action in actions)
        if each["Resource"] == "*":
            assert set(actions) <= WITHOUT_RESOURCES
            continue
        for resource in listed(each["Resource"]):
            service = resource.split(":")[2]
            known = "nwchat-dojo-" in resource or "nwchat-dojo/" in resource or f"role/{ROLE}" in resource
            assert known or name == "adopt" or service in (*UNNAMED, "execute-api", "iam")
            if service in ("dynamodb", "lambda", "sqs", "ssm") and name != "adopt":
                assert known


def test_what_has_no_name_is_limited_by_tags() -> None:
    for policy, sid in (("deploy", "Apis"), ("deploy", "FunctionCode"), ("domain", "Certificates")):
        assert statement(policy, sid)["Condition"] == {"StringLike": {"aws:ResourceTag/nwchat:chat": "dojo"}}
    assert statement("domain", "Domains")["Condition"] == statement("deploy", "Apis")["Condition"]
    new = [("deploy", "NewApis"), ("deploy", "NewFunctions")]
    for policy, sid in (*new, ("domain", "NewDomains"), ("domain", "NewCertificates")):
        assert statement(policy, sid)["Condition"] == {"StringLike": {"aws:RequestTag/nwchat:chat": "dojo"}}


def test_tags_of_new_apis_and_domains_are_the_chats() -> None:
    """Whether AWS passes the tags to this check is undocumented, so that a missing tag does not deny; the
    creates themselves are limited by their tags."""
    for policy, sid in (("deploy", "TagsOfNewApis"), ("domain", "TagsOfNewDomains")):
        assert statement(policy, sid)["Condition"] == {
            "StringLikeIfExists": {"aws:RequestTag/nwchat:chat": "dojo"}
        }


def test_no_tag_makes_an_api_the_chats() -> None:
    condition = statement("deploy", "ApiTags")["Condition"]
    assert condition["ForAllValues:StringNotEquals"] == {"aws:TagKeys": ["nwchat:chat", "nwchat:managed-by"]}
    assert condition["Null"] == {"aws:TagKeys": "false"}


def test_ids_of_apis_take_the_place_of_their_tags() -> None:
    document = policy_document("deploy", LONGEST)
    (found,) = (each for each in document["Statement"] if each["Sid"] == "Apis")
    prefix = "arn:aws-us-gov:apigateway:ap-southeast-3::/apis/"
    assert found["Resource"] == [
        *(prefix + each for each in ("a1b2c3d4e5", "b1b2c3d4e5")),
        *(prefix + each + "/*" for each in ("a1b2c3d4e5", "b1b2c3d4e5")),
    ]
    assert "Condition" not in found


def test_roles_are_made_and_changed_only_within_the_boundary() -> None:
    bounded = statement("deploy", "BoundedRoles")
    assert bounded["Condition"] == {
        "StringEquals": {"iam:PermissionsBoundary": BOUNDARY},
        # Roles of a chat whose name begins with this one's match the resource.
        "StringLikeIfExists": {"aws:ResourceTag/nwchat:chat": "dojo"},
    }
    elsewhere = [each for each in allowed("deploy") if each["Sid"] != "BoundedRoles"]
    grants = {action for each in elsewhere for action in listed(each["Action"])}
    assert not grants & {
        *bounded["Action"],
        "iam:AttachRolePolicy",
        "iam:CreatePolicy",
        "iam:DeleteRolePermissionsBoundary",
        "iam:CreateUser",
        "lambda:AddLayerVersionPermission",
        "lambda:CreateEventSourceMapping",
        "lambda:CreateFunctionUrlConfig",
    }
    kept = statement("deploy", "KeepBoundary")
    roles = f"arn:aws:iam::{ACCOUNT}:role/nwchat-dojo-*"
    assert (kept["Effect"], kept["Resource"]) == ("Deny", [BOUNDARY, roles])


def test_the_boundary_may_have_any_name() -> None:
    assert boundary_name("*") == "nwchat-boundary"
    for given, arn in (("mine", f"arn:aws:iam::{ACCOUNT}:policy/mine"), (BOUNDARY, BOUNDARY)):
        named = PolicyValues("aws", "us-east-2", ACCOUNT, "dojo", boundary=given)
        assert f'"iam:PermissionsBoundary":"{arn}"' in compact(policy_document("deploy", named))


def test_roles_are_passed_to_one_service_each() -> None:
    passing = {
        each["Resource"]: each["Condition"]["StringEquals"]["iam:PassedToService"]
        for name in POLICIES
        for each in allowed(name)
        if "iam:PassRole" in listed(each["Action"])
    }
    assert passing == {
        f"arn:aws:iam::{ACCOUNT}:role/nwchat-dojo-*": "lambda.amazonaws.com",
        f"arn:aws:iam::{ACCOUNT}:role/{ROLE}": "apigateway.amazonaws.com",
    }


def test_zones_are_changed_only_by_name_and_kind() -> None:
    names, kinds = (
        f"route53:ChangeResourceRecordSets{each}" for each in ("NormalizedRecordNames", "RecordTypes")
    )
    for sid, name, kind in (
        ("AliasRecords", ["chat.example.com", "history.example.com"], ["A", "AAAA"]),
        ("ValidationRecords", ["_*.chat.example.com", "_*.history.example.com"], ["CNAME"]),
    ):
        found = statement("domain", sid)
        assert found["Resource"] == ["arn:aws:route53:::hostedzone/Z1", "arn:aws:route53:::hostedzone/Z2"]
        assert found["Condition"] == {
            "ForAllValues:StringLike": {names: name},
            "ForAllValues:StringEquals": {kinds: kind},
            "Null": {names: "false", kinds: "false"},
        }


def test_without_a_zone_no_record_is_changed() -> None:
    elsewhere = PolicyValues("aws", "us-east-2", ACCOUNT, "dojo", domains=("chat.example.com",))
    sids = {each["Sid"] for each in policy_document("domain", elsewhere)["Statement"]}
    gone = {each["Sid"] for each in DOCUMENTS["domain"]["Statement"]} - sids
    assert gone == {"AliasRecords", "ValidationRecords", "ZoneRecords"}


def test_cron_changes_no_resource_and_reads_no_token_keys() -> None:
    writes = {
        action
        for each in allowed("run")
        for action in listed(each["Action"])
        if not action.split(":")[1].startswith(("Get", "List", "Describe", "GET", "Query", "Scan"))
    }
    assert writes == {
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "execute-api:ManageConnections",
        "lambda:InvokeFunction",
    }
    assert statement("run", "NoSigningKeys")["Effect"] == "Deny"
    assert statement("run", "Announcements")["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [ids.ROOM, "sent#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def test_the_only_policy_that_is_attached_writes_logs_for_api_gateway() -> None:
    attaching = statement("logging", "LoggingPolicy")
    assert attaching["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
    assert attaching["Condition"] == {"ArnEquals": {"iam:PolicyARN": role_policy("aws")}}


def test_the_boundary_allows_what_every_function_needs() -> None:
    """The statement with the action and a resource that covers the function's own."""
    prefix = f"arn:aws:{{}}:us-east-2:{ACCOUNT}:"
    arns = policies.Arns(
        logs=prefix.format("logs") + "log-group:/aws/lambda/nwchat-dojo-x",
        connections=prefix.format("dynamodb") + "table/nwchat-dojo-connections",
        messages=prefix.format("dynamodb") + "table/nwchat-dojo-messages",
        stage=prefix.format("execute-api") + "a1b2c3d4e5/production",
        fanout=prefix.format("lambda") + "function:nwchat-dojo-fanout:live",
        dead_letters=prefix.format("sqs") + "nwchat-dojo-dead-letters",
        token_keys=prefix.format("ssm") + "parameter/nwchat-dojo/token-keys",
    )
    for name in FUNCTIONS:
        for each in json.loads(policies.function_policy(name, arns))["Statement"]:
            for action in each["Action"]:
                assert any(
                    action in listed(bound["Action"])
                    and any(fnmatchcase(each["Resource"], arn) for arn in listed(bound["Resource"]))
                    for bound in allowed("boundary")
                ), (name, action)


def test_the_boundary_allows_nothing_that_no_function_needs() -> None:
    arns = policies.Arns("l", "c", "m", "s", "f", "d", "t", "n")
    needed = {
        action
        for name in FUNCTIONS
        for each in json.loads(policies.function_policy(name, arns))["Statement"]
        for action in each["Action"]
    }
    assert {action for each in allowed("boundary") for action in listed(each["Action"])} == {
        *needed,
        # Where the key policy alone decides, nothing of it is needed (docs/explanation/aws-facts.md).
        "kms:Decrypt",
    }


def test_only_a_function_of_the_chat_can_use_a_role() -> None:
    """Lambda itself sends to the queue and makes network interfaces, without the function's ARN (Lambda
    developer guide)."""
    condition = {"lambda:SourceFunctionArn": f"arn:aws:lambda:*:{ACCOUNT}:function:nwchat-dojo-*"}
    for each in allowed("boundary"):
        if each["Sid"] == "DeadLetters":
            assert (each["Action"], "Condition" in each) == ("sqs:SendMessage", False)
        elif each["Sid"] == "Network":
            assert (tuple(each["Action"]), "Condition" in each) == (policies.NETWORK_ACTIONS, False)
        else:
            assert each["Condition"]["ArnLike"] == condition


def test_the_rooms_of_the_functions_policies() -> None:
    assert policies.BANS_ROOM == bans.ROOM
    assert policies.READ_ROOMS == {"history": (ids.ROOM,), "message": (ids.ROOM,)}
    sent = ids.dedup_room("socket", "key")
    for rooms in policies.WRITTEN_ROOMS.values():
        assert rooms[-1] == "sent#*"
        assert sent.startswith("sent#")


def test_a_policy_is_found_in_a_wheel_or_a_checkout(tmp_path: Path) -> None:
    wheel, checkout = tmp_path / "wheel", tmp_path / "checkout"
    for folder in (wheel, checkout):
        folder.mkdir()
    (checkout / "functions-boundary.json").write_text('{"Statement": []}')
    assert template("boundary", (wheel, checkout)) == {"Statement": []}
    (wheel / "functions-boundary.json").write_text("not json")
    for name, message in (("boundary", "is not JSON"), ("run", "is missing")):
        with pytest.raises(ChatError) as caught:
            template(name, (wheel, checkout))
        assert caught.value.code == "policy_missing"
        assert message in caught.value.message
