"""The desired history API: an HTTP API with three routes to one function."""

from __future__ import annotations

from collections.abc import Iterable

from nwchatctl.deploy.desired.access_logs import HISTORY_FORMAT
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import STATEMENT_PREFIX, Permission, permission_name
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.names import ResourceNames

HISTORY = "history"
"""The function's short name, also that of its role and log group."""

ROUTES = {"messages": "GET /messages", "health": "GET /health", "health-head": "HEAD /health"}
"""The suffix of a permission's name → its route key."""

STATEMENT_ID_PREFIX = f"{STATEMENT_PREFIX}{HISTORY}-"
"""The prefix of the statement ids that let the history API invoke its function."""

STAGE = "$default"
"""The stage whose name is not part of the address."""

_TIMEOUT_MS = 29_000
"""A second less than an HTTP API's maximum (HTTP API quotas), and longer than the function takes."""

_CORS_SECONDS = 7200
"""How long a browser may cache a preflight response. Chrome's maximum."""


def history_api(
    names: ResourceNames,
    location: Location,
    tags: StringMap,
    *,
    allowed: Iterable[str],
    rate: float,
    burst: int,
    access_log: str = "",
) -> HistoryApi:
    """The API with all its parts. Pages of the origins `allowed` may read it, all pages if there are none;
    `rate` is requests a second, `burst` concurrent requests, `access_log` the ARN of a log group."""
    origins = readable_from(allowed)
    return HistoryApi(
        name=names.history,
        display_name=names.history,
        default_endpoint=True,
        cors_origins=origins,
        cors_methods=("GET",) if origins else (),
        # It carries the token.
        cors_headers=("authorization",) if origins else (),
        cors_exposed=(),
        cors_credentials=False,
        cors_max_age=_CORS_SECONDS if origins else 0,
        uri=location.invocation_uri(names.function(HISTORY)),
        payload_version="2.0",
        timeout_ms=_TIMEOUT_MS,
        routes=string_map(dict.fromkeys(ROUTES.values(), "NONE")),
        stage=STAGE,
        auto_deploy=True,
        throttle_rate=rate,
        throttle_burst=burst,
        route_settings=(),
        variables=(),
        access_log=access_log,
        detailed_metrics=False,
        extra=(),
        tags=tags,
        stage_tags=tags,
        access_format=HISTORY_FORMAT if access_log else "",
        description=f"History API of the chat {names.chat}, by nwchatctl",
    )


def permissions(names: ResourceNames, location: Location, history_id: str) -> list[Permission]:
    """The permissions that let the API's routes invoke the function."""
    function = names.function(HISTORY)
    found = []
    for end, route_key in ROUTES.items():
        method, _, path = route_key.partition(" ")
        statement_id = STATEMENT_ID_PREFIX + end
        found.append(
            Permission(
                name=permission_name(function, statement_id),
                function=function,
                statement_id=statement_id,
                principal="apigateway.amazonaws.com",
                # Any stage: there is only one, and the spelling of its `$` in this ARN is undocumented.
                source_arn=location.arn("execute-api", f"{history_id}/*/{method}{path}"),
            )
        )
    return found


def readable_from(allowed: Iterable[str]) -> tuple[str, ...]:
    """The origins whose pages may read an answer, as API Gateway's CORS configuration has them: `*` where
    all may connect, nothing where only those may that it does not take (`unreadable_from`).

    >>> readable_from([]), readable_from(["https://b.example", "capacitor://localhost"])
    (('*',), ('https://b.example',))
    """
    every = set(allowed)
    return tuple(sorted(each for each in every if _is_supported(each))) if every else ("*",)


def unreadable_from(allowed: Iterable[str]) -> tuple[str, ...]:
    """The allowed origins that API Gateway's CORS configuration does not support."""
    return tuple(sorted(each for each in set(allowed) if not _is_supported(each)))


def _is_supported(origin: str) -> bool:
    # "Configure CORS for HTTP APIs" supports http and https, and `https://*` would mean every page.
    return origin.startswith(("http://", "https://")) and "*" not in origin
