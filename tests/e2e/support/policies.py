"""The operator's policies as tests attach them: those of docs/policies for all chats of the tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nwchatctl.aws.operator_user import USER
from nwchatctl.iam_templates import PolicyValues, boundary_name, policy_document
from nwchatctl.sandbox.state import DEFAULT_REGION

ACCOUNT = "000000000000"

Document = Mapping[str, Any]


def document(name: str, chat: str = "e2e-*", **values: Any) -> dict[str, Any]:
    """The policy `name` of `POLICIES` for `chat`, which may be a pattern; otherwise as in the sandbox."""
    wanted: dict[str, Any] = {
        "boundary": boundary_name("*"),
        "domains": ("*",),
        "zones": ("*",),
        "tables": ("*",),
        "functions": ("*",),
        **values,
    }
    return policy_document(name, PolicyValues("aws", DEFAULT_REGION, ACCOUNT, chat, **wanted))


@contextmanager
def attached(iam: Any, documents: Mapping[str, Document], user: str = USER) -> Iterator[None]:
    """Within, `user` has these managed policies, by their names, and no other."""
    before = [
        each["PolicyArn"] for each in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    ]
    made = []
    for name, each in documents.items():
        text = json.dumps(each)
        made.append(iam.create_policy(PolicyName=policy_name(name), PolicyDocument=text)["Policy"]["Arn"])
        iam.attach_user_policy(UserName=user, PolicyArn=made[-1])
    for arn in before:
        iam.detach_user_policy(UserName=user, PolicyArn=arn)
    try:
        yield
    finally:
        for arn in before:
            iam.attach_user_policy(UserName=user, PolicyArn=arn)
        for arn in made:
            iam.detach_user_policy(UserName=user, PolicyArn=arn)
            for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
            iam.delete_policy(PolicyArn=arn)


def policy_name(name: str) -> str:
    """The name of the managed policy that `attached` makes."""
    return f"nwchat-test-{name}"


def without(policy: Mapping[str, Any], sid: str, action: str) -> dict[str, Any]:
    """`policy` without one action of the statement `sid`; a statement without actions is left out."""
    kept = []
    for each in policy["Statement"]:
        actions = listed(each["Action"])
        if each["Sid"] == sid:
            assert action in actions
            actions = [name for name in actions if name != action]
        if actions:
            kept.append({**each, "Action": actions})
    return {**policy, "Statement": kept}


def sid_actions(policy: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Every (Sid, action) of a policy."""
    return {(each["Sid"], action) for each in policy["Statement"] for action in listed(each["Action"])}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
