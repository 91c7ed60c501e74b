"""Who may do what: one least-privilege policy per function, as canonical JSON (sorted keys, no spaces).

A statement per reason, each with its Sid, so that a plan can name what changed. TransactWriteItems is
no IAM action: its items are authorised as the PutItem they are (DynamoDB developer guide, "IAM with
transactions").
"""

from __future__ import annotations

import json
from dataclasses import dataclass

LAMBDA_SERVICE = "lambda.amazonaws.com"
BANS_ROOM = "bans"
"""`nwchat.model.bans.ROOM`: a plan has no need of what else is there."""


def canonical(document: object) -> str:
    """A policy document in the one spelling that we compare."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def lambda_trust() -> str:
    """The trust policy that lets Lambda assume a role."""
    return service_trust(LAMBDA_SERVICE)


def service_trust(service: str) -> str:
    """The trust policy that lets `service`, an AWS service's principal, assume a role."""
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": service}}
    return canonical({"Statement": [statement], "Version": "2012-10-17"})


@dataclass(frozen=True, slots=True)
class Arns:
    """What a function's policy may name: its log group, the two tables, the stage that its sockets are on,
    the live alias of `fanout`, the queue of what that could not do, and the parameter of the token keys, ""
    where nobody needs a token."""

    logs: str
    connections: str
    messages: str
    stage: str
    fanout: str
    dead_letters: str
    token_keys: str = ""


def function_policy(short: str, arns: Arns) -> str:
    """The inline policy of function `short`, one of `functions.FUNCTIONS`."""
    sockets = _allow("Sockets", ["execute-api:ManageConnections"], f"{arns.stage}/POST/@connections/*")
    fanout = _allow("Fanout", ["lambda:InvokeFunction"], arns.fanout)
    # Of the table no more than the room of bans, by the rows' partition key (DynamoDB developer guide,
    # "Using IAM policy conditions for fine-grained access control").
    bans = {
        **_allow("Bans", ["dynamodb:BatchGetItem"], arns.messages),
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [BANS_ROOM]}},
    }
    # No kms:Decrypt: the key aws/ssm lets everybody in the account who may read the parameter decrypt it
    # (Systems Manager user guide, "Restricting decryption of SecureString parameter values").
    token_keys = _allow("TokenKeys", ["ssm:GetParameter"], arns.token_keys)
    allowed = {
        "connect": [_allow("Connections", ["dynamodb:PutItem"], arns.connections), bans],
        "disconnect": [_allow("Connections", ["dynamodb:DeleteItem"], arns.connections)],
        "message": [
            _allow(
                "Connections",
                ["dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:UpdateItem"],
                arns.connections,
            ),
            _allow("Messages", ["dynamodb:PutItem", "dynamodb:Query"], arns.messages),
            bans,
            sockets,
            fanout,
        ],
        "fanout": [
            _allow("Connections", ["dynamodb:DeleteItem", "dynamodb:Scan"], arns.connections),
            _allow("Messages", ["dynamodb:UpdateItem"], arns.messages),
            sockets,
            fanout,
            # Lambda puts what failed into the queue as the function's role.
            _allow("DeadLetters", ["sqs:SendMessage"], arns.dead_letters),
        ],
        "authorize": [token_keys],
        "history": [
            _allow("Messages", ["dynamodb:Query"], arns.messages),
            # Where anybody may read there is nobody to keep out.
            *((bans, token_keys) if arns.token_keys else ()),
        ],
    }[short]
    # The group is made by deploy, so a function has no need of CreateLogGroup.
    write_logs = _allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{arns.logs}:*")
    return canonical({"Statement": [*allowed, write_logs], "Version": "2012-10-17"})


def _allow(sid: str, actions: list[str], resource: str) -> dict[str, object]:
    return {"Action": actions, "Effect": "Allow", "Resource": resource, "Sid": sid}
