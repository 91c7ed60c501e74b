"""The operator's IAM user in the embedded AWS. It has exactly the permissions of docs/policies."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from nwchatctl.aws.core.session import Access, Aws, StaticCredentials

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

USER = POLICY = "nwchat-operator"
ADOPTION = "nwchat-adopt"
DOMAIN = "nwchat-domain"
LOGGING = "nwchat-logging"


def ensure_operator(
    endpoint: str,
    region: str,
    root: StaticCredentials,
    policy_json: str,
    stored: StaticCredentials | None = None,
    extra_policies: Mapping[str, str] | None = None,
    unattached: Mapping[str, str] | None = None,
) -> StaticCredentials:
    """An access key of the user `nwchat-operator`. The user gets exactly `policy_json` and `extra_policies`
    (text by name), all as managed policies: an inline one is limited to 2,048 characters (IAM quotas). The
    policies `unattached` are made, for roles to be bounded by.

    `root` is the emulator's root key. Returns `stored` if it still is that user's key. Safe to repeat; raises
    botocore's errors.
    """
    iam = Aws(Access(region=region, endpoint=endpoint, credentials=root)).client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=USER)
    for name, text in (unattached or {}).items():
        _policy(iam, name, text)
    policies = {POLICY: policy_json, **(extra_policies or {})}
    _attach_only(iam, [_policy(iam, name, text) for name, text in policies.items()])
    return _key(iam, stored)


def _policy(iam: IAMClient, name: str, text: str) -> str:
    """The ARN of the managed policy `name`, after its default version was set to `text`."""
    document = json.dumps(json.loads(text), separators=(",", ":"))
    for page in iam.get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            if policy["PolicyName"] == name:
                _update(iam, policy["Arn"], policy["DefaultVersionId"], document)
                return policy["Arn"]
    return iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]


def _update(iam: IAMClient, arn: str, version: str, document: str) -> None:
    current = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    # boto3 decodes the document.
    if current == json.loads(document):
        return
    # A policy has at most five versions, so the old ones are deleted first.
    for old in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not old["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=old["VersionId"])
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)


def _attach_only(iam: IAMClient, arns: Collection[str]) -> None:
    attached = [
        policy["PolicyArn"]
        for page in iam.get_paginator("list_attached_user_policies").paginate(UserName=USER)
        for policy in page["AttachedPolicies"]
    ]
    for other in attached:
        if other not in arns:
            iam.detach_user_policy(UserName=USER, PolicyArn=other)
    for arn in arns:
        if arn not in attached:
            iam.attach_user_policy(UserName=USER, PolicyArn=arn)
    for name in iam.list_user_policies(UserName=USER)["PolicyNames"]:
        iam.delete_user_policy(UserName=USER, PolicyName=name)


def _key(iam: IAMClient, stored: StaticCredentials | None) -> StaticCredentials:
    keys = [key["AccessKeyId"] for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]]
    if stored and stored.access_key_id in keys:
        return stored
    # A user has at most two keys, and a key without its secret is useless.
    for key in keys:
        iam.delete_access_key(UserName=USER, AccessKeyId=key)
    made = iam.create_access_key(UserName=USER)["AccessKey"]
    return StaticCredentials(made["AccessKeyId"], made["SecretAccessKey"])
