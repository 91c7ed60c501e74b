"""Probes of the rules about request parameters and about the rates of control planes.

The rates are counted for each Region. These probes use Regions of their own, and leave the others' alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.e2e.sandbox.rules.registry import Probe, probe

MOST_CALLS = 120
"""Enough to empty the largest bucket, even while it refills."""

THROTTLED = ("TooManyRequestsException", "Throttling")


def client_in(aws: Probe, service: str, region: str) -> Any:
    """A client of the root user for a Region, which checks and retries nothing itself."""
    key = aws.sandbox.root_key
    make: Any = boto3.session.Session(key.access_key_id, key.secret_access_key, region_name=region).client
    config = Config(proxies={}, retries={"total_max_attempts": 1}, parameter_validation=False)
    return make(service, endpoint_url=aws.sandbox.endpoint, config=config)


def error_code(call: Callable[[], object]) -> str:
    """The code of a call's error, "" if it succeeds."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def calls_before_throttling(call: Callable[[], object]) -> int:
    """How many calls are accepted, at most MOST_CALLS."""
    return next((done for done in range(MOST_CALLS) if error_code(call) in THROTTLED), MOST_CALLS)


@dataclass(frozen=True)
class Broken:
    """A call with a parameter that breaks its service's model, and the service's code for it."""

    service: str
    operation: str
    parameters: dict[str, Any]
    code: str


_CHANGE = {"Action": "UPSERT", "ResourceRecordSet": {"Name": "a.example.com", "Type": "WRONG"}}
_TRUST = '{"Version": "2012-10-17", "Statement": []}'

BROKEN = (
    Broken("acm", "describe_certificate", {"CertificateArn": "not an ARN of ACM"}, "ValidationException"),
    Broken("apigateway", "get_domain_names", {"resourceOwner": "NOBODY"}, "BadRequestException"),
    Broken("apigatewayv2", "create_api", {"Name": "n" * 129, "ProtocolType": "HTTP"}, "BadRequestException"),
    Broken("apigatewayv2", "create_api", {"Name": "name", "ProtocolType": "SOCKETS"}, "BadRequestException"),
    Broken("dynamodb", "list_tables", {"Limit": 101}, "ValidationException"),
    Broken("iam", "create_role", {"RoleName": "a/b", "AssumeRolePolicyDocument": _TRUST}, "ValidationError"),
    Broken("lambda", "get_function", {"FunctionName": "no name"}, "ValidationException"),
    Broken("lambda", "list_functions", {"MaxItems": 10_001}, "ValidationException"),
    Broken("logs", "describe_log_groups", {"logGroupNamePrefix": "no name"}, "InvalidParameterException"),
    Broken(
        "route53",
        "change_resource_record_sets",
        {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [_CHANGE]}},
        "InvalidInput",
    ),
    Broken(
        "ssm", "put_parameter", {"Name": "n" * 2049, "Value": "v", "Type": "String"}, "ValidationException"
    ),
    Broken(
        "sts",
        "assume_role",
        {"RoleArn": "arn:aws:iam::000000000000:role/x", "RoleSessionName": "no name"},
        "ValidationError",
    ),
)


def is_refused(aws: Probe, broken: Broken) -> bool:
    """Whether the service's validation refuses the call: the error names the constraint."""
    client = client_in(aws, broken.service, "eu-west-3")
    try:
        getattr(client, broken.operation)(**broken.parameters)
    except ClientError as error:
        details = error.response["Error"]
        return details["Code"] == broken.code and "failed to satisfy constraint" in details["Message"]
    return False


@probe("parameter_constraints")
def parameters_obey_the_service_models(aws: Probe) -> bool:
    """Every service refuses what its model does not allow, in its own protocol."""
    return all(is_refused(aws, each) for each in BROKEN)


@probe("gateway_rate")
def gateway_calls_are_limited(aws: Probe) -> bool:
    """The account's bucket empties faster than it refills."""
    return calls_before_throttling(client_in(aws, "apigatewayv2", "eu-west-1").get_apis) < MOST_CALLS


@probe("gateway_burst")
def gateway_accepts_a_burst(aws: Probe) -> bool:
    """The bucket holds 40, and both versions of the service share it."""
    gateway = client_in(aws, "apigatewayv2", "eu-west-2")
    older = client_in(aws, "apigateway", "eu-west-2")
    calls = cycle((gateway.get_apis, older.get_account))

    def call_either() -> object:
        return next(calls)()

    accepted = calls_before_throttling(call_either)
    return 40 <= accepted < MOST_CALLS


@probe("deployment_interval")
def deployments_are_limited(aws: Probe) -> bool:
    client = client_in(aws, "apigatewayv2", "eu-west-3")
    codes = [error_code(lambda: client.create_deployment(ApiId="abcdefghij")) for _ in range(2)]
    return codes == ["NotFoundException", "TooManyRequestsException"]


@probe("domain_name_interval")
def domain_name_calls_are_limited(aws: Probe) -> bool:
    """Each of the operations has a limit of its own."""
    client = client_in(aws, "apigatewayv2", "eu-west-3")
    change = {"DomainName": "chat.example.com"}
    calls = (client.delete_domain_name, client.delete_domain_name, client.update_domain_name)
    codes = [error_code(partial(call, **change)) for call in calls]
    return codes == ["NotFoundException", "TooManyRequestsException", "NotFoundException"]


@probe("account_update_interval")
def account_updates_are_limited(aws: Probe) -> bool:
    client = client_in(aws, "apigateway", "eu-west-3")
    return [error_code(client.update_account) for _ in range(2)] == ["", "TooManyRequestsException"]


@probe("lambda_rate")
def lambda_calls_are_limited(aws: Probe) -> bool:
    """Invocations are not: they have limits of their own."""
    client = client_in(aws, "lambda", "eu-west-1")
    if calls_before_throttling(client.list_functions) == MOST_CALLS:
        return False
    return error_code(lambda: client.invoke(FunctionName="nothing")) == "ResourceNotFoundException"


@probe("route53_rate")
def route53_calls_are_limited(aws: Probe) -> bool:
    return calls_before_throttling(client_in(aws, "route53", "us-east-1").list_hosted_zones) < MOST_CALLS
