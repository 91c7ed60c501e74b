"""The parts of the WebSocket API: integrations, authorizers, routes, deployments and stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class Api:
    """The WebSocket API, identified by its tags; `display_name` and `description` are what the console
    shows."""

    kind: ClassVar[str] = "api"
    name: str
    display_name: str
    route_selection: str
    default_endpoint: bool
    tags: StringMap
    description: str = ""


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

    `authorizer` is its authorizer's name if `authorization` is CUSTOM, "" otherwise. `other` names settings
    that the tool never sets; none are desired.
    """

    kind: ClassVar[str] = "route"
    name: str
    integration: str
    authorization: str
    api_key_required: bool
    answers: bool
    authorizer: str = ""
    other: tuple[str, ...] = ()


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


WITH_DATA = " with data"
"""The end of an execution log's level if the texts of messages are logged too."""

_METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class RouteLimits:
    """The settings of one route of a stage, apart from those of the others. `rate` is requests a second.

    `execution_log` is as in `Stage`; `metrics`, whether the route has metrics of its own, is never desired.
    """

    rate: float
    burst: int
    execution_log: str = ""
    metrics: bool = False

    @property
    def text(self) -> str:
        """The settings as they are compared and shown.

        >>> RouteLimits(20.0, 200).text, RouteLimits(20.0, 200, "INFO", True).text
        ('20/s, burst 200', '20/s, burst 200, INFO and metrics')
        """
        logging = " and ".join(filter(None, (self.execution_log, _METRICS if self.metrics else "")))
        return f"{self.rate:g}/s, burst {self.burst}" + (f", {logging}" if logging else "")

    @classmethod
    def parse(cls, text: str) -> RouteLimits:
        """The settings of a `text`. Raises ValueError for another one."""
        rate, burst, *rest = text.split(", ", 2)
        logging = rest[0].split(" and ") if rest else []
        level = "".join(each for each in logging if each != _METRICS)
        limits = float(rate.removesuffix("/s")), int(burst.removeprefix("burst "))
        return cls(*limits, level, _METRICS in logging)


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
