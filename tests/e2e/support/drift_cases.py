"""Changes that are made to a chat in the console, with the plan that must show them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nwchatctl.deploy.desired.access_logs import FORMAT
from tests.e2e.support.console import core as by
from tests.e2e.support.console import logging as logs
from tests.e2e.support.console import queue as queues
from tests.e2e.support.console.core import ConsoleChange
from tests.e2e.support.operator import Operator


@dataclass(frozen=True)
class Part:
    """Equal to any text that contains `text`."""

    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.text in other

    def __hash__(self) -> int:
        return hash(self.text)


Text = str | Part | None
Fields = dict[str, tuple[Text, Text]]


@dataclass(frozen=True)
class Drift:
    """`apply` makes the change. The plan then has one change, of `fields` from before to after, and those of
    `also`.

    In names and texts, CHAT stands for the prefix of the chat's resource names.
    """

    id: str
    apply: ConsoleChange
    action: str
    kind: str
    name: Text
    fields: Fields = field(default_factory=dict)
    also: tuple[tuple[str, str, Text], ...] = ()


_API, _STAGE, _PING = ("api", "CHAT"), ("stage", "production"), ("integration", "ping")
_CONNECTIONS, _MESSAGES = ("table", "CHAT-connections"), ("table", "CHAT-messages")
_ROLE, _LOGS = ("role", "CHAT-connect-us-east-2"), ("log-group", "/aws/lambda/CHAT-connect")
_ACCESS = ("log-group", "/aws/apigateway/CHAT-access")
_CONNECT, _MESSAGE = ("function", "CHAT-connect"), ("function", "CHAT-message")
_CONNECT_LIVE, _MESSAGE_LIVE = ("alias", "CHAT-connect:live"), ("alias", "CHAT-message:live")
_LETTERS, _EVENTS = ("queue", "CHAT-dead-letters"), ("async-invoke", "CHAT-fanout:live")
_STATEMENT = ("permission", "CHAT-connect:live nwchat-connect")

_TAG: Fields = {"tags.stray": ("tag", None)}
_ANY = Part("")


def edit(id: str, apply: ConsoleChange, what: tuple[str, str], **fields: tuple[Text, Text]) -> Drift:
    return Drift(id, apply, "update", *what, dict(fields))


def check_repair(operator: Operator, drift: Drift) -> None:
    """Makes the drift and asserts that the plan shows it and that deploy repairs it."""
    if any(each.startswith("tags.stray") for each in drift.fields):
        operator.own_tag_key("stray")
    drift.apply(operator)

    def named(text: Text) -> Text:
        return text.replace("CHAT", f"nwchat-{operator.name}") if isinstance(text, str) else text

    planned = operator.plan()
    deployed = operator.deploy()
    after = operator.plan()

    # The change of `kind` and `name` first, then those of `also`.
    about = sorted(planned, key=lambda each: (each["kind"], each["name"]) != (drift.kind, named(drift.name)))
    assert [(each["action"], each["kind"], each["name"]) for each in about] == [
        (drift.action, drift.kind, named(drift.name)),
        *((action, kind, named(name)) for action, kind, name in drift.also),
    ]
    # Version numbers depend on earlier publishes.
    found = {
        re.sub(r"^weights\.\d+$", "weights.N", each["name"]): (each["before"], each["after"])
        for each in about[0]["fields"]
    }
    if drift.action == "create":
        assert found or drift.kind == "recovery"
        found = {name: found[name] for name in drift.fields}
    assert found == {name: tuple(map(named, texts)) for name, texts in drift.fields.items()}
    assert (deployed["changes"], deployed["applied"]) == (planned, len(planned))
    assert after == []


# fmt: off
DRIFTS = (
    # Routes and integrations.
    edit("route-retargeted", by.route_retargeted, ("route", "onMessage"), integration=("connect", "message")),
    Drift("route-deleted", by.route_deleted, "create", "route", "onMessage", {"integration": (None,
          "message")}),
    Drift("route-added", by.route_added, "delete", "route", "extra"),
    edit("route-authorization", by.route("$connect", AuthorizationType="AWS_IAM"), ("route", "$connect"),
           authorization=("AWS_IAM", "NONE")),
    edit("route-api-key", by.route("onMessage", ApiKeyRequired=True), ("route", "onMessage"),
           api_key_required=("on", "off")),
    edit("route-response-deleted", by.route_response_deleted, ("route", "ping"), answers=("off", "on")),
    edit("integration-uri", by.integration_latest, ("integration", "message"),
           uri=(Part("-message/invocations"), Part("-message:live/invocations"))),
    edit("integration-timeout", by.integration("connect", TimeoutInMillis=5000), ("integration", "connect"),
           timeout_ms=("5000", "29000")),
    edit("integration-template", by.integration("ping", RequestTemplates={"200": '{"statusCode":500}'}),
         _PING,
           request_template=('{"statusCode":500}', '{"statusCode":200}')),
    edit("pong-changed", by.response_changed, _PING, response_template=('{"type":"gnop"}',
         '{"type":"pong"}')),
    edit("pong-deleted", by.response_deleted, _PING, response_template=(None, '{"type":"pong"}')),
    Drift("integration-added", by.integration_added, "delete", "integration", "extra"),
    # Settings that the tool never sets would go live with the next deployment.
    edit("route-parameters", by.route("$connect", RequestParameters={
         "route.request.querystring.x": {"Required": True}}), ("route", "$connect"),
           other=("RequestParameters", None)),
    Drift("integration-parameters", by.integration("connect", RequestParameters={
          "integration.request.header.x": "'y'"}), "create", "integration", "connect",
          also=(("delete", "integration", _ANY), ("update", "route", "$connect"))),
    # The stage and the API.
    edit("stage-throttle",
           by.stage(DefaultRouteSettings={"ThrottlingRateLimit": 7.5, "ThrottlingBurstLimit": 3}), _STAGE,
           throttle_rate=("7.5", "100"), throttle_burst=("3", "200")),
    Drift("stage-variables", by.stage(StageVariables={"colour": "red"}), "update", *_STAGE,
          {"variables.colour": ("red", None)}),
    edit("stage-route-settings",
           by.stage(RouteSettings={"onMessage": {"ThrottlingRateLimit": 1.0, "ThrottlingBurstLimit": 1}}),
           _STAGE,
           **{"route_settings.onMessage": ("1/s, burst 1", None)}),
    edit("stage-ping-limits",
           by.stage(RouteSettings={"ping": {"ThrottlingRateLimit": 999.0, "ThrottlingBurstLimit": 1}}),
           _STAGE,
           **{"route_settings.ping": ("999/s, burst 1", "20/s, burst 200")}),
    Drift("stage-connect-limits-deleted", by.route_settings_deleted("$connect"), "update", *_STAGE,
          {"route_settings.$connect": (None, "20/s, burst 200")}),
    Drift("stage-redeployed", by.stage_redeployed, "update", *_STAGE, {"deployment": (_ANY, _ANY)},
          also=(("delete", "deployment", _ANY),)),
    Drift("deployment-added", by.deployment_added, "delete", "deployment", _ANY),
    edit("stage-auto-deploy", by.stage(AutoDeploy=True), _STAGE, auto_deploy=("on", "off")),
    Drift("stage-auto-deployed", by.route_changed_with_auto_deploy, "update", *_STAGE,
          {"auto_deploy": ("on", "off"), "deployment": (_ANY, _ANY)},
          also=(("update", "route", "onMessage"), ("delete", "deployment", _ANY))),
    edit("stage-metrics", logs.metrics_on, _STAGE,
           detailed_metrics=("on", "off")),
    Drift("stage-tagged", by.api_tags("/stages/production", stray="tag"), "update", *_STAGE, _TAG),
    Drift("stage-untagged", by.untag_stage, "update", *_STAGE, {"tags.nwchat:managed-by": (None,
          "nwchatctl")}),
    Drift("stage-deleted", by.delete_stage, "create", *_STAGE),
    edit("api-selection", by.api(RouteSelectionExpression="$request.body.route"), _API,
           route_selection=("$request.body.route", "$request.body.action")),
    edit("api-endpoint", by.api(DisableExecuteApiEndpoint=True), _API, default_endpoint=("off", "on")),
    edit("api-described", by.api(Description="mine"), _API,
           description=("mine", Part("WebSocket API of the chat"))),
    edit("api-renamed", by.api(Name="renamed"), _API, display_name=("renamed", "CHAT")),
    Drift("api-tagged", by.api_tags("", stray="tag"), "update", *_API, _TAG),
    # Functions, aliases and permissions.
    edit("function-memory", by.function(MemorySize=512), _MESSAGE, memory_mb=("512", "256")),
    edit("function-timeout", by.function(Timeout=3), _MESSAGE, timeout_seconds=("3", "25")),
    Drift("function-environment", by.environment, "update", *_MESSAGE,
          {"environment.NWCHAT_RATE_MESSAGES": ("999", "10"), "environment.MORE": (Part("(hidden "), None)}),
    edit("function-handler", by.function(Handler="nwchat.connect.handler"), _MESSAGE,
           handler=("nwchat.connect.handler", "nwchat.message.handler")),
    edit("function-runtime", by.function(Runtime="python3.12"), _MESSAGE, runtime=("python3.12",
         "python3.13")),
    edit("function-logging",
           by.function(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG",
           "LogGroup": "/else"}),
           _MESSAGE, log_level=("DEBUG", "INFO"), log_group=("/else", "/aws/lambda/CHAT-message")),
    edit("function-code", by.code_changed, _MESSAGE, code_sha256=(_ANY, _ANY)),
    Drift("function-tagged", by.tag_function, "update", *_MESSAGE, _TAG),
    Drift("function-deleted", by.delete_function, "create", *_CONNECT,
          also=(("create", *_CONNECT_LIVE), ("create", *_STATEMENT))),
    edit("alias-moved", by.alias_moved, _MESSAGE_LIVE, runs=(_ANY, _ANY)),
    Drift("alias-shared", by.alias_shared, "update", *_MESSAGE_LIVE, {"weights.N": ("0.1", None)}),
    Drift("alias-deleted", by.delete_alias, "create", *_CONNECT_LIVE, also=(("create", *_STATEMENT),)),
    Drift("permission-removed", by.remove_permission, "create", *_STATEMENT),
    edit("permission-source", by.permission_moved, ("permission", "CHAT-message:live nwchat-default"),
           source_arn=(Part("another1/*/*"), Part("/production/$default"))),
    # Roles.
    Drift("role-policy", by.policy_widened, "update", *_ROLE,
          {"policy.Connections": (Part('"Action":"*"'), Part('"dynamodb:PutItem"]')),
           "policy.Bans": (None, Part("dynamodb:BatchGetItem")),
           "policy.Budgets": (None, Part("dynamodb:UpdateItem")),
           "policy.Logs": (None, Part("logs:PutLogEvents"))}),
    Drift("role-trust", by.trust_widened, "update", *_ROLE,
          {"trust.1": (Part(":root"), Part("lambda.amazonaws.com"))}),
    edit("role-inline", by.policy_inlined, _ROLE, other_policies=("extra", None)),
    edit("role-attached", by.policy_attached, _ROLE, other_policies=(by.MANAGED, None)),
    edit("role-unbounded", by.boundary_removed, _ROLE, boundary=(None, Part(":policy/nwchat-boundary"))),
    edit("role-bounded-otherwise", by.boundary_replaced, _ROLE,
         boundary=(by.MANAGED, Part(":policy/nwchat-boundary"))),
    Drift("role-tagged", by.tag_role, "update", *_ROLE, _TAG),
    # The function of a role that is created again is configured for it, and published.
    Drift("role-deleted", by.delete_role, "create", *_ROLE,
          also=(("update", *_CONNECT), ("update", *_CONNECT_LIVE))),
    edit("function-description", by.function(Description="mine"), _MESSAGE,
           description=("mine", Part("stores and sends messages. Role (the role's id)"))),
    # Dead letters of failed segments.
    edit("queue-retention", queues.queue(MessageRetentionPeriod="60"), _LETTERS,
           retention_seconds=("60", "1209600")),
    edit("queue-size", queues.queue(MaximumMessageSize="1024"), _LETTERS,
           max_message_bytes=("1024", "1048576")),
    edit("queue-delay", queues.queue(DelaySeconds="9"), _LETTERS, delay_seconds=("9", "0")),
    edit("queue-visibility", queues.queue(VisibilityTimeout="0"), _LETTERS, visibility_seconds=("0", "30")),
    edit("queue-plain", queues.queue(SqsManagedSseEnabled="false"), _LETTERS, encryption=(None, "sqs")),
    Drift("queue-opened", queues.opened, "update", *_LETTERS, {"policy.1": (Part('"Principal":"*"'), None)}),
    Drift("queue-tagged", queues.tagged, "update", *_LETTERS, _TAG),
    Drift("queue-deleted", queues.deleted, "create", *_LETTERS),
    edit("events-retries", queues.events(MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60), _EVENTS,
           retries=("0", "2"), max_age_seconds=("60", "3600"),
           on_failure=(None, Part("-dead-letters"))),
    Drift("events-unset", queues.events_unset, "create", *_EVENTS),
    # Tables.
    edit("table-expiry", by.expiry_off, _CONNECTIONS, ttl_attribute=(None, "expires_at")),
    Drift("table-recovery", by.recovery_off, "create", "recovery", "CHAT-messages"),
    edit("table-protection", by.protection_off, _MESSAGES, deletion_protection=("off", "on")),
    edit("table-billing", by.billing_provisioned, _CONNECTIONS, billing=("PROVISIONED", "PAY_PER_REQUEST")),
    Drift("table-tagged", by.tag_table, "update", *_CONNECTIONS, _TAG),
    Drift("table-deleted", by.delete_table, "create", *_CONNECTIONS),
    # Log groups.
    edit("logs-retention", by.retain_longer, _LOGS, retention_days=("365", "30")),
    edit("logs-for-ever", by.retain_for_ever, _LOGS, retention_days=("0", "30")),
    Drift("logs-tagged", by.tag_group, "update", *_LOGS, _TAG),
    Drift("logs-untagged", by.untag_group, "update", *_LOGS, {"tags.nwchat:chat": (None, Part("e2e"))}),
    Drift("logs-deleted", by.delete_group, "create", *_LOGS),
)

# With logs.access on.
LOGGED_DRIFTS = (
    edit("access-log-removed", logs.access_log_removed, _STAGE,
           access_log=(None, Part(":log-group:/aws/apigateway/nwchat-")),
           access_format=(None, FORMAT)),
    edit("access-log-elsewhere", logs.access_log_set(logs.ELSEWHERE, FORMAT), _STAGE,
           access_log=(logs.ELSEWHERE, Part(":log-group:/aws/apigateway/nwchat-"))),
    edit("access-format", logs.access_format_changed, _STAGE, access_format=("$context.requestId", FORMAT)),
    edit("access-retention", logs.access_group_never_expires, _ACCESS, retention_days=("0", "30")),
    Drift("access-untagged", logs.access_group_untagged, "update", *_ACCESS, {"tags.nwchat:chat": (None,
          Part("e2e"))}),
    Drift("access-group-deleted", logs.access_group_deleted, "create", *_ACCESS),
)
# fmt: on
