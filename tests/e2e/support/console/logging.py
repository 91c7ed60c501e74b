"""Changes to access logs and to the account's logging role that are made in the console."""

from __future__ import annotations

from contextlib import suppress

from nwchatctl.deploy.logging_role import ROLE_TRUST, role_policy
from tests.e2e.support.console.core import ConsoleChange, stage
from tests.e2e.support.operator import ACCOUNT, Operator

LOGGING = "nwchat-apigateway-logs"
ELSEWHERE = f"arn:aws:logs:us-east-2:{ACCOUNT}:log-group:/elsewhere"


def set_account_role(chat: Operator, arn: str) -> None:
    """Sets the account's logging role; "" for none."""
    patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}
    chat.root("apigateway").update_account(patchOperations=[patch])


def account_role(chat: Operator) -> str:
    """The account's logging role; "" for none."""
    return str(chat.root("apigateway").get_account().get("cloudwatchRoleArn", ""))


def make_log_role(chat: Operator, name: str, **tags: str) -> str:
    """Makes a role that API Gateway can log with; its ARN."""
    iam = chat.root("iam")
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=ROLE_TRUST,
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=role_policy("aws"))
    return str(role)


def remove_log_role(chat: Operator, name: str) -> None:
    """Removes a role that API Gateway logs with, if it is there."""
    iam = chat.root("iam")
    with suppress(iam.exceptions.NoSuchEntityException):
        for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=each["PolicyArn"])
        iam.delete_role(RoleName=name)


def account_logging_unset(chat: Operator) -> None:
    """As in an account where nobody has set it yet."""
    set_account_role(chat, "")
    remove_log_role(chat, LOGGING)


def access_log_set(destination: str, format: str = "$context.requestId") -> ConsoleChange:
    return stage(AccessLogSettings={"DestinationArn": destination, "Format": format})


def level(**settings: object) -> ConsoleChange:
    """Settings of the stage's execution log, with the limits as they are."""
    limits = {"ThrottlingRateLimit": 100.0, "ThrottlingBurstLimit": 200}
    return stage(DefaultRouteSettings={**limits, **settings})


def metrics_on(chat: Operator) -> None:
    level(DetailedMetricsEnabled=True)(chat)


def access_log_removed(chat: Operator) -> None:
    chat.api.delete_access_log_settings(ApiId=chat.api_id, StageName="production")


def access_format_changed(chat: Operator) -> None:
    access_log_set(chat.arn("logs", f"log-group:{chat.access_log}"))(chat)


def access_group_never_expires(chat: Operator) -> None:
    chat.root("logs").delete_retention_policy(logGroupName=chat.access_log)


def access_group_untagged(chat: Operator) -> None:
    arn = chat.arn("logs", f"log-group:{chat.access_log}")
    chat.root("logs").untag_resource(resourceArn=arn, tagKeys=["nwchat:chat"])


def access_group_deleted(chat: Operator) -> None:
    chat.root("logs").delete_log_group(logGroupName=chat.access_log)
