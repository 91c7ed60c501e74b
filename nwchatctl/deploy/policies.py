"""Who may do what: one least-privilege policy per function, as canonical JSON (sorted keys, no spaces).

A statement per reason, each with its Sid, so that a plan can name what changed. TransactWriteItems is
no IAM action: its items are authorised as the PutItem they are (DynamoDB developer guide, "IAM with
transactions").
"""

from __future__ import annotations

import json
from dataclasses import dataclass

TRUSTED = "lambda.amazonaws.com"


def canonical(document: object) -> str:
    """A policy document in the one spelling that we compare."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def lambda_trust() -> str:
    """The trust policy that lets Lambda assume a role."""
    return service_trust(TRUSTED)


def service_trust(service: str) -> str:
    """The trust policy that lets `service`, an AWS service's principal, assume a role."""
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": service}}
    return canonical({"Statement": [statement], "Version": "2012-10-17"})


@dataclass(frozen=True, slots=True)
class Arns:
    """What a function's policy may name: its log group, the two tables, the stage that its sockets are on,
    the live alias of `fanout`, and the queue of what that could not do."""

    logs: str
    connections: str
    messages: str
    stage: str
    fanout: str
    dead_letters: str


def function_policy(short: str, arns: Arns) -> str:
    """The inline policy of function `short`: `connect`, `disconnect`, `message`, `fanout` or `history`."""
    sockets = _allow("Sockets", ["execute-api:ManageConnections"], f"{arns.stage}/POST/@connections/*")
    fanout = _allow("Fanout", ["lambda:InvokeFunction"], arns.fanout)
    allowed = {
        "connect": [_allow("Connections", ["dynamodb:PutItem"], arns.connections)],
        "disconnect": [_allow("Connections", ["dynamodb:DeleteItem"], arns.connections)],
        "message": [
            _allow(
                "Connections",
                ["dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:UpdateItem"],
                arns.connections,
            ),
            _allow("Messages", ["dynamodb:PutItem", "dynamodb:Query"], arns.messages),
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
        "history": [_allow("Messages", ["dynamodb:Query"], arns.messages)],
    }[short]
    # The group is made by deploy, so a function has no need of CreateLogGroup.
    write_logs = _allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{arns.logs}:*")
    return canonical({"Statement": [*allowed, write_logs], "Version": "2012-10-17"})


def _allow(sid: str, actions: list[str], resource: str) -> dict[str, object]:
    return {"Action": actions, "Effect": "Allow", "Resource": resource, "Sid": sid}
