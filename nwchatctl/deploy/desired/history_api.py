"""The history API as it should be: an HTTP API with two routes to one function."""

from __future__ import annotations

from collections.abc import Iterable

from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import STATEMENT_PREFIX, Permission, permission_name
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.names import ResourceNames

HISTORY = "history"
"""The function, and what its role and log group are called by."""

ROUTES = {"messages": "GET /messages", "health": "GET /health"}
"""What a permission's name ends with → the route key that it is for."""

STATEMENT_ID_PREFIX = f"{STATEMENT_PREFIX}{HISTORY}-"
"""What the ids of those statements begin with by which the history API may invoke its function."""

STAGE = "$default"
"""The stage that is served without its name in the address."""

_TIMEOUT_MS = 29_000
"""A second less than an HTTP API's longest (HTTP API quotas), and more than the function takes."""

_CORS_SECONDS = 7200
"""How long a browser may remember a preflight's answer. Chrome caps it at this."""


def history_api(
    names: ResourceNames,
    location: Location,
    tags: StringMap,
    *,
    allowed: Iterable[str],
    rate: float,
    burst: int,
) -> HistoryApi:
    """The API with all that is in it. Pages of the origins `allowed` may read it, all pages where there are
    none; `rate` is requests a second, `burst` requests at once."""
    origins = readable_from(allowed)
    return HistoryApi(
        name=names.history,
        display_name=names.history,
        default_endpoint=True,
        cors_origins=origins,
        cors_methods=("GET",) if origins else (),
        # A token comes in it.
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
        access_log="",
        detailed_metrics=False,
        extra=(),
        tags=tags,
        stage_tags=tags,
    )


def permissions(names: ResourceNames, location: Location, history_id: str) -> list[Permission]:
    """The statements by which that API, and each of its routes, may invoke the function."""
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
                # Of any stage: there is one, and how its `$` is spelled in here is documented nowhere.
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
    """The allowed origins that API Gateway's CORS configuration does not take."""
    return tuple(sorted(each for each in set(allowed) if not _is_supported(each)))


def _is_supported(origin: str) -> bool:
    # "Configure CORS for HTTP APIs" knows http and https, and takes `https://*` for every page there is.
    return origin.startswith(("http://", "https://")) and "*" not in origin
