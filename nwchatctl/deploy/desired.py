"""What the settings ask for, as a `State`: the one place that knows how this chat is wired on AWS."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.access import FORMAT
from nwchatctl.deploy.changes import flat, hidden
from nwchatctl.deploy.dead_letters import async_invoke, queue
from nwchatctl.deploy.history_api import HISTORY, history_api, permissions
from nwchatctl.deploy.model.functions import (
    STATEMENT_PREFIX,
    Alias,
    Function,
    Permission,
    Role,
    alias_name,
    permission_name,
)
from nwchatctl.deploy.model.pairs import Pairs, pairs
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Resource, State, state
from nwchatctl.deploy.model.storage import LogGroup, Table
from nwchatctl.deploy.model.unknown import API_ID, HISTORY_API_ID, with_api_id
from nwchatctl.deploy.model.websocket import Api, Authorizer, Deployment, Integration, Route, Stage
from nwchatctl.deploy.naming import Names, Place
from nwchatctl.deploy.policies import Arns, function_policy, lambda_trust
from nwchatctl.deploy.tokens import AUTHORIZE, authorizer, environment, keys, permission

if TYPE_CHECKING:
    from nwchatctl.config import Settings

ROUTES = {
    "$connect": "connect",
    "$disconnect": "disconnect",
    "$default": "message",
    "onMessage": "message",
    "ping": "ping",
}
"""Route key → integration. The one that is not a function's is the MOCK that answers pings."""

FANOUT = "fanout"

FUNCTIONS = ("connect", "disconnect", "message", FANOUT, HISTORY, AUTHORIZE)
"""All that there may be; `HISTORY` is there where the history API is, `AUTHORIZE` in token mode."""

ROUTED = tuple(dict.fromkeys(each for each in ROUTES.values() if each in FUNCTIONS))
"""The functions that routes lead to. `FANOUT` is invoked by `message`, by itself and by the operator,
`HISTORY` by an API of its own."""

PONG = '{"type":"pong"}'

_STATEMENT_IDS = {"$connect": "connect", "$disconnect": "disconnect", "$default": "default"}
"""A StatementId allows letters, digits, - and _ only (Lambda AddPermission), so no `$`."""

_TIMEOUT_MS = 29_000
"""The longest that API Gateway waits for an integration (WebSocket quotas)."""

_PING = Integration("ping", "MOCK", "", _TIMEOUT_MS, '{"statusCode":200}', PONG)


def desired(
    settings: Settings,
    place: Place,
    code_sha256: str,
    api_id: str = API_ID,
    history_id: str = HISTORY_API_ID,
    named: Iterable[Resource] = (),
) -> State:
    """The whole chat as it should be. `api_id` and `history_id` stay tokens until there are those APIs.

    `code_sha256` is the base64 digest of the functions' zip, as Lambda gives it; `named` is what the chat's
    names need (`addresses`).
    """
    chat = _Chat(settings, place, code_sha256, api_id, history_id).state()
    return {**chat, **state(*(with_api_id(each, api_id, history_id) for each in named))}


def release(wanted: State) -> str:
    """The wanted release's id."""
    return next(each.name for each in wanted.values() if isinstance(each, Release))


def release_id(functions: Pairs, deployment: str) -> str:
    """A release's id, 12 hex digits: of the versions behind the aliases and of the deployment in front."""
    aliases = (Alias(alias_name(name), name, runs, ()) for name, runs in functions)
    return fingerprint([*aliases, Deployment(deployment)])[:12]


def version_fingerprint(function: Function, api_id: str) -> str:
    """What makes a function's published version differ from another: all but its tags.

    The chat's own API counts as `API_ID`, so that a release is known by the same id before that API is made.
    """
    return fingerprint([_published(function, api_id)])


def _published(function: Function, api_id: str) -> Function:
    environment = tuple(
        (name, text.replace(api_id, API_ID) if api_id else text) for name, text in function.environment
    )
    return dataclasses.replace(function, environment=environment, tags=())


def described(resources: Iterable[Resource]) -> Pairs:
    """Every attribute by the name a person knows it by: `function x.memory_mb` → `256`; no secrets."""
    return pairs(
        {
            f"{each.kind} {each.name}.{name}": text
            for each in resources
            for name, text in flat(each).items()
            if not hidden(text)
        }
    )


