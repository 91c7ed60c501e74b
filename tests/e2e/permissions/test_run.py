"""What runs from cron needs every action of the policy `run`, one by one, and can do no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.e2e.support.chat import connection_row
from tests.e2e.support.console import domains
from tests.e2e.support.operator import Operator, Ran
from tests.e2e.support.policies import attached, document, policy_name, sid_actions, without
from tests.e2e.support.sandbox import Sandbox

CHAT = "e2e-cron"
RUN = document("run", CHAT)


def denied(chat: Operator, ran: Ran, action: str) -> bool:
    return (
        ran.error is not None
        and (ran.code, ran.error.code) == (3, "access_denied")
        and action in ran.error.message
    )


def limits_are_unknown(chat: Operator, ran: Ran, action: str) -> bool:
    return ran.code == 0 and ran.err.count(action) == 1


def stale_row(chat: Operator) -> None:
    chat.root("dynamodb").put_item(TableName=chat.resource_name("connections"), Item=connection_row("stale"))


def nothing(chat: Operator) -> None: ...


@dataclass(frozen=True)
class Need:
    """`argv` needs the action, after `apply`; `is_denied` tells that it did not have it."""

    argv: tuple[str, ...]
    apply: Callable[[Operator], None] = nothing
    is_denied: Callable[[Operator, Ran, str], bool] = denied
    settings: dict[str, str] = field(default_factory=dict)


def stale_row_stays(chat: Operator, ran: Ran, action: str) -> bool:
    rows = chat.root("dynamodb").scan(TableName=chat.resource_name("connections"))["Count"]
    return ran.code == 0 and rows == 1


def nobody_is_reached(chat: Operator, ran: Ran, action: str) -> bool:
    return ran.code == 5 and "0 delivered, 0 gone, 1 failed" in ran.out


def nothing_is_known(chat: Operator, ran: Ran, action: str) -> bool:
    return ran.code == 5 and "1 checked, 0 gone: 0 deleted, 1 failed" in ran.out


def not_recorded_as_done(chat: Operator, ran: Ran, action: str) -> bool:
    rows = chat.root("dynamodb").scan(TableName=chat.resource_name("messages"))["Items"]
    return ran.code == 0 and any("holder" in each for each in rows)


CHECK = Need(("plan", "--check"))
BROADCAST = Need(("broadcast", "Restart at eight"))

NEEDS = {
    ("Tables", "dynamodb:DescribeContinuousBackups"): CHECK,
    ("Tables", "dynamodb:DescribeTable"): CHECK,
    ("Tables", "dynamodb:DescribeTimeToLive"): CHECK,
    ("Tables", "dynamodb:GetItem"): CHECK,
    ("Tables", "dynamodb:ListTagsOfResource"): CHECK,
    ("Tables", "dynamodb:Query"): Need(("history", "tail")),
    ("Tables", "dynamodb:Scan"): Need(("connections", "list")),
    ("Announcements", "dynamodb:PutItem"): BROADCAST,
    ("Announcements", "dynamodb:UpdateItem"): Need(
        ("broadcast", "--id", "x1", "Restart at eight"), is_denied=not_recorded_as_done
    ),
    ("ClosedConnections", "dynamodb:DeleteItem"): Need(BROADCAST.argv, stale_row, stale_row_stays),
    ("Roles", "iam:GetRole"): CHECK,
    ("Roles", "iam:GetRolePolicy"): CHECK,
    ("Roles", "iam:ListAttachedRolePolicies"): CHECK,
    ("Roles", "iam:ListRolePolicies"): CHECK,
    ("FindLogGroups", "logs:DescribeLogGroups"): CHECK,
    ("LogGroups", "logs:ListTagsForResource"): CHECK,
    ("Functions", "lambda:GetFunctionConcurrency"): CHECK,
    ("Functions", "lambda:GetFunctionEventInvokeConfig"): CHECK,
    ("Functions", "lambda:GetPolicy"): CHECK,
    ("Functions", "lambda:ListAliases"): CHECK,
    ("Functions", "lambda:ListTags"): CHECK,
    ("Functions", "lambda:ListVersionsByFunction"): CHECK,
    ("Account", "tag:GetResources"): Need(("chats", "list")),
    ("Account", "lambda:GetAccountSettings"): Need(("status",), is_denied=limits_are_unknown),
    ("Fanout", "lambda:InvokeFunction"): Need(("broadcast", "--via", "lambda", "Restart"), stale_row),
    ("Queues", "sqs:GetQueueAttributes"): CHECK,
    ("Queues", "sqs:GetQueueUrl"): CHECK,
    ("Queues", "sqs:ListQueueTags"): CHECK,
    ("TokenKeys", "ssm:GetParameter"): CHECK,
    ("TokenKeys", "ssm:ListTagsForResource"): CHECK,
    ("FindApis", "apigateway:GET"): CHECK,
    ("FindDomains", "apigateway:GET"): CHECK,
    ("FindZonesAndCertificates", "acm:ListCertificates"): CHECK,
    ("FindZonesAndCertificates", "route53:ListHostedZones"): CHECK,
    ("Certificates", "acm:DescribeCertificate"): CHECK,
    ("Certificates", "acm:ListTagsForCertificate"): CHECK,
    ("ZoneRecords", "route53:ListResourceRecordSets"): CHECK,
    ("Sockets", "execute-api:ManageConnections"): Need(BROADCAST.argv, stale_row, nobody_is_reached),
}


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    settings = {"NWCHAT_AUTH__MODE": "token", "NWCHAT_DOMAIN__NAME": "chat.cron.example"}
    made = Operator(sandbox, CHAT, tmp_path_factory.mktemp("home"), **settings)
    zone = domains.make_zone(made, "cron.example")
    made.deploy()
    with attached(made.root("iam"), {"run": RUN}):
        yield made
    made.destroy()
    domains.drop_zone(made, zone)


def test_every_action_is_tested() -> None:
    assert NEEDS.keys() == sid_actions(RUN) - {("NoSigningKeys", "kms:Decrypt")}


@pytest.mark.parametrize(("sid", "action"), sorted(NEEDS), ids=lambda text: text)
def test_missing_action_stops_command(chat: Operator, sid: str, action: str) -> None:
    need = NEEDS[sid, action]
    need.apply(chat)
    with chat.allowed(without(RUN, sid, action), policy_name("run")):
        ran = chat.run(*need.argv, **need.settings)
        assert need.is_denied(chat, ran, action), (ran.code, ran.out, ran.error and ran.error.message)
    with_rows = chat.root("dynamodb").scan(TableName=chat.resource_name("connections"))["Items"]
    for row in with_rows:
        chat.root("dynamodb").delete_item(
            TableName=chat.resource_name("connections"), Key={"connection_id": row["connection_id"]}
        )


def test_prune_asks_about_sockets(chat: Operator) -> None:
    """Each method of @connections is part of the resource."""
    stale_row(chat)
    post = json.loads(json.dumps(RUN).replace("/*/*/@connections/", "/*/POST/@connections/"))
    with chat.allowed(post, policy_name("run")):
        ran = chat.run("connections", "prune", "--grace", "1s")
        assert nothing_is_known(chat, ran, "")


@pytest.mark.parametrize(
    "argv",
    [
        ("status",),
        ("plan", "--check"),
        ("broadcast", "Restart at eight"),
        ("broadcast", "--id", "x2", "Restart at eight"),
        ("broadcast", "--via", "lambda", "Restart at eight"),
        ("connections", "list"),
        ("connections", "list", "--verify"),
        ("connections", "prune", "--grace", "1s"),
        ("history", "tail"),
        ("history", "export"),
    ],
    ids=" ".join,
)
def test_the_policy_is_enough(chat: Operator, argv: tuple[str, ...]) -> None:
    stale_row(chat)
    ran = chat.run(*argv)
    assert (ran.code, ran.error and ran.error.message) == (0, None)


@pytest.mark.parametrize(
    ("argv", "action"),
    [
        (("token", "issue", "1"), "kms:Decrypt"),
        (("token", "key"), "kms:Decrypt"),
        (("ban", "add", "--user", "1", "--for", "1h"), "dynamodb:PutItem"),
        (("history", "trim", "--before", "2000-01-01", "--confirm", CHAT), ""),
        (("history", "delete", "00000000010000000000000000"), "dynamodb:PutItem"),
        (("invoke", "disconnect"), "lambda:InvokeFunction"),
        (("deploy", "--yes"), "dynamodb:UpdateItem"),
        (("destroy", "--delete-data", "--confirm", CHAT), "dynamodb:UpdateItem"),
    ],
    ids=lambda value: " ".join(value)[:20],
)
def test_it_does_no_more(chat: Operator, argv: tuple[str, ...], action: str) -> None:
    chat.root("dynamodb").put_item(
        TableName=chat.resource_name("messages"),
        Item={"room": {"S": "main"}, "id": {"S": "00000000010000000000000000"}, "message": {"S": "old"}},
    )
    ran = chat.run(*argv, NWCHAT_FUNCTIONS__MEMORY_MB="384")
    assert ran.error is not None, ran.out
    assert (ran.code, ran.error.code) == (3, "access_denied")
    assert action in ran.error.message
