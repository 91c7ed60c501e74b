"""Deployments of API Gateway v2: snapshots of an API, which are what its stages serve.

ministack 1.5.33 stores a deployment without content and serves the API's current parts. On AWS, routes,
integrations, their responses, authorizers and the API's own settings take effect only through the deployment
that a stage points at (developer guide, "Deploy WebSocket APIs"). A stage with auto-deploy receives a new
deployment with each change; whether switching auto-deploy on deploys earlier changes is undocumented, so that
here it does not.

Sources for the texts of AWS's errors: terraform-provider-aws 13961 (auto-deploy), 12961 (active stages), and
serverless/serverless 7120 (routes).
"""

from __future__ import annotations

import copy
import json
import math
import re
import time
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import apigateway

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.patches.iam_checks import json_object

PARTS: dict[str, Any] = {
    "routes": apigateway._routes,
    "route_responses": apigateway._route_responses,
    "integrations": apigateway._integrations,
    "integration_responses": apigateway._integration_responses,
    "authorizers": apigateway._authorizers,
}
"""ministack's stores of an API's parts, each by the API's id."""

SETTINGS = ("routeSelectionExpression", "corsConfiguration", "disableExecuteApiEndpoint")
"""Settings of the API itself that a deployment holds."""

NO_ROUTES = "At least one route is required before deploying the Api."
IN_USE = "Active stages pointing to this deployment must be moved or deleted"
WITH_AUTO_DEPLOY = "Deployment ID cannot be set on this stage because AutoDeploy is enabled"

_AUTOMATIC = "Automatic deployment triggered by changes to the Api configuration"
_STATE_NAME = "deployment_snapshots"
_API = re.compile(r"/v2/apis/([^/]+)(?:/([a-z]+))?(?:/([^/]+))?(/.+)?/?")
_DEPLOYED_COLLECTIONS = (None, "cors", "routes", "integrations", "authorizers")

_handle = apigateway.handle_request
_get_state = apigateway.get_state
_load_state = apigateway.load_persisted_state
_snapshots: Any = AccountRegionScopedDict()
"""`API/DEPLOYMENT` → what the deployment holds. Deployments of an earlier sandbox have no entry."""

_created: dict[tuple[str, str], float] = {}
"""When a stage was created, on the monotonic clock; stages of an earlier process are not new."""


def snapshot_of(api_id: str, deployment_id: str) -> dict[str, Any] | None:
    """What the deployment holds, by the names of PARTS and `settings`; None if that is unknown."""
    found: dict[str, Any] | None = _snapshots.get(f"{api_id}/{deployment_id}")
    return found


def stage_age(api_id: str, stage: str) -> float:
    """Seconds since the stage was created in this process; infinite for older ones."""
    created = _created.get((api_id, stage))
    return math.inf if created is None else time.monotonic() - created


async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """A call of API Gateway's control plane, with what it means for deployments."""
    found = _API.fullmatch(path)
    if found is None or method == "GET":
        return await _handle(method, path, headers, body, query)
    api_id, collection, name = found[1], found[2], found[3] and unquote(found[3])
    if not found[4] and (why := refusal(method, api_id, collection, name, json_object(body))):
        return apigateway._apigw_error("BadRequestException", why, 400)
    response = await _handle(method, path, headers, body, query)
    if response[0] < 300:
        _follow(method, api_id, collection, name, json_object(body), response)
    return response


def refusal(method: str, api_id: str, collection: str | None, name: str | None, wanted: Any) -> str:
    """Why AWS refuses a call about deployments and stages, "" if it does not."""
    rules, stages = limits.current(), apigateway._stages.get(api_id, {})
    match method, collection:
        case "POST", "deployments" if api_id in apigateway._apis:
            if rules.on("deployment_needs_routes") and not apigateway._routes.get(api_id):
                return NO_ROUTES
            is_set, stage = bool(wanted.get("stageName")), stages.get(wanted.get("stageName"), {})
        case "DELETE", "deployments":
            served = {each.get("deploymentId") for each in stages.values()}
            return IN_USE if rules.on("deployment_in_use") and name in served else ""
        case "POST", "stages":
            is_set, stage = bool(wanted.get("deploymentId")), wanted
        case "PATCH", "stages":
            is_set, stage = bool(wanted.get("deploymentId")), stages.get(name, {})
        case _:
            return ""
    is_refused = rules.on("deployment_with_auto_deploy") and is_set and stage.get("autoDeploy")
    return WITH_AUTO_DEPLOY if is_refused else ""


