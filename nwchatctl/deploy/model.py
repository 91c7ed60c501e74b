"""What a chat on AWS is made of, as frozen data: the same types describe what is wanted and what is there.

Names are ours (`throttle_rate`), AWS's spelling stays in `nwchatctl.aws`. A resource is known by its
`Key`, a kind and a name; AWS's own ids (of the API, of integrations and routes) never enter the model,
but for two: the ids of the APIs are part of ARNs and of the address that functions post to. Before an API
exists its id is the token `API_ID` or `HISTORY_API_ID`, which `with_api_id` fills in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""A mapping of strings as sorted, hashable data: tags, environments, templates."""

Key: TypeAlias = tuple[str, str]
"""(kind, name)."""

API_ID = "{api-id}"
"""Stands for the API's id until AWS has given one. Braces are in no id, ARN or address of AWS's."""

HISTORY_API_ID = "{history-api-id}"
"""The same for the history API."""

CERTIFICATE_ARN = "{certificate-arn}"
"""In a `Domain`: the ARN of our certificate of that name, until ACM has given one."""

DOMAIN_TARGET, DOMAIN_ZONE = "{domain-target}", "{domain-zone}"
"""In a `Record`: where API Gateway answers for that domain, until it has said so."""

ALIAS = "live"
"""The alias that routes point at; a release moves it."""

STATEMENT_PREFIX = "nwchat-"
"""What our statements' ids begin with in a function's resource policy."""


def pairs(mapping: Mapping[str, str]) -> Pairs:
    """`mapping` as `Pairs`."""
    return tuple(sorted(mapping.items()))


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table, billed on demand. `sort_key` is "" where there is none; keys are strings."""

    kind: ClassVar[str] = "table"
    name: str
    partition_key: str
    sort_key: str
    ttl_attribute: str
    point_in_time_recovery: bool
    deletion_protection: bool
    billing: str
    tags: Pairs


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A CloudWatch log group; `retention_days` 0 keeps logs for ever."""

    kind: ClassVar[str] = "log-group"
    name: str
    retention_days: int
    tags: Pairs


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue. `encryption` is "sqs", the id of a KMS key, or "" for none.

    `policy` is canonical JSON of who else may use it, `redrive` where its own failures go; both "" in a chat
    of ours. What is not compared is known of live ones only: `url`, and `waiting`, about how many messages
    are in it.
    """

    kind: ClassVar[str] = "queue"
    name: str
    retention_seconds: int
    max_message_bytes: int
    delay_seconds: int
    visibility_seconds: int
    encryption: str
    policy: str
    redrive: str
    tags: Pairs
    url: str = field(default="", compare=False)
    waiting: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role. `trust` and `policy` are canonical JSON (sorted keys, no spaces).

    `policy` is the one inline policy that we write, "" where it is missing; `other_policies` names
    whatever else is attached or inlined, which is nothing in a chat of ours.
    """

    kind: ClassVar[str] = "role"
    name: str
    trust: str
    policy: str
    other_policies: tuple[str, ...]
    tags: Pairs


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function's unpublished state ($LATEST). `code_sha256` is base64, as Lambda gives it."""

    kind: ClassVar[str] = "function"
    name: str
    role: str
    handler: str
    runtime: str
    architecture: str
    memory_mb: int
    timeout_seconds: int
    environment: Pairs
    code_sha256: str
    log_format: str
    log_level: str
    log_group: str
    snap_start: bool
    tags: Pairs


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a function, `function`:`number`. `runs` is its `desired.version_fingerprint`.

    `held_by` names the aliases that send calls to it; none of them, no harm in its going.
    """

    kind: ClassVar[str] = "version"
    name: str
    function: str
    number: int
    runs: str
    held_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alias:
    """`function`:live. `runs` fingerprints the version that it points at (`desired.version_fingerprint`).

    `weights` are other versions' shares of the calls, which is nothing in a chat of ours.
    """

    kind: ClassVar[str] = "alias"
    name: str
    function: str
    runs: str
    weights: Pairs


@dataclass(frozen=True, slots=True)
class AsyncInvoke:
    """What becomes of events that `function`:live is invoked with asynchronously and fails on.

    `on_failure` and `on_success` are ARNs, "" where an event just ends.
    """

    kind: ClassVar[str] = "async-invoke"
    name: str
    function: str
    retries: int
    max_age_seconds: int
    on_failure: str
    on_success: str


@dataclass(frozen=True, slots=True)
class Permission:
    """A statement of an alias's resource policy, by which API Gateway may invoke it for one route."""

    kind: ClassVar[str] = "permission"
    name: str
    function: str
    statement_id: str
    principal: str
    source_arn: str


@dataclass(frozen=True, slots=True)
class Api:
    """The WebSocket API itself, known by its tags; `display_name` is free, and what the console shows."""

    kind: ClassVar[str] = "api"
    name: str
    display_name: str
    route_selection: str
    default_endpoint: bool
    tags: Pairs


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
class TokenKeys:
    """The parameter with the keys that tokens are signed with. What is in it never enters the model.

    `type` is Parameter Store's, "SecureString" in a chat of ours.
    """

    kind: ClassVar[str] = "token-keys"
    name: str
    type: str
    tags: Pairs


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
    variables: Pairs
    tags: Pairs
    access_log: str = ""
    access_format: str = ""
    execution_log: str = ""
    detailed_metrics: bool = False


