"""What a stage serves: the parts of an API as its deployment holds them.

ministack 1.5.33 serves the API's current parts on any stage, also on one that does not exist. Without a
deployment, AWS refuses a handshake with 403, answers a frame without a deployed route with a `Forbidden`
frame, and an HTTP request with 404. ministack also returns to the client whatever a function returns, and
takes `$default` for a missing `$connect` (developer guide, "Set up route responses" and "Create routes").
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import apigateway

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.patches import deployments, subprotocols

GATEWAY_ERROR = "nwchatGatewayError"
"""The key of a response that API Gateway gives itself: it reaches the client without a route response."""

_NOTHING: dict[str, Any] = {**{name: {} for name in deployments.PARTS}, "settings": {}}
_DEFAULT = "$default"
_FORBIDDEN = 403

_stage: ContextVar[tuple[str, str] | None] = ContextVar("served_stage", default=None)
"""(API id, stage) that this task serves clients of; None for a call of the control plane."""

_handle_websocket = apigateway.handle_websocket
_handle_http = apigateway._handle_execute_in_scope
_match = apigateway._match_ws_route


class ServedParts(AccountRegionScopedDict):  # type: ignore[misc]
    """A store of ministack whose `get` returns, to a task that serves clients, what the stage serves."""

    __slots__ = ()

    def get(self, key: Any, default: Any = None) -> Any:
        current = super().get(key, default)
        name = next((name for name, store in deployments.PARTS.items() if store is self), None)
        held = _served(key)
        return current if name is None or held is None else held[name]


class ServedApis(AccountRegionScopedDict):  # type: ignore[misc]
    """ministack's store of APIs, with the settings that the stage serves."""

    __slots__ = ()

    def get(self, key: Any, default: Any = None) -> Any:
        current, held = super().get(key, default), _served(key)
        if held is None or current is None:
            return current
        own = {name: value for name, value in current.items() if name not in deployments.SETTINGS}
        return {**own, **held["settings"]}


def _served(api_id: str) -> dict[str, Any] | None:
    """What the task's stage serves; None for the API's current parts."""
    serving = _stage.get()
    if serving is None or serving[0] != api_id:
        return None
    new_for = limits.current().value("stage_ready")
    if new_for is not None and deployments.stage_age(*serving) < new_for:
        return _NOTHING
    if not limits.current().on("deployment_snapshots"):
        return None
    stage = apigateway._stages.get(api_id, {}).get(serving[1]) or {}
    deployment = stage.get("deploymentId")
    if not deployment:
        # A stage with auto-deploy of an earlier sandbox points at none.
        return None if stage.get("autoDeploy") else _NOTHING
    if deployment not in apigateway._deployments.get(api_id, {}):
        return _NOTHING
    # None for a deployment of an earlier sandbox, which stored no content.
    return deployments.snapshot_of(api_id, deployment)


async def handle_websocket(
    scope: Any, receive: Any, send: Any, api_id: str, path_override: str | None = None
) -> None:
    """ministack's handling of a connection, which serves what the stage of its address serves."""
    _stage.set((api_id, _stage_of(api_id, scope.get("path", "") if path_override is None else path_override)))
    await _handle_websocket(scope, receive, send, api_id, path_override)


def _stage_of(api_id: str, path: str) -> str:
    """The stage of an address, as ministack selects it."""
    first = path.lstrip("/").partition("/")[0] or _DEFAULT
    owner = apigateway._api_owner(api_id)
    stages = apigateway._stages.get_scoped(owner[1], owner[2], api_id, {}) if owner else {}
    return _DEFAULT if first not in stages and _DEFAULT in stages else first


async def handle_http(api_id: str, stage: str, *arguments: Any) -> Any:
    """ministack's handling of an HTTP request, which serves what the stage serves."""
    token = _stage.set((api_id, stage))
    try:
        return await _handle_http(api_id, stage, *arguments)
    finally:
        _stage.reset(token)


def match_route(api_id: str, route_key: str) -> Any:
    """The route that the stage serves for a key; a forbidden one if there is none."""
    if _served(api_id) is None:
        return _match(api_id, route_key)
    routes = {each.get("routeKey"): each for each in apigateway._routes.get(api_id, {}).values()}
    if route_key == "$disconnect" or (route_key == "$connect" and routes):
        # Both are optional.
        return routes.get(route_key)
    return routes.get(route_key) or routes.get(_DEFAULT) or {"routeKey": route_key, "isForbidden": True}


async def invoke(
    api_id: str,
    account_id: str,
    region: str,
    route: dict[str, Any],
    stage: str,
    connection_id: str,
    event_type: str,
    request_id: str,
    *arguments: Any,
    **options: Any,
) -> Any:
    """The response of a route to an event, as far as it reaches the client."""
    if route.get("isForbidden"):
        subprotocols.refuse_with(_FORBIDDEN)
        frame = {"message": "Forbidden", "connectionId": connection_id, "requestId": request_id}
        return {"statusCode": _FORBIDDEN, "body": json.dumps(frame)}
    response = await _invoke(
        api_id,
        account_id,
        region,
        route,
        stage,
        connection_id,
        event_type,
        request_id,
        *arguments,
        **options,
    )
    if event_type != "MESSAGE" or not isinstance(response, dict) or response.get(GATEWAY_ERROR):
        return response
    is_dropped = limits.current().on("route_response_needed") and not _answers(api_id, route)
    return {**response, "body": ""} if is_dropped else response


def _answers(api_id: str, route: dict[str, Any]) -> bool:
    """Whether the route has a route response."""
    responses = apigateway._route_responses.get(api_id, {}).get(route.get("routeId"), {})
    keys = {each.get("routeResponseKey") for each in responses.values()}
    return route.get("routeResponseSelectionExpression") == _DEFAULT and _DEFAULT in keys


def install() -> None:
    """Installs the patch; after `subprotocols`, whose response it may drop."""
    global _invoke  # noqa: PLW0603 - the patch before this one
    _invoke = apigateway._invoke_ws_lambda
    for store in deployments.PARTS.values():
        store.__class__ = ServedParts
    apigateway._apis.__class__ = ServedApis
    apigateway._invoke_ws_lambda = invoke
    apigateway._match_ws_route = match_route
    apigateway.handle_websocket = handle_websocket
    apigateway._handle_execute_in_scope = handle_http


_invoke = apigateway._invoke_ws_lambda