def _follow(
    method: str, api_id: str, collection: str | None, name: str | None, wanted: Any, response: Any
) -> None:
    """Stores the snapshot of a new deployment, deploys automatically, and drops what was deleted."""
    match method, collection:
        case "POST", "deployments":
            deployment = json.loads(response[2])["deploymentId"]
            _store(api_id, deployment)
            if stage := apigateway._stages.get(api_id, {}).get(wanted.get("stageName")):
                stage["deploymentId"] = deployment
        case "DELETE", "deployments":
            _snapshots.pop(f"{api_id}/{name}", None)
        case "DELETE", None:
            for key in [each for each in _snapshots if each.startswith(f"{api_id}/")]:
                _snapshots.pop(key, None)
        case "POST", "stages":
            _created[api_id, str(wanted.get("stageName"))] = time.monotonic()
            _deploy_automatically(api_id, str(wanted.get("stageName")))
        case _, each if each in _DEPLOYED_COLLECTIONS:
            for stage_name in list(apigateway._stages.get(api_id, {})):
                _deploy_automatically(api_id, stage_name)


def _store(api_id: str, deployment_id: str) -> None:
    held = {name: copy.deepcopy(store.get(api_id, {})) for name, store in PARTS.items()}
    api = apigateway._apis.get(api_id, {})
    settings = {name: copy.deepcopy(api[name]) for name in SETTINGS if name in api}
    _snapshots[f"{api_id}/{deployment_id}"] = {**held, "settings": settings}


def _deploy_automatically(api_id: str, stage_name: str) -> None:
    stage = apigateway._stages.get(api_id, {}).get(stage_name)
    if not stage or not stage.get("autoDeploy") or not apigateway._routes.get(api_id):
        return
    made = json.loads(apigateway._create_deployment(api_id, {"description": _AUTOMATIC})[2])["deploymentId"]
    apigateway._deployments[api_id][made]["autoDeployed"] = True
    _store(api_id, made)
    before, stage["deploymentId"] = stage.get("deploymentId"), made
    _drop_replaced(api_id, before)


def _drop_replaced(api_id: str, deployment_id: str | None) -> None:
    """Drops an automatic deployment that no stage serves any more. It is undocumented how long AWS keeps
    these; a tool must not rely on it."""
    deployments = apigateway._deployments.get(api_id, {})
    served = {each.get("deploymentId") for each in apigateway._stages.get(api_id, {}).values()}
    if deployments.get(deployment_id, {}).get("autoDeployed") and deployment_id not in served:
        deployments.pop(deployment_id)
        _snapshots.pop(f"{api_id}/{deployment_id}", None)


def get_state() -> dict[str, Any]:
    """ministack's state of API Gateway, with the snapshots. They never change, so references are enough."""
    copied = AccountRegionScopedDict()
    copied.update(_snapshots)
    return {**_get_state(), _STATE_NAME: copied}


def load_state(data: dict[str, Any]) -> None:
    """Restores the state; one of an earlier sandbox has no snapshots."""
    _load_state(data)
    if isinstance(stored := (data or {}).get(_STATE_NAME), AccountRegionScopedDict):
        _snapshots.update(stored)


def install() -> None:
    global _handle  # noqa: PLW0603 - the calls that this module does not know go to the patches before it
    _handle = apigateway.handle_request
    apigateway.handle_request = handle
    apigateway.get_state = get_state
    apigateway.load_persisted_state = load_state
