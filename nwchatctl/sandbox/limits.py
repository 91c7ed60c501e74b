"""The rules of AWS that the sandbox enforces: one table, and the values that hold in this server.

A rule is there because AWS refuses, closes or delays something that an emulator lets pass, and code that
never met the refusal fails on its first day at AWS. The values can be changed (`sandbox up --limit
NAME=VALUE`), so that a test need not wait ten minutes; `off` takes a rule out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from nwchatctl.errors import ChatError, usage_error


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

_BY_NAME = {rule.name: rule for rule in RULES}

AWS_PACE = 1.0
_MAX_PACE = 10.0

_VALUE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z]*)")
_FACTORS: Mapping[Unit, Mapping[str, float]] = {
    Unit.SECONDS: {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600},
    Unit.BYTES: {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20},
    Unit.MEGABYTES: {"": 1, "MB": 1, "GB": 1 << 10},
    Unit.COUNT: {"": 1},
    Unit.PER_SECOND: {"": 1},
}


@dataclass(frozen=True, slots=True)
class RuleValues:
    """The values that hold in one server. `pace` is a factor of AWS's own times, 0 for no waiting; `chosen`
    are the values that were given for single rules, None for a rule that is off."""

    pace: float = 0.0
    chosen: Mapping[str, float | None] = field(default_factory=dict)
    _values: Mapping[str, float | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = {rule.name: self.chosen.get(rule.name, _at_pace(rule, self.pace)) for rule in RULES}
        object.__setattr__(self, "_values", MappingProxyType(values))

    def value(self, name: str) -> float | None:
        """The value of a rule in its unit; None if the rule is off. Raises KeyError for an unknown name."""
        return self._values[name]

    def on(self, name: str) -> bool:
        return self._values[name] is not None

    def as_data(self) -> dict[str, float | None]:
        """Every rule's value, for JSON: a number in its unit and null if it is off, or just true or false."""
        return {rule.name: _as_data(rule, self._values[rule.name]) for rule in RULES}


def _at_pace(rule: Rule, pace: float) -> float | None:
    if rule.kind is not Kind.PACE:
        return rule.default
    if not pace:
        return None
    match rule.unit:
        case Unit.SECONDS:
            return rule.default * pace
        case Unit.PER_SECOND:
            return rule.default / pace
    return rule.default


def _as_data(rule: Rule, value: float | None) -> float | None:
    if rule.unit is Unit.ON:
        return value is not None
    return None if value is None else _plain(round(value, 6))


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


def parse_pace(text: str) -> float:
    """`aws`, or a factor of AWS's own times from 0 (no waiting) to 10. Raises ChatError `usage`."""
    if text == "aws":
        return AWS_PACE
    try:
        pace = float(text)
    except ValueError:
        pace = math.nan
    if not 0 <= pace <= _MAX_PACE:
        raise usage_error(
            f"--pace is aws or a number from 0 to {_MAX_PACE:g}", "nwchatctl sandbox up --pace aws"
        )
    return pace


def parse_limits(texts: Iterable[str]) -> dict[str, float | None]:
    """The values of `NAME=VALUE` texts, in the rules' units. Raises ChatError `usage`."""
    return dict(_parse_limit(text) for text in texts)


def _parse_limit(text: str) -> tuple[str, float | None]:
    name, equals, value = text.partition("=")
    rule = _BY_NAME.get(name)
    if not equals or rule is None:
        raise _limit_error(f"{name} is no rule of the sandbox" if equals else "--limit takes NAME=VALUE")
    if value == "off":
        return name, None
    if rule.unit is Unit.ON:
        if value == "on":
            return name, rule.default
        raise _limit_error(f"{name} is on or off")
    found = _VALUE.fullmatch(value)
    factor = _FACTORS[rule.unit].get(found[2]) if found else None
    if found is None or factor is None:
        units = ", ".join(filter(None, _FACTORS[rule.unit]))
        raise _limit_error(f"{name} takes a number" + (f" ({units})" if units else "") + " or off")
    return name, float(found[1]) * factor


def _limit_error(message: str) -> ChatError:
    return usage_error(message, "nwchatctl sandbox status --json lists the rules and their values")


def to_options(limits: RuleValues) -> list[str]:
    """The server's command line options for `limits`."""
    options = ["--pace", repr(limits.pace)] if limits.pace else []
    for each in described(limits.chosen):
        options += ["--limit", each]
    return options


def described(chosen: Mapping[str, float | None]) -> list[str]:
    """`NAME=VALUE` texts, as `parse_limits` reads them."""
    return [f"{name}={_text(_BY_NAME[name], value)}" for name, value in chosen.items()]


def _text(rule: Rule, value: float | None) -> str:
    if value is None:
        return "off"
    return "on" if rule.unit is Unit.ON else f"{_plain(value)}"


def limits_from_data(data: Mapping[str, object]) -> RuleValues:
    """The limits in a running server's stored data; what is missing or unknown is left out."""
    pace, chosen = data.get("pace"), data.get("chosen")
    return RuleValues(
        float(pace) if isinstance(pace, int | float) else 0.0,
        {
            name: value
            for name, value in (chosen.items() if isinstance(chosen, dict) else ())
            if name in _BY_NAME and isinstance(value, int | float | None)
        },
    )


_current = RuleValues()


def current() -> RuleValues:
    """What holds in this process: in the server, what it was started with."""
    return _current


def set_current(limits: RuleValues) -> None:
    global _current  # noqa: PLW0603 - one server per process, and the patches of the emulator have no other context
    _current = limits
