"""Who deploys needs every action of the policies `deploy`, `domain` and `logging`, one by one, and no other.

No other: the emulator's operator holds exactly these policies, and all other tests here run as that operator.
"""

from __future__ import annotations

import atexit
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nwchat.model.ids import ulid
from nwchat.model.rows import message_row
from nwchat.model.wire import Message
from nwchatctl.deploy.desired.policies import lambda_trust
from tests.e2e.support.chat import connection_row
from tests.e2e.support.console import core, domains, logging, queue, tokens
from tests.e2e.support.console.core import ConsoleChange
from tests.e2e.support.operator import Operator, Ran
from tests.e2e.support.policies import attached, document, policy_name, sid_actions, without
from tests.e2e.support.sandbox import Sandbox

DOCUMENTS = {name: document(name) for name in ("deploy", "domain", "logging")}
"""What the operator has here; neither makes up for what another lacks."""


def nothing(chat: Operator) -> None: ...


def denied(chat: Operator, ran: Ran, action: str) -> bool:
    return (
        ran.error is not None
        and (ran.code, ran.error.code) == (3, "access_denied")
        and action in ran.error.message
    )


def log_delivery_denied(chat: Operator, ran: Ran, action: str) -> bool:
    """API Gateway does not name the action that is missing."""
    return (
        ran.error is not None
        and (ran.code, ran.error.code) == (3, "access_denied")
        and "nwchatctl policy logging" in ran.error.hint
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


def account_role(apply: ConsoleChange = logging.account_logging_unset) -> Need:
    return Need(("deploy", "--yes", "--set-account-logging-role"), apply)


def role_that_trusts_another(chat: Operator) -> None:
    """The account's logging role as the tool made it, but for its trust."""
    logging.account_logging_unset(chat)
    logging.make_log_role(chat, logging.LOGGING, **{"nwchat:managed-by": "nwchatctl"})
    chat.root("iam").update_assume_role_policy(RoleName=logging.LOGGING, PolicyDocument=lambda_trust())


def first_domain_of_the_account(chat: Operator) -> None:
    """API Gateway makes its service-linked role with the first domain name."""
    domains.delete_domain(chat)
    chat.root("iam").delete_service_linked_role(RoleName="AWSServiceRoleForAPIGateway")


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
        RoleName=chat.role_name("connect"),
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
        Role=chat.arn("iam", f"role/{chat.role_name('connect')}"),
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


def limits_are_unknown(chat: Operator, ran: Ran, action: str) -> bool:
    return ran.code == 0 and ran.err.count(action) == 1


def concurrency_reserved(chat: Operator) -> None:
    chat.root("lambda").put_function_concurrency(
        FunctionName=chat.resource_name("fanout"), ReservedConcurrentExecutions=5
    )


def send_message(chat: Operator) -> None:
    """One message, for `history` to delete."""
    message = Message(ulid(1, bytes(10)), "text", "", "", 1)
    chat.root("dynamodb").put_item(
        TableName=chat.resource_name("messages"), Item=message_row(message, 4_000_000_000)
    )


IMPORTED = Path(tempfile.gettempdir()) / f"nwchatctl-import-{os.getpid()}.jsonl"
atexit.register(IMPORTED.unlink, missing_ok=True)


def file_to_import(chat: Operator) -> None:
    """A file with one message."""
    IMPORTED.write_text(json.dumps({"message": "text", "date": str(time.time_ns() // 1_000_000)}))


NEEDS = {
    ("deploy", "OwnResources", "dynamodb:BatchGetItem"): Need(
        ("history", "import", "-n", str(IMPORTED)), file_to_import
    ),
    ("deploy", "OwnResources", "dynamodb:BatchWriteItem"): Need(
        ("history", "trim", "--before", "2000-01-01", "--confirm", "e2e-least"), send_message
    ),
    ("deploy", "OwnResources", "dynamodb:CreateTable"): deploy(core.delete_table),
    ("deploy", "OwnResources", "dynamodb:DeleteItem"): Need(
        ("broadcast", "x"), stale_row, is_denied=stale_row_stays
    ),
    ("deploy", "OwnResources", "dynamodb:DeleteTable"): remove(orphan_table),
    ("deploy", "OwnResources", "dynamodb:DescribeContinuousBackups"): PLAN,
    ("deploy", "OwnResources", "dynamodb:DescribeTable"): PLAN,
    ("deploy", "OwnResources", "dynamodb:DescribeTimeToLive"): PLAN,
    ("deploy", "OwnResources", "dynamodb:GetItem"): PLAN,
    ("deploy", "OwnResources", "dynamodb:ListTagsOfResource"): PLAN,
    ("deploy", "OwnResources", "dynamodb:PutItem"): Need(("broadcast", "x")),
    ("deploy", "OwnResources", "dynamodb:Query"): Need(("history", "tail")),
    ("deploy", "OwnResources", "dynamodb:Scan"): Need(("connections", "list")),
    ("deploy", "OwnResources", "dynamodb:TagResource"): tagged("table"),
    ("deploy", "OwnResources", "dynamodb:UntagResource"): deploy(core.tag_table),
    ("deploy", "OwnResources", "dynamodb:UpdateContinuousBackups"): deploy(core.recovery_off),
    ("deploy", "OwnResources", "dynamodb:UpdateItem"): deploy(core.retain_longer),
    ("deploy", "OwnResources", "dynamodb:UpdateTable"): deploy(core.protection_off),
    ("deploy", "OwnResources", "dynamodb:UpdateTimeToLive"): deploy(core.expiry_off),
    ("deploy", "BoundedRoles", "iam:CreateRole"): deploy(core.delete_role),
    ("deploy", "BoundedRoles", "iam:PutRolePermissionsBoundary"): deploy(core.boundary_removed),
    ("deploy", "OwnResources", "iam:DeleteRole"): remove(orphan_role),
    ("deploy", "OwnResources", "iam:DeleteRolePolicy"): remove(orphan_role_with_policy),
    ("deploy", "OwnResources", "iam:DetachRolePolicy"): deploy(core.policy_attached),
    ("deploy", "OwnResources", "iam:GetRole"): PLAN,
    ("deploy", "OwnResources", "iam:GetRolePolicy"): PLAN,
    ("deploy", "OwnResources", "iam:ListAttachedRolePolicies"): PLAN,
    ("deploy", "OwnResources", "iam:ListRolePolicies"): PLAN,
    ("deploy", "BoundedRoles", "iam:PutRolePolicy"): deploy(core.policy_widened),
    ("deploy", "OwnResources", "iam:TagRole"): tagged("role"),
    ("deploy", "OwnResources", "iam:UntagRole"): deploy(core.tag_role),
    ("deploy", "OwnResources", "iam:UpdateAssumeRolePolicy"): deploy(core.trust_widened),
    ("deploy", "PassRolesToLambda", "iam:PassRole"): deploy(core.function_shrunk),
    ("deploy", "FindLogGroups", "logs:DescribeLogGroups"): PLAN,
    ("deploy", "OwnResources", "logs:CreateLogGroup"): deploy(core.delete_group),
    ("deploy", "OwnResources", "logs:DeleteLogGroup"): remove(orphan_group),
    ("deploy", "OwnResources", "logs:ListTagsForResource"): PLAN,
    ("deploy", "OwnResources", "logs:PutRetentionPolicy"): deploy(core.retain_longer),
    ("deploy", "OwnResources", "logs:TagResource"): tagged("log-group"),
    ("deploy", "OwnResources", "logs:UntagResource"): deploy(core.tag_group),
    ("deploy", "FunctionPermissions", "lambda:AddPermission"): deploy(core.remove_permission),
    ("deploy", "OwnResources", "lambda:CreateAlias"): deploy(core.delete_alias),
    ("deploy", "NewFunctions", "lambda:CreateFunction"): deploy(core.delete_function),
    ("deploy", "OwnResources", "lambda:DeleteFunction"): remove(orphan_function),
    ("deploy", "OwnResources", "lambda:DeleteFunctionConcurrency"): Need(
        ("deploy",), concurrency_reserved, settings={"NWCHAT_FANOUT__RESERVED_CONCURRENCY": "none"}
    ),
    ("deploy", "OwnResources", "lambda:GetFunction"): deploy(core.function_shrunk),
    ("deploy", "OwnResources", "lambda:GetFunctionConcurrency"): PLAN,
    ("deploy", "OwnResources", "lambda:PutFunctionConcurrency"): Need(
        ("deploy",), settings={"NWCHAT_FANOUT__RESERVED_CONCURRENCY": "6"}
    ),
    ("deploy", "Account", "tag:GetResources"): Need(("chats", "list")),
    ("deploy", "Account", "lambda:GetAccountSettings"): Need(
        ("deploy", "--dry-run"), is_denied=limits_are_unknown
    ),
    ("deploy", "OwnResources", "lambda:GetFunctionEventInvokeConfig"): PLAN,
    ("deploy", "OwnResources", "lambda:GetPolicy"): PLAN,
    ("deploy", "OwnResources", "lambda:InvokeFunction"): Need(("invoke", "disconnect")),
    ("deploy", "OwnResources", "lambda:ListAliases"): PLAN,
    ("deploy", "OwnResources", "lambda:ListTags"): PLAN,
    ("deploy", "OwnResources", "lambda:ListVersionsByFunction"): PLAN,
    ("deploy", "OwnResources", "lambda:PublishVersion"): Need(
        ("deploy",), settings={"NWCHAT_FUNCTIONS__MEMORY_MB": "384"}
    ),
    ("deploy", "OwnResources", "lambda:PutFunctionEventInvokeConfig"): deploy(queue.events_unset),
    ("deploy", "OwnResources", "lambda:RemovePermission"): deploy(core.permission_moved),
    ("deploy", "OwnResources", "lambda:TagResource"): tagged("function"),
    ("deploy", "OwnResources", "lambda:UntagResource"): deploy(core.tag_function),
    ("deploy", "OwnResources", "lambda:UpdateAlias"): deploy(core.alias_moved),
    ("deploy", "FunctionCode", "lambda:UpdateFunctionCode"): deploy(core.code_changed),
    ("deploy", "FunctionCode", "lambda:UpdateFunctionConfiguration"): deploy(core.function_shrunk),
    ("deploy", "OwnResources", "sqs:CreateQueue"): deploy(queue.deleted),
    ("deploy", "OwnResources", "sqs:DeleteQueue"): remove(queue.orphan_queue),
    ("deploy", "OwnResources", "sqs:GetQueueAttributes"): PLAN,
    ("deploy", "OwnResources", "sqs:GetQueueUrl"): PLAN,
    ("deploy", "OwnResources", "sqs:ListQueueTags"): PLAN,
    ("deploy", "OwnResources", "sqs:SetQueueAttributes"): deploy(queue.queue(DelaySeconds="9")),
    ("deploy", "OwnResources", "sqs:TagQueue"): tagged("queue"),
    ("deploy", "OwnResources", "sqs:UntagQueue"): deploy(queue.tagged),
    ("deploy", "OwnResources", "ssm:AddTagsToResource"): tagged("token-keys"),
    ("deploy", "OwnResources", "ssm:DeleteParameter"): remove(tokens.orphan_keys),
    ("deploy", "OwnResources", "ssm:GetParameter"): PLAN,
    ("deploy", "OwnResources", "ssm:ListTagsForResource"): PLAN,
    ("deploy", "OwnResources", "ssm:PutParameter"): deploy(tokens.keys_deleted),
    ("deploy", "OwnResources", "ssm:RemoveTagsFromResource"): deploy(tokens.keys_tagged),
    ("deploy", "FindApis", "apigateway:GET"): PLAN,
    ("deploy", "NewApis", "apigateway:POST"): Need(("deploy", "--only", "api"), part_of_chat=True),
    ("deploy", "TagsOfNewApis", "apigateway:TagResource"): Need(
        ("deploy", "--only", "api"), part_of_chat=True
    ),
    ("deploy", "Apis", "apigateway:DELETE"): remove(orphan_api),
    ("deploy", "Apis", "apigateway:PATCH"): deploy(core.route_retargeted),
    ("deploy", "Apis", "apigateway:POST"): deploy(core.route_deleted),
    ("deploy", "ApiTags", "apigateway:DELETE"): deploy(core.tag_api),
    ("deploy", "ApiTags", "apigateway:POST"): tagged("api"),
    ("domain", "NewDomains", "apigateway:POST"): deploy(domains.delete_domain),
    ("domain", "TagsOfNewDomains", "apigateway:TagResource"): deploy(domains.delete_domain),
    ("domain", "Domains", "apigateway:DELETE"): deploy(domains.orphan_domain),
    ("domain", "Domains", "apigateway:PATCH"): deploy(domains.domain(SecurityPolicy="TLS_1_0")),
    ("domain", "Domains", "apigateway:POST"): deploy(domains.delete_mapping),
    ("domain", "Domains", "apigateway:RemoveCertificateFromDomain"): deploy(
        domains.domain_with(MutualTlsAuthentication={"TruststoreUri": "s3://x/y"})
    ),
    ("domain", "FirstDomainOfTheAccount", "iam:CreateServiceLinkedRole"): deploy(first_domain_of_the_account),
    ("domain", "FindZonesAndCertificates", "acm:ListCertificates"): PLAN,
    ("domain", "NewCertificates", "acm:RequestCertificate"): deploy(domains.drop_certificate),
    ("domain", "FindZonesAndCertificates", "route53:ListHostedZones"): PLAN,
    ("domain", "Certificates", "acm:AddTagsToCertificate"): deploy(domains.delete_validation),
    ("domain", "Certificates", "acm:DeleteCertificate"): deploy(domains.orphan_certificate),
    ("domain", "CertificatesRead", "acm:DescribeCertificate"): PLAN,
    ("domain", "CertificatesRead", "acm:ListTagsForCertificate"): PLAN,
    ("domain", "Certificates", "acm:RemoveTagsFromCertificate"): deploy(domains.tag_certificate),
    ("domain", "AliasRecords", "route53:ChangeResourceRecordSets"): deploy(domains.delete_record),
    ("domain", "ValidationRecords", "route53:ChangeResourceRecordSets"): deploy(domains.delete_validation),
    ("domain", "ZoneRecords", "route53:ListResourceRecordSets"): PLAN,
    ("domain", "ZoneChanges", "route53:GetChange"): deploy(domains.delete_record),
    ("logging", "AccountLogging", "apigateway:PATCH"): account_role(),
    ("logging", "LoggingRole", "iam:CreateRole"): account_role(),
    ("logging", "LoggingRole", "iam:GetRole"): account_role(),
    ("logging", "LoggingRole", "iam:ListAttachedRolePolicies"): account_role(role_that_trusts_another),
    ("logging", "LoggingRole", "iam:ListRolePolicies"): account_role(role_that_trusts_another),
    ("logging", "LoggingRole", "iam:TagRole"): account_role(),
    ("logging", "LoggingRole", "iam:UpdateAssumeRolePolicy"): account_role(role_that_trusts_another),
    ("logging", "LoggingPolicy", "iam:AttachRolePolicy"): account_role(),
    ("logging", "PassLoggingRole", "iam:PassRole"): account_role(),
    **{
        ("logging", "HistoryAccessLogs", f"logs:{each}"): Need(
            ("deploy", "--only", "history-api", "--only", "log-group"),
            settings={"NWCHAT_LOGS__ACCESS": "on"},
            is_denied=log_delivery_denied,
        )
        for each in (
            *("CreateLogDelivery", "DeleteLogDelivery", "DescribeResourcePolicies", "GetLogDelivery"),
            *("ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"),
        )
    },
    ("deploy", "Sockets", "execute-api:ManageConnections"): Need(
        ("broadcast", "x"), stale_row, is_denied=nobody_is_reached
    ),
}


@pytest.fixture(scope="module")
def whole_chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    # The mode that has all there is.
    made = Operator(sandbox, "e2e-least", tmp_path_factory.mktemp("home"), NWCHAT_AUTH__MODE="token", **NAMED)
    zone = domains.make_zone(made, "least.example")
    made.deploy()
    for name in ("stray", "by"):
        made.own_tag_key(name)
    with attached(made.root("iam"), DOCUMENTS):
        yield made
    made.destroy()
    domains.drop_zone(made, zone)
    logging.account_logging_unset(made)


@pytest.fixture(scope="module")
def part_of_chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(sandbox, "e2e-piece", tmp_path_factory.mktemp("home"))


def test_every_action_is_tested() -> None:
    every = {
        (name, *pair)
        for name, policy in DOCUMENTS.items()
        for pair in sid_actions(policy)
        # tests/e2e/permissions/test_escalations.py is about what is denied.
        if not pair[0].startswith("Keep")
    }
    assert NEEDS.keys() == every


@pytest.mark.parametrize(("policy", "sid", "action"), sorted(NEEDS), ids=lambda text: text)
def test_missing_action_stops_command_that_resumes_with_it(
    whole_chat: Operator, part_of_chat: Operator, policy: str, sid: str, action: str
) -> None:
    need = NEEDS[policy, sid, action]
    chat = part_of_chat if need.part_of_chat else whole_chat
    need.apply(chat)
    with chat.allowed(without(DOCUMENTS[policy], sid, action), policy_name(policy)):
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


@pytest.mark.parametrize(("collection", "call"), [("/apis", "CreateApi"), ("/apis/*/stages", "CreateStage")])
def test_tags_are_allowed_for_each_collection_alone(
    whole_chat: Operator, part_of_chat: Operator, collection: str, call: str
) -> None:
    """API and stage are two resources of one statement, and the console shows neither."""
    whole = DOCUMENTS["deploy"]
    (found,) = (each for each in whole["Statement"] if each["Sid"] == "TagsOfNewApis")
    kept = [each for each in found["Resource"] if not each.endswith(f"::{collection}")]
    assert len(kept) == 1
    narrow = {**found, "Resource": kept}
    statements = [narrow if each is found else each for each in whole["Statement"]]
    with part_of_chat.allowed({**whole, "Statement": statements}, policy_name("deploy")):
        ran = part_of_chat.run("deploy", "--yes")
    part_of_chat.destroy()
    assert denied(part_of_chat, ran, "apigateway:TagResource"), (ran.out, ran.error)
    assert ran.error is not None
    assert f"AWS refuses {call}" in ran.error.message
