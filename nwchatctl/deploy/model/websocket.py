"""The parts of the WebSocket API: integrations, authorizers, routes, deployments and stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class Api:
    """The WebSocket API, identified by its tags; `display_name` is its name in the console."""

    kind: ClassVar[str] = "api"
    name: str
    display_name: str
    route_selection: str
    default_endpoint: bool
    tags: StringMap


@dataclass(frozen=True, slots=True)
class Integration:
    """The target of a route: a function's alias (`AWS_PROXY`), or a fixed response (`MOCK`).

    Integrations have no name on AWS, so the tool's name is in the description. `uri` is the alias's
    invocation ARN, "" for a MOCK. `request_template` and `response_template` are a MOCK's, "" otherwise.
    """

    kind: ClassVar[str] = "integration"
    name: str
    type: str
    uri: str
    timeout_ms: int
    request_template: str
    response_template: str


@dataclass(frozen=True, slots=True)
class Authorizer:
    """An authorizer: the function with the alias invocation ARN `uri` decides about a connection.

    If one of the `identity_sources` is missing, API Gateway refuses without invoking it. `credentials` is the
    ARN of a role to invoke it with; "" is desired.
    """

    kind: ClassVar[str] = "authorizer"
    name: str
    type: str
    uri: str
    identity_sources: tuple[str, ...]
    credentials: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API; its name is the route key. `answers`: it has a route response.

    `authorizer` is its authorizer's name if `authorization` is CUSTOM, "" otherwise.
    """

    kind: ClassVar[str] = "route"
    name: str
    integration: str
    authorization: str
    api_key_required: bool
    answers: bool
    authorizer: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A snapshot of routes and integrations, named by their fingerprint.

    Fields that are not compared are those of live ones only: `marked`, whether it has a name of the tool's
    (else `name` is AWS's id), `created` (sorts by age) and `held_by`, the stages that serve it.
    """

    kind: ClassVar[str] = "deployment"
    name: str
    marked: bool = field(default=True, compare=False)
    created: str = field(default="", compare=False)
    held_by: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class RouteLimits:
    """The limits of one route of a stage, apart from those of the others. `rate` is requests a second.

    `logging` is other settings of the route as text, "" for none; none are desired.
    """

    rate: float
    burst: int
    logging: str = ""

    @property
    def text(self) -> str:
        """The limits as they are compared and shown.

        >>> RouteLimits(20.0, 200).text
        '20/s, burst 200'
        """
        return f"{self.rate:g}/s, burst {self.burst}" + (f", {self.logging}" if self.logging else "")

    @classmethod
    def parse(cls, text: str) -> RouteLimits:
        """The limits of a `text`. Raises ValueError for another one."""
        rate, burst, *rest = text.split(", ", 2)
        return cls(float(rate.removesuffix("/s")), int(burst.removeprefix("burst ")), *rest)


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage that clients connect to. Rates are messages a second.

    `deployment` is a `Deployment`'s name; "" or an AWS id if it is none of the chat's. `route_settings` has
    the routes with limits of their own, by route key, as `RouteLimits.text`. `access_log` is the ARN of the
    log group (without `:*`) that receives a line of `access_format` for each request, both "" without access
    logs. `execution_log` is the level at which API Gateway logs its own steps, "" for off; "with data" after
    it means that message texts are logged.
    """

    kind: ClassVar[str] = "stage"
    name: str
    deployment: str
    auto_deploy: bool
    throttle_rate: float
    throttle_burst: int
    route_settings: StringMap
    variables: StringMap
    tags: StringMap
    access_log: str = ""
    access_format: str = ""
    execution_log: str = ""
    detailed_metrics: bool = False
