"""The rules of AWS that the sandbox enforces, in one table.

A rule is there because AWS refuses, closes or delays something that an emulator lets pass, and code that
never met the refusal fails on its first day at AWS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """When a rule holds: refusals and sockets always, pace only with `sandbox up --pace`."""

    REFUSAL = "refusal"
    SOCKET = "socket"
    PACE = "pace"


class Unit(StrEnum):
    """What the value of a rule counts. A rule that is only on or off has ON, and the value 1."""

    ON = "on"
    SECONDS = "s"
    BYTES = "bytes"
    COUNT = "count"
    PER_SECOND = "per_s"
    MEGABYTES = "MB"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `default` is AWS's own value in `unit`, `text` what AWS does, `source` how that is known."""

    name: str
    kind: Kind
    default: float
    unit: Unit
    text: str
    source: str


_R, _S, _P = Kind.REFUSAL, Kind.SOCKET, Kind.PACE
_QUOTAS = "API Gateway developer guide, quotas for WebSocket APIs"
_ACCOUNT_QUOTAS = "API Gateway developer guide, quotas of an account and Region"
_LAMBDA = "Lambda developer guide, Lambda quotas"
_REFERENCE = "API Gateway v2 API reference"

RULES: tuple[Rule, ...] = (
    # API Gateway, control plane
    Rule(
        "tag_on_create",
        _R,
        1,
        Unit.ON,
        "creating an API, stage or domain name with tags needs apigateway:TagResource on the collection",
        "aws-amplify/amplify-cli#12316, hashicorp/terraform-provider-aws#20634",
    ),
    Rule(
        "parameter_constraints",
        _R,
        1,
        Unit.ON,
        "every request parameter obeys the pattern, length, range and enum of the service model",
        "the service models in botocore",
    ),
    Rule(
        "deployment_snapshots",
        _R,
        1,
        Unit.ON,
        "routes, integrations, responses and authorizers take effect only through the stage's deployment",
        "API Gateway developer guide, deploy WebSocket APIs",
    ),
    Rule(
        "deployment_needs_routes",
        _R,
        1,
        Unit.ON,
        "CreateDeployment of an API without routes is refused",
        "API Gateway developer guide, deploy WebSocket APIs",
    ),
    Rule(
        "deployment_in_use",
        _R,
        1,
        Unit.ON,
        "DeleteDeployment of a deployment that a stage uses is refused",
        f"{_REFERENCE}, DeleteDeployment",
    ),
    Rule(
        "deployment_with_auto_deploy",
        _R,
        1,
        Unit.ON,
        "DeploymentId cannot be set on a stage that has auto-deploy on",
        "hashicorp/terraform-provider-aws#13961",
    ),
    Rule(
        "route_response_needed",
        _R,
        1,
        Unit.ON,
        "what a handler returns reaches the client only where the route has a route response",
        "API Gateway developer guide, set up route responses",
    ),
    # Lambda
    Rule(
        "permission_overlap",
        _R,
        0.1,
        Unit.SECONDS,
        "of two AddPermission or RemovePermission calls for one function that overlap, one is lost",
        "hashicorp/terraform-provider-aws, which holds a lock per function",
    ),
    Rule(
        "function_environment",
        _R,
        4096,
        Unit.BYTES,
        "a function's environment has at most this size in all",
        _LAMBDA,
    ),
    Rule(
        "function_memory", _R, 10_240, Unit.MEGABYTES, "the account's largest memory of a function", _LAMBDA
    ),
    Rule("payload_synchronous", _R, 6 << 20, Unit.BYTES, "a larger synchronous payload is refused", _LAMBDA),
    Rule(
        "payload_asynchronous", _R, 1 << 20, Unit.BYTES, "a larger asynchronous payload is refused", _LAMBDA
    ),
    Rule(
        "concurrent_executions",
        _R,
        1000,
        Unit.COUNT,
        "more concurrent executions in the account are refused with 429",
        f"{_LAMBDA}; new accounts have 10",
    ),
    Rule(
        "reserved_concurrency",
        _R,
        1,
        Unit.ON,
        "more executions than a function's reserved concurrency are refused with 429; 0 stops it",
        "Lambda developer guide, reserved concurrency",
    ),
    Rule(
        "function_role_grant",
        _R,
        1,
        Unit.ON,
        "a function whose role was created again cannot be invoked until it has had another role",
        "hashicorp/terraform-provider-aws#9703; AWS re:Post, KMS errors of Lambda",
    ),
    Rule(
        "function_network",
        _R,
        1,
        Unit.ON,
        "a VPC needs permissions of the function's role and of the caller for network interfaces and subnets",
        "Lambda developer guide, giving functions access to a VPC",
    ),
    # IAM, SSM, SQS, DynamoDB
    Rule(
        "managed_policy_size",
        _R,
        6144,
        Unit.COUNT,
        "characters of a managed policy, white space not counted",
        "IAM user guide, IAM and STS quotas",
    ),
    Rule(
        "inline_policies_size",
        _R,
        10_240,
        Unit.COUNT,
        "characters of all inline policies of a role, white space not counted",
        "IAM user guide, IAM and STS quotas",
    ),
    Rule(
        "parameter_recreation",
        _R,
        30,
        Unit.SECONDS,
        "a parameter cannot be created for this long after its deletion",
        "SSM service model, DeleteParameter",
    ),
    Rule(
        "queue_recreation",
        _R,
        60,
        Unit.SECONDS,
        "a queue cannot be created for this long after its deletion",
        "SQS API reference, DeleteQueue",
    ),
    Rule(
        "transaction_seconds",
        _R,
        0.015,
        Unit.SECONDS,
        "a transaction takes this long, and other writes of its items are refused meanwhile",
        "DynamoDB developer guide, transaction conflict handling",
    ),
    Rule(
        "ttl_change",
        _R,
        3600,
        Unit.SECONDS,
        "a second UpdateTimeToLive is refused for this long",
        "DynamoDB API reference, UpdateTimeToLive",
    ),
    Rule(
        "table_changes_separate",
        _R,
        1,
        Unit.ON,
        "one UpdateTable makes one kind of change",
        "DynamoDB API reference, UpdateTable",
    ),
    # Sockets
    Rule(
        "connection_gone",
        _S,
        1,
        Unit.ON,
        "@connections answers 410 before $connect has returned and after the connection is closed",
        "API Gateway developer guide, @connections commands",
    ),
    Rule("post_payload", _S, 128 << 10, Unit.BYTES, "a larger payload to @connections is refused", _QUOTAS),
    Rule("frame_size", _S, 32 << 10, Unit.BYTES, "a larger frame closes the connection with 1009", _QUOTAS),
    Rule(
        "message_size", _S, 128 << 10, Unit.BYTES, "a larger message closes the connection with 1009", _QUOTAS
    ),
    Rule(
        "binary_frames",
        _S,
        1,
        Unit.ON,
        "a binary frame closes the connection with 1003",
        "API Gateway developer guide, binary media types for WebSocket APIs",
    ),
    Rule("idle_timeout", _S, 600, Unit.SECONDS, "an idle connection is closed with 1001", _QUOTAS),
    Rule("connection_lifetime", _S, 7200, Unit.SECONDS, "every connection is closed with 1001", _QUOTAS),
    Rule("connect_rate", _S, 500, Unit.PER_SECOND, "more new connections get 429", _QUOTAS),
    Rule("connect_burst", _S, 500, Unit.COUNT, "the bucket of connect_rate", _QUOTAS),
    Rule(
        "stage_throttling",
        _S,
        1,
        Unit.ON,
        "rate and burst of the stage and its routes bind connects (429) and messages (an error frame)",
        "API Gateway developer guide, throttle WebSocket APIs",
    ),
    Rule(
        "connection_id_form",
        _S,
        1,
        Unit.ON,
        "connection ids are base64 with a = at the end, and may begin with - or _",
        "examples of the API Gateway developer guide; reports of users",
    ),
    Rule(
        "connection_fields",
        _S,
        1,
        Unit.ON,
        "GetConnection answers connectedAt, lastActiveAt and identity",
        "the service model of apigatewaymanagementapi",
    ),
    Rule(
        "posts_rate",
        _S,
        10_000,
        Unit.PER_SECOND,
        "more requests to the account's APIs, @connections included, get 429",
        _ACCOUNT_QUOTAS,
    ),
    Rule("posts_burst", _S, 5000, Unit.COUNT, "the bucket of posts_rate", _ACCOUNT_QUOTAS),
    # Pace
    Rule("gateway_rate", _P, 10, Unit.PER_SECOND, "calls of API Gateway's control plane", _ACCOUNT_QUOTAS),
    Rule("gateway_burst", _P, 40, Unit.COUNT, "the bucket of gateway_rate", _ACCOUNT_QUOTAS),
    Rule("deployment_interval", _P, 5, Unit.SECONDS, "one CreateDeployment in this time", _ACCOUNT_QUOTAS),
    Rule(
        "domain_name_interval",
        _P,
        30,
        Unit.SECONDS,
        "one CreateDomainName, UpdateDomainName and DeleteDomainName each in this time",
        _ACCOUNT_QUOTAS,
    ),
    Rule("account_update_interval", _P, 20, Unit.SECONDS, "one UpdateAccount in this time", _ACCOUNT_QUOTAS),
    Rule("lambda_rate", _P, 15, Unit.PER_SECOND, "calls of Lambda's control plane", _LAMBDA),
    Rule(
        "route53_rate",
        _P,
        5,
        Unit.PER_SECOND,
        "calls of Route 53",
        "Route 53 developer guide, quotas",
    ),
    Rule(
        "role_assumable",
        _P,
        8,
        Unit.SECONDS,
        "Lambda cannot assume a role that is younger",
        "Lambda developer guide, troubleshooting; reports of users",
    ),
    Rule(
        "role_visible",
        _P,
        2,
        Unit.SECONDS,
        "PutRolePolicy and AttachRolePolicy do not find a role that is younger",
        "IAM user guide, changes are not always immediately visible",
    ),
    Rule(
        "function_ready",
        _P,
        3,
        Unit.SECONDS,
        "a new function is Pending, and an update in progress, for this long",
        "Lambda developer guide, function states",
    ),
    Rule(
        "table_ready",
        _P,
        5,
        Unit.SECONDS,
        "a new table is CREATING for this long",
        "DynamoDB API reference, CreateTable",
    ),
    Rule(
        "recovery_ready",
        _P,
        120,
        Unit.SECONDS,
        "point-in-time recovery is unavailable for this long after a table is ACTIVE",
        "hashicorp/terraform-provider-aws, which waits up to 20 minutes",
    ),
    Rule(
        "stage_ready",
        _P,
        3,
        Unit.SECONDS,
        "a new stage refuses handshakes for this long",
        "reports of users",
    ),
    Rule(
        "certificate_record",
        _P,
        5,
        Unit.SECONDS,
        "a new certificate has no validation record for this long",
        "ACM API reference, RequestCertificate",
    ),
    Rule(
        "certificate_issued",
        _P,
        30,
        Unit.SECONDS,
        "a certificate is issued this long after its validation record is found",
        "ACM user guide, DNS validation",
    ),
    Rule(
        "attributes_visible",
        _P,
        2,
        Unit.SECONDS,
        "reads show tags, queue attributes and retention this long after they were changed",
        "SQS API reference, SetQueueAttributes; reports of users",
    ),
)
