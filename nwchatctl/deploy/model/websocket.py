"""What makes up the WebSocket API: its routes, what they ask and lead to, its deployments and its stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class Api:
    """The WebSocket API itself, known by its tags; `display_name` is free, and what the console shows."""

    kind: ClassVar[str] = "api"
    name: str
    display_name: str
    route_selection: str
    default_endpoint: bool
    tags: StringMap


@dataclass(frozen=True, slots=True)
class Integration:
    """What a route leads to: a function's alias (`AWS_PROXY`), or an answer without one (`MOCK`).

    Integrations have no name on AWS, so ours stands in the description. `uri` is the alias's invocation
    ARN, "" for a MOCK. `request_template` and `response_template` are a MOCK's, "" otherwise.
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
    """What asks a function, by its alias's invocation ARN `uri`, who comes in.

    Where one of the `identity_sources` is missing API Gateway refuses without asking. `credentials` is the
    ARN of a role to ask with, "" in a chat of ours.
    """

    kind: ClassVar[str] = "authorizer"
    name: str
    type: str
    uri: str
    identity_sources: tuple[str, ...]
    credentials: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API; its name is the route key. `answers` is whether it has a route response.

    `authorizer` is whom it asks where `authorization` is CUSTOM, "" otherwise.
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

    What is not compared is known of live ones only: `marked`, whether it bears a name of ours (else `name`
    is AWS's id), `created` (sorts by age) and `held_by`, the stages that serve it.
    """

    kind: ClassVar[str] = "deployment"
    name: str
    marked: bool = field(default=True, compare=False)
    created: str = field(default="", compare=False)
    held_by: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage that clients connect to. Rates are messages a second.

    `deployment` is a `Deployment`'s name; "" or an AWS id where the stage points at none of ours.
    `route_settings` lists the routes that have settings of their own, which is none in a chat of ours.
    `access_log` is the ARN of the log group (no `:*` behind it) that gets a line of `access_format` for
    each request, both "" where requests are not logged. `execution_log` is the level at which API Gateway
    logs its own steps, "" for off; "with data" behind it says that what people send is in there.
    """

    kind: ClassVar[str] = "stage"
    name: str
    deployment: str
    auto_deploy: bool
    throttle_rate: float
    throttle_burst: int
    route_settings: tuple[str, ...]
    variables: StringMap
    tags: StringMap
    access_log: str = ""
    access_format: str = ""
    execution_log: str = ""
    detailed_metrics: bool = False
