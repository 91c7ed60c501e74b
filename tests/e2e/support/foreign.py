"""A chat, and what its operator is not allowed to touch: foreign resources of every kind."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nwchatctl.deploy.desired.policies import lambda_trust
from nwchatctl.iam_templates import boundary_name
from tests.e2e.support.console import domains
from tests.e2e.support.operator import ACCOUNT, Operator
from tests.e2e.support.policies import attached, document

CHAT, OTHER_CHAT, NAME = "e2e-safe", "e2e-safe-two", "chat.safe.example"
OTHER_ROLE = f"nwchat-{OTHER_CHAT}-connect-us-east-2"
"""A role of the other chat, whose name begins with the chat's."""
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/{boundary_name('*')}"
STRANGER = "e2e-stranger"


@dataclass
class World:
    """The chat, what it is not allowed to touch, and the policies of its operator."""

    chat: Operator
    zone: str
    other_zone: str
    api: str
    certificate: str
    documents: dict[str, dict[str, Any]]

    def own(self, service: str) -> Any:
        """A client with the operator's key."""
        return self.chat.sandbox.client(service)

    def root(self, service: str) -> Any:
        return self.chat.root(service)


@contextmanager
def guarded_chat(chat: Operator) -> Iterator[World]:
    """The chat, deployed, with a foreign resource of each kind; its operator has the policies `deploy` and
    `domain`, for this chat alone."""
    chat.deploy()
    zone, other_zone = domains.make_zone(chat, "safe.example"), domains.make_zone(chat, "other.example")
    api = chat.api.create_api(Name="foreign", ProtocolType="HTTP")["ApiId"]
    certificate = chat.root("acm").request_certificate(DomainName="foreign.example", ValidationMethod="DNS")
    documents = {
        "deploy": document("deploy", CHAT),
        "domain": document("domain", CHAT, domains=(NAME,), zones=(zone,)),
    }
    made = World(chat, zone, other_zone, api, certificate["CertificateArn"], documents)
    _make_foreign(made)
    with attached(chat.root("iam"), documents):
        yield made
    _remove_foreign(made)
    chat.destroy()


def _make_foreign(world: World) -> None:
    iam, functions = world.root("iam"), world.root("lambda")
    for name in ("rich", f"nwchat-{CHAT}-untagged"):
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=lambda_trust())["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="x.y",
            Code={"ZipFile": zipped("x = 1")},
        )
    iam.create_role(
        RoleName=OTHER_ROLE,
        AssumeRolePolicyDocument=lambda_trust(),
        Tags=[{"Key": "nwchat:chat", "Value": OTHER_CHAT}],
    )
    functions.create_function(
        FunctionName=f"nwchat-{OTHER_CHAT}-connect",
        Runtime="python3.13",
        Role=role,
        Handler="x.y",
        Code={"ZipFile": zipped("x = 1")},
        Tags={"nwchat:chat": OTHER_CHAT},
    )
    for name in ("foreign", f"nwchat-{OTHER_CHAT}-connections"):
        world.root("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "connection_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "connection_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "nwchat:chat", "Value": OTHER_CHAT}],
        )
    iam.create_policy(PolicyName="e2e-all", PolicyDocument=json.dumps(EVERYTHING))
    iam.create_user(UserName=STRANGER)
    iam.put_user_policy(UserName=STRANGER, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))


def _remove_foreign(world: World) -> None:
    iam, functions = world.root("iam"), world.root("lambda")
    for name in ("rich", f"nwchat-{CHAT}-untagged", f"nwchat-{OTHER_CHAT}-connect"):
        functions.delete_function(FunctionName=name)
    for name in ("rich", f"nwchat-{CHAT}-untagged"):
        iam.delete_role_policy(RoleName=name, PolicyName="all")
        iam.delete_role(RoleName=name)
    iam.delete_role(RoleName=OTHER_ROLE)
    for name in ("foreign", f"nwchat-{OTHER_CHAT}-connections"):
        world.root("dynamodb").delete_table(TableName=name)
    iam.delete_policy(PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/e2e-all")
    for key in iam.list_access_keys(UserName=STRANGER)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=STRANGER, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=STRANGER, PolicyName="all")
    iam.delete_user(UserName=STRANGER)
    world.chat.api.delete_api(ApiId=world.api)
    world.root("acm").delete_certificate(CertificateArn=world.certificate)
    for zone in (world.zone, world.other_zone):
        domains.drop_zone(world.chat, zone)


def zipped(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x.py", source)
    return buffer.getvalue()
