"""The desired state of a chat according to its settings: the only place that knows its structure on AWS."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.desired.access_logs import FORMAT
from nwchatctl.deploy.desired.dead_letters import async_invoke, queue
from nwchatctl.deploy.desired.functions import FANOUT, FUNCTIONS, FunctionBuilder
from nwchatctl.deploy.desired.history_api import history_api, permissions
from nwchatctl.deploy.desired.token_auth import AUTHORIZE, authorizer, keys, permission
from nwchatctl.deploy.fingerprints import (
    attribute_texts,
    fingerprint,
    release_id,
    version_content,
    version_fingerprint,
)
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import (
    STATEMENT_PREFIX,
    Alias,
    Permission,
    alias_name,
    permission_name,
)
from nwchatctl.deploy.model.placeholders import API_ID, HISTORY_API_ID, with_api_id
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Resource, State, state
from nwchatctl.deploy.model.storage import LogGroup, Recovery, Table
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.model.websocket import (
    Api,
    Authorizer,
    Deployment,
    Integration,
    Route,
    RouteLimits,
    Stage,
)
from nwchatctl.deploy.names import ResourceNames

if TYPE_CHECKING:
    from nwchatctl.config import Settings

ROUTES = {
    "$connect": "connect",
    "$disconnect": "disconnect",
    "$default": "message",
    "onMessage": "message",
    "ping": "ping",
}
"""Route key → integration. The only integration without a function is the MOCK that answers pings."""

ROUTED = tuple(dict.fromkeys(each for each in ROUTES.values() if each in FUNCTIONS))
"""The functions behind routes. `FANOUT` is invoked by `message`, by itself and by the operator, `HISTORY` by
its own API."""

PONG = '{"type":"pong"}'

_STATEMENT_IDS = {"$connect": "connect", "$disconnect": "disconnect", "$default": "default"}
"""StatementIds by route key: they allow only letters, digits, - and _ (Lambda AddPermission), so no `$`."""

_TIMEOUT_MS = 29_000
"""The longest that API Gateway waits for an integration (WebSocket quotas)."""

_OWN_SHARE = 5
"""By default a route with limits of its own has this part of the stage's rate."""

_PING = Integration("ping", "MOCK", "", _TIMEOUT_MS, '{"statusCode":200}', PONG)


def desired_state(
    settings: Settings,
    location: Location,
    code_sha256: str,
    api_id: str = API_ID,
    history_id: str = HISTORY_API_ID,
    domain_resources: Iterable[Resource] = (),
    live: State | None = None,
) -> State:
    """The desired state of the whole chat. `api_id` and `history_id` are placeholders until those APIs exist.

    `code_sha256` is the base64 digest of the functions' zip, as Lambda returns it; `domain_resources` are the
    resources of the chat's domains (`domains.plan`). `live` is the chat as it is, of which the functions' VPC
    and the roles of earlier versions of the tool are kept.
    """
    chat = _Chat(settings, location, code_sha256, api_id, history_id, live or {}).state()
    return {**chat, **state(*(with_api_id(each, api_id, history_id) for each in domain_resources))}


def release_name(wanted: State) -> str:
    """The wanted release's id."""
    return next(each.name for each in wanted.values() if isinstance(each, Release))


