"""Probes of the rules of DynamoDB, IAM, SSM, SQS, ACM and CloudWatch Logs."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from nwchatctl.sandbox.patches.acm import OWN_TAG
from tests.e2e.sandbox.rules.registry import Probe, probe


def code_of(call: Any, **parameters: Any) -> str:
    """The code of AWS's refusal; "" if the call succeeds."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def new_table(aws: Probe) -> tuple[Any, str]:
    """A client of DynamoDB, and the name of a table that was just created."""
    client, name = aws.client("dynamodb"), aws.name()
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client, name


def old_table(aws: Probe) -> tuple[Any, str]:
    """A client of DynamoDB, and the name of a table that is ACTIVE at any pace: one that all probes share,
    from a chat that was there before."""
    client, name = aws.client("dynamodb"), "rule-shared"
    with suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    while client.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.1)
    return client, name


def new_role(aws: Probe) -> tuple[Any, str]:
    """A client of IAM, and the name of a role that was just created."""
    client, name = aws.client("iam"), aws.name()
    client.create_role(RoleName=name, AssumeRolePolicyDocument=policy(sts="AssumeRole", principal=True))
    return client, name


def policy(*, size: int = 0, sts: str = "", principal: bool = False) -> str:
    """A policy with `size` characters without white space, or a small one."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": f"sts:{sts or 'GetCallerIdentity'}"}
    statement |= {"Principal": {"Service": "lambda.amazonaws.com"}} if principal else {"Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    if size:
        statement["Sid"] = ""
        statement["Sid"] = "x" * (size - len(json.dumps(document, separators=(",", ":"))))
    return json.dumps(document, indent=4)


@probe("managed_policy_size")
def managed_policy_has_at_most_6144_characters(aws: Probe) -> bool:
    iam, name = aws.client("iam"), aws.name()
    assert code_of(iam.create_policy, PolicyName=f"{name}-6144", PolicyDocument=policy(size=6144)) == ""
    large = policy(size=6145)
    return code_of(iam.create_policy, PolicyName=name, PolicyDocument=large) == "LimitExceeded"


@probe("inline_policies_size")
def inline_policies_of_a_role_have_at_most_10240_characters(aws: Probe) -> bool:
    iam, name = new_role(aws)

    def put(label: str, size: int) -> str:
        return code_of(iam.put_role_policy, RoleName=name, PolicyName=label, PolicyDocument=policy(size=size))

    # A policy that is too large is refused even of a role that is not visible yet.
    while (first := put("first", 10_000)) == "NoSuchEntity":
        time.sleep(0.2)
    assert first == ""
    return put("second", 240) == "" and put("third", 300) == "LimitExceeded"


@probe("parameter_recreation")
def parameter_cannot_be_created_just_after_its_deletion(aws: Probe) -> bool:
    ssm, name = aws.client("ssm"), aws.name()
    ssm.put_parameter(Name=name, Value="v", Type="String")
    ssm.delete_parameter(Name=name)
    again = code_of(ssm.put_parameter, Name=name, Value="v", Type="String")
    missing = code_of(ssm.get_parameter, Name=name)
    return (again, missing) == ("ParameterAlreadyExists", "ParameterNotFound")


@probe("queue_recreation")
def queue_cannot_be_created_just_after_its_deletion(aws: Probe) -> bool:
    sqs, name = aws.client("sqs"), aws.name()
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName=name)["QueueUrl"])
    return code_of(sqs.create_queue, QueueName=name).endswith("QueueDeletedRecently")


@probe("transaction_seconds")
def write_of_an_item_in_a_transaction_is_refused(aws: Probe) -> bool:
    client, name = old_table(aws)
    item = {"TableName": name, "Item": {"id": {"S": aws.name()}}}
    with ThreadPoolExecutor(1) as pool:
        for _ in range(20):
            transaction = pool.submit(client.transact_write_items, TransactItems=[{"Put": item}])
            while not transaction.done():
                if code_of(client.put_item, **item) == "TransactionConflictException":
                    return True
    return False


@probe("ttl_change")
def expiry_cannot_be_changed_twice_within_an_hour(aws: Probe) -> bool:
    client, name = old_table(aws)
    on = {"TimeToLiveSpecification": {"Enabled": True, "AttributeName": "until"}}
    off = {"TimeToLiveSpecification": {"Enabled": False, "AttributeName": "until"}}
    client.update_time_to_live(TableName=name, **on)
    return code_of(client.update_time_to_live, TableName=name, **off) == "ValidationException"


@probe("table_changes_separate")
def two_kinds_of_change_in_one_call_are_refused(aws: Probe) -> bool:
    client, name = old_table(aws)
    changes: Any = {"DeletionProtectionEnabled": False, "StreamSpecification": {"StreamEnabled": False}}
    return code_of(client.update_table, TableName=name, **changes) == "ValidationException"


@probe("role_visible")
def new_role_is_not_found(aws: Probe) -> bool:
    iam, name = new_role(aws)
    document = policy()
    put = code_of(iam.put_role_policy, RoleName=name, PolicyName="p", PolicyDocument=document)
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    attached = code_of(iam.attach_role_policy, RoleName=name, PolicyArn=arn)
    return (put, attached) == ("NoSuchEntity", "NoSuchEntity")


@probe("table_ready")
def new_table_is_creating(aws: Probe) -> bool:
    client, name = new_table(aws)
    status = client.describe_table(TableName=name)["Table"]["TableStatus"]
    read = code_of(client.get_item, TableName=name, Key={"id": {"S": "1"}})
    change = code_of(client.update_table, TableName=name, DeletionProtectionEnabled=True)
    return (status, read, change) == ("CREATING", "ResourceNotFoundException", "ResourceInUseException")


@probe("recovery_ready")
def recovery_is_unavailable_at_first(aws: Probe) -> bool:
    client, name = old_table(aws)
    recovery = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    refused = code_of(client.update_continuous_backups, TableName=name, **recovery)
    return refused == "ContinuousBackupsUnavailableException"


def request_certificate(aws: Probe) -> tuple[Any, str]:
    """A client of ACM, and the ARN of a certificate that was just requested, as the tool requests it."""
    client = aws.client("acm")
    tag = dict(zip(("Key", "Value"), OWN_TAG, strict=True))
    arn = client.request_certificate(DomainName=f"{aws.name()}.example", ValidationMethod="DNS", Tags=[tag])
    return client, arn["CertificateArn"]


@probe("certificate_record")
def new_certificate_has_no_validation_record(aws: Probe) -> bool:
    client, arn = request_certificate(aws)
    (option,) = client.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]
    return "ResourceRecord" not in option


@probe("certificate_issued")
def validated_certificate_is_pending(aws: Probe) -> bool:
    """Nothing here has the name's DNS, so that the record counts as found."""
    client, arn = request_certificate(aws)
    while not client.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"][
        0
    ].get("ResourceRecord"):
        time.sleep(0.1)
    return bool(
        client.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "PENDING_VALIDATION"
    )


@probe("attributes_visible")
def changed_attributes_are_not_seen_at_once(aws: Probe) -> bool:
    sqs, logs, name = aws.client("sqs"), aws.client("logs"), aws.name()
    url = sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "1"}, tags={"a": "1"})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "2"})
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2"})
    logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=7)
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    seen = (
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["DelaySeconds"],
        sqs.list_queue_tags(QueueUrl=url)["Tags"],
        group.get("retentionInDays"),
    )
    before, after = ("1", {"a": "1"}, None), ("2", {"a": "1", "b": "2"}, 7)
    assert all(one in both for one, *both in zip(seen, before, after, strict=True)), seen
    return seen == before
