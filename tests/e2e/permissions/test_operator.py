"""The operator needs every action of docs/operator-policy.json, one by one, and no other.

No other: the emulator's operator holds exactly this policy, and all other tests here run as that operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from nwchat.model.ids import ulid
from nwchat.model.rows import message_row
from nwchat.model.wire import Message
from nwchatctl.deploy.desired.policies import lambda_trust
from tests.e2e.support.chat import connection_row
from tests.e2e.support.console import core, domains, logging, queue, tokens
from tests.e2e.support.console.core import ConsoleChange
from tests.e2e.support.operator import OPERATOR_POLICY, Operator, Ran, sid_actions, without
from tests.e2e.support.sandbox import Sandbox

UNENFORCED = {
    (
        "ApiTags",
        "apigateway:PUT",
    ): "AWS asks for it where an API or a stage is made with tags; no emulator does",
    (
        "Domains",
        "apigateway:RemoveCertificateFromDomain",
    ): "AWS asks for it where a trust store is taken from a domain; no emulator does",
    (
        "FirstDomainOfTheAccount",
        "iam:CreateServiceLinkedRole",
    ): "AWS asks for it where the account has no domain yet, whose role it makes; no emulator does",
}
"""What cannot be seen missing here; tests/golden/operator-actions.txt holds that it is there."""


UNENFORCED_OF_NAMES: dict[tuple[str, str], ConsoleChange] = {
    ("Domains", "apigateway:RemoveCertificateFromDomain"): domains.domain_with(
        MutualTlsAuthentication={"TruststoreUri": "s3://x/y"}
    ),
    ("FirstDomainOfTheAccount", "iam:CreateServiceLinkedRole"): domains.delete_domain,
}
"""What has to happen to the whole chat for AWS to ask for these."""


def nothing(chat: Operator) -> None: ...


def denied(chat: Operator, ran: Ran, action: str) -> bool:
    return (
        ran.error is not None
        and (ran.code, ran.error.code) == (3, "access_denied")
        and action in ran.error.message
    )


@dataclass(frozen=True)
class Need:
    """`argv` needs the action once `hand` has been at the chat; `lacks` tells that it did not have it."""

    argv: tuple[str, ...]
    apply: ConsoleChange = nothing
    settings: dict[str, str] = field(default_factory=dict)
    is_denied: Callable[[Operator, Ran, str], bool] = denied
    part_of_chat: bool = False
    """Whether it is about the chat of which there is only what `hand` makes."""


def deploy(apply: ConsoleChange) -> Need:
    return Need(("deploy", "--yes"), apply)


def tagged(kind: str) -> Need:
    return Need(("deploy", "--only", kind), settings={"NWCHAT_TAGS__team": "chat"})


def remove(apply: ConsoleChange) -> Need:
    return Need(("destroy", "--delete-data", "--confirm", "e2e-piece"), apply, part_of_chat=True)


def account_role() -> Need:
    return Need(("deploy", "--yes", "--set-account-logging-role"), logging.account_logging_unset)


PLAN = Need(("plan",))

NAMED = {"NWCHAT_DOMAIN__NAME": "chat.least.example"}
"""What the whole chat is called, so that each of these needs but one thing made anew."""


# A chat of one piece --------------------------------------------------------------------------


def orphan_table(chat: Operator) -> None:
    chat.root("dynamodb").create_table(
        TableName=chat.resource_name("connections"),
        KeySchema=[{"AttributeName": "connection_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connection_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in chat.tags.items()],
    )


def orphan_role(chat: Operator) -> None:
    chat.root("iam").create_role(
        RoleName=chat.resource_name("connect"),
        AssumeRolePolicyDocument=lambda_trust(),
        Tags=[{"Key": key, "Value": value} for key, value in chat.tags.items()],
    )


def orphan_role_with_policy(chat: Operator) -> None:
    orphan_role(chat)
    core.policy_inlined(chat)


def orphan_group(chat: Operator) -> None:
    chat.root("logs").create_log_group(logGroupName=chat.log_group("connect"), tags=chat.tags)


def orphan_function(chat: Operator) -> None:
    orphan_role(chat)
    chat.root("lambda").create_function(
        FunctionName=chat.resource_name("connect"),
        Runtime="python3.13",
        Role=chat.arn("iam", f"role/{chat.resource_name('connect')}"),
        Handler="x.y",
        Code={"ZipFile": core.archive("x = 1")},
        Tags=chat.tags,
    )


def orphan_api(chat: Operator) -> None:
    chat.api.create_api(
        Name="x", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action", Tags=chat.tags
    )


# What only shows in what is left ----------------------------------------------------------------


def stale_row(chat: Operator) -> None:
    chat.root("dynamodb").put_item(TableName=chat.resource_name("connections"), Item=connection_row("stale"))


def stale_row_stays(chat: Operator, ran: Ran, action: str) -> bool:
    return (
        ran.code == 0
        and chat.root("dynamodb").scan(TableName=chat.resource_name("connections"))["Count"] == 1
    )


def nobody_is_reached(chat: Operator, ran: Ran, action: str) -> bool:
    return ran.code == 5 and "0 delivered, 0 gone, 1 failed" in ran.out


def nobody_is_kicked(chat: Operator, ran: Ran, action: str) -> bool:
    return ran.code == 5 and "0 kicked, 1 failed" in ran.out


def nothing_is_known(chat: Operator, ran: Ran, action: str) -> bool:
    return ran.code == 5 and "1 checked, 0 gone: 0 deleted, 1 failed" in ran.out


def send_message(chat: Operator) -> None:
    """One message, for `history` to delete."""
    message = Message(ulid(1, bytes(10)), "text", "", "", 1)
    chat.root("dynamodb").put_item(
        TableName=chat.resource_name("messages"), Item=message_row(message, 4_000_000_000)
    )


NEEDS = {
    ("Tables", "dynamodb:BatchWriteItem"): Need(
        ("history", "trim", "--before", "2000-01-01", "--confirm", "e2e-least"), send_message
    ),
    ("Tables", "dynamodb:CreateTable"): deploy(core.delete_table),
    ("Tables", "dynamodb:DeleteItem"): Need(("broadcast", "x"), stale_row, is_denied=stale_row_stays),
    ("Tables", "dynamodb:DeleteTable"): remove(orphan_table),
    ("Tables", "dynamodb:DescribeContinuousBackups"): PLAN,
    ("Tables", "dynamodb:DescribeTable"): PLAN,
    ("Tables", "dynamodb:DescribeTimeToLive"): PLAN,
    ("Tables", "dynamodb:GetItem"): PLAN,
    ("Tables", "dynamodb:ListTagsOfResource"): PLAN,
    ("Tables", "dynamodb:PutItem"): Need(("broadcast", "x")),
    ("Tables", "dynamodb:Query"): Need(("history", "tail")),
    ("Tables", "dynamodb:Scan"): Need(("connections", "list")),
    ("Tables", "dynamodb:TagResource"): tagged("table"),
    ("Tables", "dynamodb:UntagResource"): deploy(core.tag_table),
    ("Tables", "dynamodb:UpdateContinuousBackups"): deploy(core.recovery_off),
    ("Tables", "dynamodb:UpdateItem"): deploy(core.retain_longer),
    ("Tables", "dynamodb:UpdateTable"): deploy(core.protection_off),
    ("Tables", "dynamodb:UpdateTimeToLive"): deploy(core.expiry_off),
    ("Roles", "iam:CreateRole"): deploy(core.delete_role),
    ("Roles", "iam:DeleteRole"): remove(orphan_role),
    ("Roles", "iam:DeleteRolePolicy"): remove(orphan_role_with_policy),
    ("Roles", "iam:DetachRolePolicy"): deploy(core.policy_attached),
    ("Roles", "iam:GetRole"): PLAN,
    ("Roles", "iam:GetRolePolicy"): PLAN,
    ("Roles", "iam:ListAttachedRolePolicies"): PLAN,
    ("Roles", "iam:ListRolePolicies"): PLAN,
    ("Roles", "iam:PutRolePolicy"): deploy(core.policy_widened),
    ("Roles", "iam:TagRole"): tagged("role"),
    ("Roles", "iam:UntagRole"): deploy(core.tag_role),
    ("Roles", "iam:UpdateAssumeRolePolicy"): deploy(core.trust_widened),
    ("PassRolesToLambda", "iam:PassRole"): deploy(core.function_shrunk),
    ("FindLogGroups", "logs:DescribeLogGroups"): PLAN,
    ("LogGroups", "logs:CreateLogGroup"): deploy(core.delete_group),
    ("LogGroups", "logs:DeleteLogGroup"): remove(orphan_group),
    ("LogGroups", "logs:ListTagsForResource"): PLAN,
    ("LogGroups", "logs:PutRetentionPolicy"): deploy(core.retain_longer),
    ("LogGroups", "logs:TagResource"): tagged("log-group"),
    ("LogGroups", "logs:UntagResource"): deploy(core.tag_group),
    ("Functions", "lambda:AddPermission"): deploy(core.remove_permission),
    ("Functions", "lambda:CreateAlias"): deploy(core.delete_alias),
    ("Functions", "lambda:CreateFunction"): deploy(core.delete_function),
    ("Functions", "lambda:DeleteFunction"): remove(orphan_function),
    ("Functions", "lambda:GetFunction"): deploy(core.function_shrunk),
    ("Functions", "lambda:GetFunctionEventInvokeConfig"): PLAN,
    ("Functions", "lambda:GetPolicy"): PLAN,
    ("Functions", "lambda:InvokeFunction"): Need(("invoke", "disconnect")),
    ("Functions", "lambda:ListAliases"): PLAN,
    ("Functions", "lambda:ListTags"): PLAN,
    ("Functions", "lambda:ListVersionsByFunction"): PLAN,
    ("Functions", "lambda:PublishVersion"): Need(
        ("deploy",), settings={"NWCHAT_FUNCTIONS__MEMORY_MB": "384"}
    ),
    ("Functions", "lambda:PutFunctionEventInvokeConfig"): deploy(queue.events_unset),
    ("Functions", "lambda:RemovePermission"): deploy(core.permission_moved),
    ("Functions", "lambda:TagResource"): tagged("function"),
    ("Functions", "lambda:UntagResource"): deploy(core.tag_function),
    ("Functions", "lambda:UpdateAlias"): deploy(core.alias_moved),
    ("Functions", "lambda:UpdateFunctionCode"): deploy(core.code_changed),
    ("Functions", "lambda:UpdateFunctionConfiguration"): deploy(core.function_shrunk),
    ("Queues", "sqs:CreateQueue"): deploy(queue.deleted),
    ("Queues", "sqs:DeleteQueue"): remove(queue.orphan_queue),
    ("Queues", "sqs:GetQueueAttributes"): PLAN,
    ("Queues", "sqs:GetQueueUrl"): PLAN,
    ("Queues", "sqs:ListQueueTags"): PLAN,
    ("Queues", "sqs:SetQueueAttributes"): deploy(queue.queue(DelaySeconds="9")),
    ("Queues", "sqs:TagQueue"): tagged("queue"),
    ("Queues", "sqs:UntagQueue"): deploy(queue.tagged),
    ("TokenKeys", "ssm:AddTagsToResource"): tagged("token-keys"),
    ("TokenKeys", "ssm:DeleteParameter"): remove(tokens.orphan_keys),
    ("TokenKeys", "ssm:GetParameter"): PLAN,
    ("TokenKeys", "ssm:ListTagsForResource"): PLAN,
    ("TokenKeys", "ssm:PutParameter"): deploy(tokens.keys_deleted),
    ("TokenKeys", "ssm:RemoveTagsFromResource"): deploy(tokens.keys_tagged),
    ("FindAndMakeApis", "apigateway:GET"): PLAN,
    ("FindAndMakeApis", "apigateway:POST"): Need(("deploy", "--only", "api"), part_of_chat=True),
    ("Apis", "apigateway:DELETE"): remove(orphan_api),
    ("Apis", "apigateway:GET"): PLAN,
    ("Apis", "apigateway:PATCH"): deploy(core.route_retargeted),
    ("Apis", "apigateway:POST"): deploy(core.route_deleted),
    ("ApiTags", "apigateway:DELETE"): deploy(core.tag_api),
    ("ApiTags", "apigateway:POST"): tagged("api"),
    ("FindAndMakeDomains", "apigateway:GET"): PLAN,
    ("FindAndMakeDomains", "apigateway:POST"): deploy(domains.delete_domain),
    ("Domains", "apigateway:DELETE"): deploy(domains.orphan_domain),
    ("Domains", "apigateway:GET"): PLAN,
    ("Domains", "apigateway:PATCH"): deploy(domains.domain(SecurityPolicy="TLS_1_0")),
    ("Domains", "apigateway:POST"): deploy(domains.delete_mapping),
    ("FindZonesAndCertificates", "acm:ListCertificates"): PLAN,
    ("FindZonesAndCertificates", "acm:RequestCertificate"): deploy(domains.drop_certificate),
    ("FindZonesAndCertificates", "route53:ListHostedZones"): PLAN,
    ("Certificates", "acm:AddTagsToCertificate"): deploy(domains.delete_validation),
    ("Certificates", "acm:DeleteCertificate"): deploy(domains.orphan_certificate),
    ("Certificates", "acm:DescribeCertificate"): PLAN,
    ("Certificates", "acm:ListTagsForCertificate"): PLAN,
    ("Certificates", "acm:RemoveTagsFromCertificate"): deploy(domains.tag_certificate),
    ("ZoneRecords", "route53:ChangeResourceRecordSets"): deploy(domains.delete_record),
    ("ZoneRecords", "route53:ListResourceRecordSets"): PLAN,
    ("ZoneChanges", "route53:GetChange"): deploy(domains.delete_record),
    ("AccountLogging", "apigateway:GET"): Need(("plan",), settings={"NWCHAT_LOGS__ACCESS": "1"}),
    ("AccountLogging", "apigateway:PATCH"): account_role(),
    ("AccountLoggingPolicy", "iam:AttachRolePolicy"): account_role(),
    ("PassAccountLoggingRole", "iam:PassRole"): account_role(),
    ("Sockets", "execute-api:ManageConnections"): Need(
        ("broadcast", "x"), stale_row, is_denied=nobody_is_reached
    ),
    ("SocketsAskedAbout", "execute-api:ManageConnections"): Need(
        ("connections", "prune", "--grace", "1s"), stale_row, is_denied=nothing_is_known
    ),
    ("SocketsClosed", "execute-api:ManageConnections"): Need(
        ("connections", "kick", "stale"), stale_row, is_denied=nobody_is_kicked
    ),
}


@pytest.fixture(scope="module")
def whole_chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    # The mode that has all there is.
    made = Operator(sandbox, "e2e-least", tmp_path_factory.mktemp("home"), NWCHAT_AUTH__MODE="token", **NAMED)
    zone = domains.make_zone(made, "least.example")
    made.deploy()
    yield made
    made.destroy()
    domains.drop_zone(made, zone)
    logging.account_logging_unset(made)


@pytest.fixture(scope="module")
def part_of_chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(sandbox, "e2e-piece", tmp_path_factory.mktemp("home"))


def test_every_action_is_tested() -> None:
    assert NEEDS.keys() | UNENFORCED.keys() == sid_actions(OPERATOR_POLICY)
    assert not NEEDS.keys() & UNENFORCED.keys()


@pytest.mark.parametrize(("sid", "action"), sorted(NEEDS), ids=lambda text: text)
def test_missing_action_stops_command_that_resumes_with_it(
    whole_chat: Operator, part_of_chat: Operator, sid: str, action: str
) -> None:
    need = NEEDS[sid, action]
    chat = part_of_chat if need.part_of_chat else whole_chat
    need.apply(chat)
    with chat.allowed(without(OPERATOR_POLICY, sid, action)):
        ran = chat.run(*need.argv, **need.settings)
        lacking = need.is_denied(chat, ran, action)
    # The whole policy is the operator's again: the same command goes on from where it stopped.
    again = chat.run(*need.argv, **need.settings)
    still_lacking = need.is_denied(chat, again, action)
    if need.settings:
        chat.deploy()
    if part_of_chat.resources():
        part_of_chat.destroy()

    assert lacking, (ran.code, ran.out, ran.error and ran.error.message)
    assert (again.code, again.error and again.error.message, still_lacking) == (0, None, False)
    assert whole_chat.plan() == []


@pytest.mark.parametrize(("sid", "action"), sorted(UNENFORCED), ids=lambda text: text)
def test_unenforced_actions_are_not_enforced(
    whole_chat: Operator, part_of_chat: Operator, sid: str, action: str
) -> None:
    """So that the list is shortened when the emulator learns to ask."""
    if apply := UNENFORCED_OF_NAMES.get((sid, action)):
        apply(whole_chat)
        with whole_chat.allowed(without(OPERATOR_POLICY, sid, action)):
            assert whole_chat.deploy()["applied"]
        return
    with part_of_chat.allowed(without(OPERATOR_POLICY, sid, action)):
        part_of_chat.deploy(NWCHAT_TAGS__team="chat")
        part_of_chat.deploy()
        part_of_chat.destroy()
    assert part_of_chat.resources() == set()
