"""IAM policies: one least-privilege policy per function, as canonical JSON (sorted keys, no spaces).

One statement per purpose, each with a Sid, so that a plan can name what changed. TransactWriteItems is no IAM
action: its items are authorised as PutItem (DynamoDB developer guide, "IAM with transactions").
"""

from __future__ import annotations

import json
from dataclasses import dataclass

LAMBDA_SERVICE = "lambda.amazonaws.com"
BANS_ROOM = "bans"
"""`nwchat.model.bans.ROOM`, repeated because a plan needs nothing else of that module."""
BUDGET_ROOMS = "budget#*"
"""The partition keys that begin with `nwchat.model.budget.ROOM_PREFIX`."""
_MAIN_ROOM, _SENT_ROOMS = "main", "sent#*"

NETWORK_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""What Lambda does with a function's role in a VPC (AWSLambdaVPCAccessExecutionRole)."""

READ_ROOMS = {"history": (_MAIN_ROOM,), "message": (_MAIN_ROOM,)}
"""The rooms, partition keys of the table of messages, that each function queries."""

WRITTEN_ROOMS = {"fanout": (_SENT_ROOMS,), "message": (_MAIN_ROOM, _SENT_ROOMS)}
"""The rooms that each function writes to; `*` stands for any text. A function that starts to write rows of
another kind is denied until their prefix is listed here."""


def canonical(document: object) -> str:
    """A policy document in canonical spelling, for comparison."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def lambda_trust(account: str = "") -> str:
    """The trust policy that lets Lambda assume a role, as `service_trust`."""
    return service_trust(LAMBDA_SERVICE, account)


def service_trust(service: str, account: str = "") -> str:
    """The trust policy that lets `service`, an AWS service's principal, assume a role; with `account`, only
    on behalf of that account (IAM user guide, "The confused deputy problem")."""
    statement: dict[str, object] = {
        "Action": "sts:AssumeRole",
        "Effect": "Allow",
        "Principal": {"Service": service},
    }
    if account:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
    return canonical({"Statement": [statement], "Version": "2012-10-17"})


@dataclass(frozen=True, slots=True)
class Arns:
    """The ARNs in a function's policy: its log group, the two tables, the stage of its connections, the live
    alias of `fanout`, the dead-letter queue, the parameter with the token keys, "" in open mode, and the
    function itself where it runs in a VPC, else ""."""

    logs: str
    connections: str
    messages: str
    stage: str
    fanout: str
    dead_letters: str
    token_keys: str = ""
    in_network: str = ""


def function_policy(short: str, arns: Arns) -> str:
    """The inline policy of function `short`, one of `functions.FUNCTIONS`."""
    sockets = _allow("Sockets", ["execute-api:ManageConnections"], f"{arns.stage}/POST/@connections/*")
    # To close the connections of clients that do not read, or that go on beyond their budget.
    close = _allow("Close", ["execute-api:ManageConnections"], f"{arns.stage}/DELETE/@connections/*")
    fanout = _allow("Fanout", ["lambda:InvokeFunction"], arns.fanout)
    bans = _allow_rooms("Bans", ["dynamodb:BatchGetItem"], arns.messages, (BANS_ROOM,))
    history = _allow_rooms("History", ["dynamodb:Query"], arns.messages, READ_ROOMS.get(short, ()))
    budgets = _allow_rooms("Budgets", ["dynamodb:UpdateItem"], arns.messages, (BUDGET_ROOMS,))
    written = WRITTEN_ROOMS.get(short, ())
    # No kms:Decrypt: the key aws/ssm allows decryption to every principal of the account that may read the
    # parameter (Systems Manager user guide, "Restricting decryption of SecureString parameter values").
    token_keys = _allow("TokenKeys", ["ssm:GetParameter"], arns.token_keys)
    log_key = _allow("LogHashes", ["dynamodb:DescribeTable"], arns.connections)
    allowed = {
        "connect": [
            # DescribeTable: the table's id is the key of hashes in the log (`nwchat.model.log_hash`).
            _allow("Connections", ["dynamodb:DescribeTable", "dynamodb:PutItem"], arns.connections),
            bans,
            budgets,
        ],
        "disconnect": [_allow("Connections", ["dynamodb:DeleteItem"], arns.connections), budgets],
        "message": [
            _allow(
                "Connections",
                ["dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:UpdateItem"],
                arns.connections,
            ),
            _allow_rooms("Messages", ["dynamodb:PutItem"], arns.messages, written),
            history,
            bans,
            budgets,
            sockets,
            close,
            fanout,
        ],
        "fanout": [
            _allow("Connections", ["dynamodb:DeleteItem", "dynamodb:Scan"], arns.connections),
            _allow_rooms("Messages", ["dynamodb:UpdateItem"], arns.messages, written),
            sockets,
            close,
            fanout,
            # Lambda sends failed events to the queue with the function's role.
            _allow("DeadLetters", ["sqs:SendMessage"], arns.dead_letters),
        ],
        "authorize": [token_keys],
        "history": [
            history,
            budgets,
            # In open mode everyone may read.
            *((bans, token_keys, log_key) if arns.token_keys else ()),
        ],
    }[short]
    # The deploy creates the log group, so a function does not need CreateLogGroup.
    write_logs = _allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{arns.logs}:*")
    network = _network(arns.in_network) if arns.in_network else []
    return canonical({"Statement": [*allowed, *network, write_logs], "Version": "2012-10-17"})


def _network(function: str) -> list[dict[str, object]]:
    """Allows Lambda to connect `function`, an ARN, to its VPC, and denies its code the same (Lambda developer
    guide, "Giving Lambda functions access to resources in an Amazon VPC")."""
    denied = {
        **_allow("NetworkNotByCode", list(NETWORK_ACTIONS), "*"),
        "Effect": "Deny",
        "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": function}},
    }
    return [_allow("Network", list(NETWORK_ACTIONS), "*"), denied]


def _allow_rooms(sid: str, actions: list[str], table: str, rooms: tuple[str, ...]) -> dict[str, object]:
    """Allows the actions on rows of these rooms only, by the rows' partition key (DynamoDB developer guide,
    "Using IAM policy conditions for fine-grained access control").

    ForAllValues is also met by a call without any key, so the key must be there.
    """
    return {
        **_allow(sid, actions, table),
        "Condition": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(rooms)},
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
    }


def _allow(sid: str, actions: list[str], resource: str) -> dict[str, object]:
    return {"Action": actions, "Effect": "Allow", "Resource": resource, "Sid": sid}