@dataclass(frozen=True, slots=True)
class HistoryApi:
    """The HTTP API that hands out history, with all that is in it: one integration, its routes, one stage.

    Its routes are constants, so its stage deploys itself and is in no release. `cors_*` are all empty where
    API Gateway adds no CORS headers. `routes` maps a route key to its authorization, and to the integration
    where that is another. `extra` names integrations and stages that are no part of it. What belongs to the
    stage is empty where there is none (`stage` is ""), as `uri` is where there is no integration.
    """

    kind: ClassVar[str] = "history-api"
    name: str
    display_name: str
    default_endpoint: bool
    cors_origins: tuple[str, ...]
    cors_methods: tuple[str, ...]
    cors_headers: tuple[str, ...]
    cors_exposed: tuple[str, ...]
    cors_credentials: bool
    cors_max_age: int
    uri: str
    payload_version: str
    timeout_ms: int
    routes: Pairs
    stage: str
    auto_deploy: bool
    throttle_rate: float
    throttle_burst: int
    route_settings: tuple[str, ...]
    variables: Pairs
    access_log: str
    detailed_metrics: bool
    extra: tuple[str, ...]
    tags: Pairs
    stage_tags: Pairs


@dataclass(frozen=True, slots=True)
class Release:
    """What the chat ran, or runs: the versions behind the aliases and the deployment in front of them.

    Named by a fingerprint of the two, so that what is deployed again is the same release. `functions` maps
    a function's name to its alias's `runs`. `latest` is whether it was deployed last; `settings` is what a
    person calls it by, attribute by attribute, and not compared.
    """

    kind: ClassVar[str] = "release"
    name: str
    functions: Pairs
    deployment: str
    code_sha256: str
    latest: bool
    settings: Pairs = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that we requested from ACM, by the name it is for; others are no resource of the chat's.

    `status` is ACM's. `validation_zone` is the hosted zone in which its validation record stands, "" for
    none. What is not compared is known of live ones only: `arn`, and `record`, whether the tool wrote that
    record (and not somebody for a certificate of their own: ACM asks for the same one each time).
    """

    kind: ClassVar[str] = "certificate"
    name: str
    covers: tuple[str, ...]
    status: str
    validation_zone: str
    tags: Pairs
    arn: str = field(default="", compare=False)
    record: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Domain:
    """A custom domain name of API Gateway's. `certificate` is an ARN or `CERTIFICATE_ARN`.

    `mutual_tls` is the trust store that clients' certificates are held against, "" where they need none.
    What is not compared is known of live ones only: `target` and `target_zone`, where an alias has to lead,
    `status`, and `shared`, whether APIs that are not the chat's are mapped there too.
    """

    kind: ClassVar[str] = "domain"
    name: str
    certificate: str
    endpoint_type: str
    security_policy: str
    ip_address_type: str
    mutual_tls: str
    routing_mode: str
    tags: Pairs
    target: str = field(default="", compare=False)
    target_zone: str = field(default="", compare=False)
    status: str = field(default="", compare=False)
    shared: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ApiMapping:
    """Which API and stage answer under the domain `name`, at its root: the mapping's key is empty."""

    kind: ClassVar[str] = "mapping"
    name: str
    api: str
    stage: str


@dataclass(frozen=True, slots=True)
class Record:
    """An alias record in a hosted zone; its name is `record_name`, `type` A or AAAA.

    `stray` (of live ones only): it stands in another zone than is wanted, or leads to a domain that is gone.
    """

    kind: ClassVar[str] = "record"
    name: str
    domain: str
    type: str
    zone: str
    target: str
    target_zone: str
    evaluate_health: bool
    stray: bool = field(default=False, compare=False)


Resource: TypeAlias = (
    Table
    | LogGroup
    | Queue
    | Role
    | Function
    | Version
    | Alias
    | AsyncInvoke
    | Permission
    | Api
    | Integration
    | Authorizer
    | TokenKeys
    | Route
    | Deployment
    | Stage
    | HistoryApi
    | Release
    | Certificate
    | Domain
    | ApiMapping
    | Record
)

State: TypeAlias = dict[Key, Resource]


def key(resource: Resource) -> Key:
    """The resource's (kind, name)."""
    return (resource.kind, resource.name)


def state(*resources: Resource) -> State:
    """The resources by key."""
    return {key(each): each for each in resources}


def alias_name(function: str) -> str:
    """The name of a function's live alias, as AWS writes a qualified function."""
    return f"{function}:{ALIAS}"


def version_name(function: str, number: int) -> str:
    """The name of a function's version, as AWS writes a qualified function."""
    return f"{function}:{number}"


def permission_name(function: str, statement_id: str) -> str:
    """The name of a permission: its alias, and the statement on it."""
    return f"{alias_name(function)} {statement_id}"


def record_name(domain: str, type: str) -> str:
    """The name of a record: `chat.example.com A`."""
    return f"{domain} {type}"


def with_api_id(resource: Resource, api_id: str, history_id: str = HISTORY_API_ID) -> Resource:
    """`resource` with the tokens `API_ID` and `HISTORY_API_ID` replaced in every text."""

    def filled(value: object) -> object:
        if isinstance(value, str):
            return value.replace(API_ID, api_id).replace(HISTORY_API_ID, history_id)
        if isinstance(value, tuple):
            return tuple(filled(each) for each in value)
        return value

    changed = {field.name: filled(getattr(resource, field.name)) for field in dataclasses.fields(resource)}
    return dataclasses.replace(resource, **changed)  # type: ignore[arg-type]