@dataclass(frozen=True, slots=True)
class _Chat:
    settings: Settings
    location: Location
    code_sha256: str
    api_id: str
    history_id: str
    live: State

    @property
    def names(self) -> ResourceNames:
        return ResourceNames(self.settings.chat.name)

    @property
    def tags(self) -> StringMap:
        return string_map({**self.settings.tags, **self.names.tags})

    @property
    def functions(self) -> FunctionBuilder:
        return FunctionBuilder(
            self.settings, self.location, self.names, self.tags, self.code_sha256, self.api_id, self.live
        )

    def state(self) -> State:
        functions = [*map(self.functions.function, self.functions.short_names)]
        integrations = [*map(self.integration, ROUTED), _PING]
        routes = [self.route(each, to) for each, to in ROUTES.items()]
        routing: list[Resource] = [*integrations, *self.authorizers(), *routes]
        deployment = Deployment(fingerprint(routing))
        # The same words for every release.
        versions = [
            dataclasses.replace(version_content(each, self.api_id), description="") for each in functions
        ]
        aliases = [
            Alias(alias_name(each.name), each.name, version_fingerprint(each, self.api_id), ())
            for each in functions
        ]
        return state(
            *self.tables(),
            *self.recoveries(),
            *self.log_groups(),
            *(role for each in self.functions.short_names for role in self.functions.roles(each)),
            *functions,
            *aliases,
            queue(self.names.dead_letters, self.tags),
            async_invoke(self.names.function(FANOUT), self.location.queue_arn(self.names.dead_letters)),
            *(self.permission(each) for each, to in ROUTES.items() if to in FUNCTIONS),
            *self.token_resources(),
            self.api(),
            *routing,
            deployment,
            self.stage(deployment),
            *self.history(),
            self.release(
                aliases,
                deployment,
                attribute_texts([*versions, *routing]),
            ),
        )

    def api(self) -> Api:
        name, description = self.names.api, f"WebSocket API of the chat {self.names.chat}, by nwchatctl"
        return Api(name, name, "$request.body.action", True, self.tags, description)

    def route(self, key: str, to: str) -> Route:
        needs_token = self.functions.tokens and key == "$connect"
        return Route(
            key,
            to,
            "CUSTOM" if needs_token else "NONE",
            False,
            to == _PING.name,
            AUTHORIZE if needs_token else "",
        )

    def authorizers(self) -> list[Authorizer]:
        uri = self.location.invocation_uri(self.names.function(AUTHORIZE))
        return [authorizer(uri)] if self.functions.tokens else []

    def token_resources(self) -> list[Resource]:
        """The resources that the authorizer needs beside its function."""
        if not self.functions.tokens:
            return []
        function = self.names.function(AUTHORIZE)
        return [keys(self.names, self.tags), permission(function, self.location, self.api_id)]

    def history(self) -> tuple[Resource, ...]:
        wanted, allowed = self.settings.history, self.settings.chat.allowed_origins
        if not wanted.enabled:
            return ()
        rate, burst = wanted.request_rate, wanted.request_burst
        api = history_api(
            self.names,
            self.location,
            self.tags,
            allowed=allowed,
            rate=rate,
            burst=burst,
            access_log=self.access_log,
        )
        return (api, *permissions(self.names, self.location, self.history_id))

    def release(self, aliases: list[Alias], deployment: Deployment, settings: StringMap) -> Release:
        functions = string_map({each.function: each.runs for each in aliases})
        return Release(
            name=release_id(functions, deployment.name),
            functions=functions,
            deployment=deployment.name,
            code_sha256=self.code_sha256,
            latest=True,
            settings=settings,
        )

    def tables(self) -> tuple[Table, ...]:
        # Connections are worthless after two hours; messages and releases are the data to protect.
        on_demand = "PAY_PER_REQUEST"
        return (
            Table(self.names.connections, "connection_id", "", "expires_at", False, on_demand, self.tags),
            Table(self.names.messages, "room", "id", "expires_at", True, on_demand, self.tags),
            Table(self.names.deploys, "id", "", "", True, on_demand, self.tags),
        )

    def recoveries(self) -> tuple[Recovery, ...]:
        return (Recovery(self.names.messages), Recovery(self.names.deploys))

    @property
    def access_log(self) -> str:
        """The ARN of the group that access logs go to, "" without."""
        is_on = self.settings.logs.access == "on"
        return self.location.arn("logs", f"log-group:{self.names.access_log}") if is_on else ""

    @property
    def execution_log(self) -> str:
        level = self.settings.logs.execution
        return level.upper() if level in ("error", "info") else ""

    def log_groups(self) -> list[LogGroup]:
        names = [self.names.log_group(each) for each in self.functions.short_names]
        if self.settings.logs.access == "on":
            names.append(self.names.access_log)
        return [LogGroup(each, self.settings.logs.retention_days, self.tags) for each in names]

    def permission(self, route_key: str) -> Permission:
        function = self.names.function(ROUTES[route_key])
        statement_id = STATEMENT_PREFIX + _STATEMENT_IDS.get(route_key, route_key)
        return Permission(
            name=permission_name(function, statement_id),
            function=function,
            statement_id=statement_id,
            principal="apigateway.amazonaws.com",
            source_arn=self.location.arn(
                "execute-api", f"{self.api_id}/{self.settings.stage.name}/{route_key}"
            ),
        )

    def integration(self, short: str) -> Integration:
        uri = self.location.invocation_uri(self.names.function(short))
        return Integration(short, "AWS_PROXY", uri, _TIMEOUT_MS, "", "")

    def route_settings(self) -> StringMap:
        """Limits of pings and new connections: a flood of them does not use up those of messages."""
        stage = self.settings.stage
        rates = {"ping": stage.ping_rate, "$connect": stage.connect_rate}
        return string_map(
            {
                route: RouteLimits(
                    rate or stage.throttle_rate / _OWN_SHARE, stage.throttle_burst, self.execution_log
                ).text
                for route, rate in rates.items()
            }
        )

    def stage(self, deployment: Deployment) -> Stage:
        stage, access = self.settings.stage, self.access_log
        return Stage(
            name=stage.name,
            deployment=deployment.name,
            auto_deploy=False,
            throttle_rate=stage.throttle_rate,
            throttle_burst=stage.throttle_burst,
            route_settings=self.route_settings(),
            variables=(),
            tags=self.tags,
            access_log=access,
            access_format=FORMAT if access else "",
            execution_log=self.execution_log,
        )