def fingerprint(resources: Iterable[Resource]) -> str:
    """A digest of the resources' attributes, the same on any machine and in any order of them."""
    plain = sorted(json.dumps([each.kind, _compared(each)], sort_keys=True) for each in resources)
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()[:24]


def _compared(resource: Resource) -> dict[str, object]:
    """What makes up the fingerprint. An attribute at its default is left out, so that a later version of this
    tool can bring one more without taking all earlier releases for something else."""
    values = ((each, getattr(resource, each.name)) for each in dataclasses.fields(resource) if each.compare)
    return {each.name: value for each, value in values if value != each.default}


@dataclass(frozen=True, slots=True)
class _Chat:
    settings: Settings
    place: Place
    code_sha256: str
    api_id: str
    history_id: str

    @property
    def names(self) -> Names:
        return Names(self.settings.chat.name)

    @property
    def tags(self) -> Pairs:
        return pairs({**self.settings.tags, **self.names.tags})

    @property
    def functions(self) -> list[str]:
        there = {HISTORY: self.settings.history.enabled, AUTHORIZE: self.tokens}
        return [each for each in FUNCTIONS if there.get(each, True)]

    def state(self) -> State:
        functions = [self.function(each) for each in self.functions]
        integrations = [*map(self.integration, ROUTED), _PING]
        routes = [self.route(each, to) for each, to in ROUTES.items()]
        front: list[Resource] = [*integrations, *self.authorizers(), *routes]
        deployment = Deployment(fingerprint(front))
        published = [_published(each, self.api_id) for each in functions]
        aliases = [
            Alias(alias_name(each.name), each.name, version_fingerprint(each, self.api_id), ())
            for each in functions
        ]
        return state(
            *self.tables(),
            *self.log_groups(),
            *map(self.role, self.functions),
            *functions,
            *aliases,
            queue(self.names.dead_letters, self.tags),
            async_invoke(self.names.function(FANOUT), self.place.queue_arn(self.names.dead_letters)),
            *(self.permission(each) for each, to in ROUTES.items() if to in FUNCTIONS),
            *self.asking(),
            Api(self.names.api, self.names.api, "$request.body.action", True, self.tags),
            *front,
            deployment,
            self.stage(deployment),
            *self.history(),
            self.release(aliases, deployment, described([*published, *front])),
        )

    @property
    def tokens(self) -> bool:
        return self.settings.auth.mode == "token"

    def route(self, key: str, to: str) -> Route:
        asks = self.tokens and key == "$connect"
        return Route(
            key,
            to,
            "CUSTOM" if asks else "NONE",
            False,
            to == _PING.name,
            AUTHORIZE if asks else "",
        )

    def authorizers(self) -> list[Authorizer]:
        uri = self.place.invocation_uri(self.names.function(AUTHORIZE))
        return [authorizer(uri)] if self.tokens else []

    def asking(self) -> list[Resource]:
        """What the authorizer needs beside its function."""
        if not self.tokens:
            return []
        function = self.names.function(AUTHORIZE)
        return [keys(self.names, self.tags), permission(function, self.place, self.api_id)]

    def history(self) -> tuple[Resource, ...]:
        wanted, allowed = self.settings.history, self.settings.chat.allowed_origins
        if not wanted.enabled:
            return ()
        rate, burst = wanted.request_rate, wanted.request_burst
        api = history_api(self.names, self.place, self.tags, allowed=allowed, rate=rate, burst=burst)
        return (api, *permissions(self.names, self.place, self.history_id))

    def release(self, aliases: list[Alias], deployment: Deployment, settings: Pairs) -> Release:
        functions = pairs({each.function: each.runs for each in aliases})
        return Release(
            name=release_id(functions, deployment.name),
            functions=functions,
            deployment=deployment.name,
            code_sha256=self.code_sha256,
            latest=True,
            settings=settings,
        )

    def tables(self) -> tuple[Table, ...]:
        # Connections are worth nothing after two hours; messages are what people come back for.
        on_demand = "PAY_PER_REQUEST"
        return (
            Table(
                self.names.connections, "connection_id", "", "expires_at", False, False, on_demand, self.tags
            ),
            Table(self.names.messages, "room", "id", "expires_at", True, True, on_demand, self.tags),
            Table(self.names.deploys, "id", "", "", False, False, on_demand, self.tags),
        )

    def log_groups(self) -> list[LogGroup]:
        names = [self.names.log_group(each) for each in self.functions]
        if self.settings.logs.access:
            names.append(self.names.access_log)
        return [LogGroup(each, self.settings.logs.retention_days, self.tags) for each in names]

    def role(self, short: str) -> Role:
        arns = Arns(
            logs=self.place.arn("logs", f"log-group:{self.names.log_group(short)}"),
            connections=self.place.arn("dynamodb", f"table/{self.names.connections}"),
            messages=self.place.arn("dynamodb", f"table/{self.names.messages}"),
            stage=self.place.arn("execute-api", f"{self.api_id}/{self.settings.stage.name}"),
            fanout=self.place.alias_arn(self.names.function(FANOUT)),
            dead_letters=self.place.queue_arn(self.names.dead_letters),
            token_keys=self.place.arn("ssm", f"parameter{self.names.token_keys}") if self.tokens else "",
        )
        return Role(self.names.function(short), lambda_trust(), function_policy(short, arns), (), self.tags)

    def function(self, short: str) -> Function:
        functions = self.settings.functions
        size = self.settings.fanout if short == FANOUT else functions
        return Function(
            name=self.names.function(short),
            role=self.names.function(short),
            handler=f"nwchat.{short}.handler",
            runtime=functions.runtime,
            architecture=functions.architecture,
            memory_mb=size.memory_mb,
            timeout_seconds=size.timeout_seconds,
            environment=self.environment(),
            code_sha256=self.code_sha256,
            log_format="JSON",
            log_level=functions.log_level,
            log_group=self.names.log_group(short),
            snap_start=functions.snap_start,
            tags=self.tags,
        )

    def environment(self) -> Pairs:
        chat, fanout, sending = self.settings.chat, self.settings.fanout, self.settings.sending
        return pairs(
            {
                "NWCHAT_CHAT": chat.name,
                "NWCHAT_CONNECTIONS_TABLE": self.names.connections,
                "NWCHAT_MESSAGES_TABLE": self.names.messages,
                "NWCHAT_ENDPOINT": self.place.connections_url(self.api_id, self.settings.stage.name),
                "NWCHAT_RETENTION_DAYS": str(self.settings.tables.retention_days),
                "NWCHAT_ECHO_TO_SENDER": "true" if chat.echo_to_sender else "false",
                "NWCHAT_ALLOWED_ORIGINS": ",".join(chat.allowed_origins),
                "NWCHAT_MAX_MESSAGE_CHARS": str(chat.max_message_chars),
                "NWCHAT_MAX_UNAME_CHARS": str(chat.max_uname_chars),
                "NWCHAT_RATE_MESSAGES": str(chat.rate_messages),
                "NWCHAT_RATE_SECONDS": str(chat.rate_seconds),
                "NWCHAT_FANOUT_FUNCTION": alias_name(self.names.function(FANOUT)),
                "NWCHAT_FANOUT_THRESHOLD": str(fanout.threshold),
                "NWCHAT_FANOUT_SEGMENT_SIZE": str(fanout.segment_size),
                "NWCHAT_SENDING_RATE": str(sending.account_rate - sending.reserve_rate),
                "NWCHAT_LOG_LEVEL": self.settings.functions.log_level,
                **(environment(self.names) if self.tokens else {}),
            }
        )

    def permission(self, route_key: str) -> Permission:
        function = self.names.function(ROUTES[route_key])
        statement_id = STATEMENT_PREFIX + _STATEMENT_IDS.get(route_key, route_key)
        return Permission(
            name=permission_name(function, statement_id),
            function=function,
            statement_id=statement_id,
            principal="apigateway.amazonaws.com",
            source_arn=self.place.arn("execute-api", f"{self.api_id}/{self.settings.stage.name}/{route_key}"),
        )

    def integration(self, short: str) -> Integration:
        uri = self.place.invocation_uri(self.names.function(short))
        return Integration(short, "AWS_PROXY", uri, _TIMEOUT_MS, "", "")

    def stage(self, deployment: Deployment) -> Stage:
        stage, access = self.settings.stage, self.settings.logs.access
        return Stage(
            name=stage.name,
            deployment=deployment.name,
            auto_deploy=False,
            throttle_rate=stage.throttle_rate,
            throttle_burst=stage.throttle_burst,
            route_settings=(),
            variables=(),
            tags=self.tags,
            access_log=self.place.arn("logs", f"log-group:{self.names.access_log}") if access else "",
            access_format=FORMAT if access else "",
        )
