"""Patches for ministack 1.5.33 that a chat needs. Each says what AWS does instead."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from ministack import app as ministack_app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, persistence
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway, lambda_svc

from nwchatctl.sandbox.patches import (
    access_logs,
    acm,
    async_invoke,
    concurrency,
    custom_domains,
    delayed_reads,
    deployments,
    function_limits,
    function_networks,
    iam_enforcement,
    implicit_calls,
    log_tail,
    recreation,
    role_grants,
    role_limits,
    stage_serving,
    subprotocols,
    tables,
    tag_listing,
    tag_visibility,
    transactions,
)
from nwchatctl.sandbox.patches.iam_checks import further_checks, resource_override

logger = logging.getLogger("nwchatctl.sandbox")

DEFAULT_ROUTE = "$default"
# How long a function is pending after a create or update, in seconds. AWS takes some seconds and ministack
# half a second, a useless wait here; it is long enough for the tool to observe the state.
TRANSITION_SECONDS = 0.1
# Concurrent environments of one function; more of them slow each other down on a laptop.
MAX_WORKERS = 4
_TRIES = 3

_save_lock = threading.Lock()
_dispatch = ministack_app._dispatch_service_request
_select = apigateway._evaluate_route_selection
_resource_arn = iam_actions.extract_resource_arn
_lambda_action = iam_actions._lambda_action
_handle_gateway = apigateway.handle_request
_parse_policy = iam_evaluator.parse_policy_document


def select_route(expression: str, frame: str) -> str:
    """The route of a frame. JSON too deep to parse closes the connection in ministack and is `$default` on
    AWS, as is any frame without a matching route, and `$connect` and `$disconnect`, which no frame can
    select."""
    try:
        route = str(_select(expression, frame))
    except RecursionError:
        return DEFAULT_ROUTE
    return DEFAULT_ROUTE if route.startswith("$") else route


class Environments:
    """The execution environments of one function as `_invoke_ws_lambda` uses them.

    ministack runs all WebSocket events of a function one after another, so that a slow event blocks all other
    connections; and the text of a function's exception reaches the client. On AWS events run concurrently,
    and the client receives `Internal server error` (for $connect: a refused handshake).
    """

    _limits: dict[str, threading.BoundedSemaphore] = {}  # noqa: RUF012 - shared by design, one for each function

    def __init__(self, name: str, config: dict[str, Any], code: bytes, qualifier: str = "$LATEST") -> None:
        # An alias that moved points at other code: environments kept by alias would run the old code.
        qualifier = str(config.get("Version") or qualifier)
        self._function = (name, config, code, qualifier)
        key = f"{config.get('FunctionArn', name)}:{qualifier}"
        self._limit = self._limits.setdefault(key, threading.BoundedSemaphore(MAX_WORKERS))

    def invoke(self, event: dict[str, Any], request_id: str) -> dict[str, Any]:
        try:
            with concurrency.socket_event_slot(self._function[1]):
                result = self._run(event, request_id)
        except concurrency.ConcurrencyExceeded as refused:
            result = {"status": "error", "error": f"throttled by the limit of the {refused.scope}"}
        if result.get("status") != "error" and (failure := concurrency.too_large(result.get("result"))):
            result = {"status": "error", "error": failure["body"]["errorMessage"]}
        if result.get("status") != "error":
            return result
        logger.warning("%s failed: %s", self._function[0], result.get("trace") or result.get("error"))
        context = event["requestContext"]
        frame = {
            "message": "Internal server error",
            "connectionId": context["connectionId"],
            "requestId": context["requestId"],
        }
        failed = {"statusCode": 500, "body": json.dumps(frame), stage_serving.GATEWAY_ERROR: True}
        return {"status": "ok", "result": failed}

    def _run(self, event: dict[str, Any], request_id: str) -> dict[str, Any]:
        name, config, code, qualifier = self._function
        if role_grants.failure(config) is not None:
            return {"status": "error", "error": role_grants.TEXT}
        with self._limit:
            worker, _ = lambda_runtime.acquire_worker(name, config, code, qualifier=qualifier)
            try:
                result: dict[str, Any] = worker.invoke(event, request_id)
            except Exception as error:
                # The environment ended while it started: a broken import or a missing handler.
                result = {"status": "error", "error": str(error)}
            finally:
                lambda_runtime.release_worker(worker)
        return result


def save_state() -> bool:
    """Writes every loaded service's state to disk; False if one changed too often to be copied completely.

    Called from the saving thread and, when the server stops, from the event loop's thread.
    """
    complete = True
    with _save_lock:
        for name, get_state in ministack_app._build_persistence_save_dict().items():
            state = _copy(name, get_state)
            complete &= state is not _INCOMPLETE
            if state is not None and state is not _INCOMPLETE:
                persistence.save_state(name, state)
    return complete


_INCOMPLETE = object()


def _copy(name: str, get_state: Any) -> Any:
    for _ in range(_TRIES):
        try:
            return get_state()
        except RuntimeError:  # a dictionary changed its size while it was copied
            continue
        except Exception:
            logger.exception("the state of %s could not be read", name)
            return None
    return _INCOMPLETE


async def dispatch(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
) -> Any:
    """ministack's dispatch, after the additional permission checks."""
    checks = further_checks(
        method,
        path,
        headers.get("x-amz-target", ""),
        body,
        account=get_account_id(),
        region=get_region(),
    )
    further = (
        *access_logs.delivery_checks(method, path, body),
        *function_networks.checks(method, path, body),
        *implicit_calls.checks(method, path, body),
    )
    for check in (*checks, *further):
        denied = ministack_app._enforce_data_plane(
            check.service,
            check.action,
            headers,
            query,
            request_id,
            resource_arn=check.resource,
            service_context=dict(check.context),
        )
        if denied and check.refusal:
            return apigateway._apigw_error("BadRequestException", check.refusal, 400)
        if denied:
            return denied
    if (refused := iam_enforcement.refusal(method, path, headers, body, query)) is not None:
        return refused
    response = await _dispatch(method, path, headers, body, query, request_id)
    implicit_calls.after_call(method, path, response[0])
    return response


def resource_arn(
    service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any, **options: Any
) -> str:
    """The resource that a call is authorised on: for some calls AWS uses an ARN where ministack uses `*`."""
    found = str(_resource_arn(service, method, path, headers, body, *rest, **options))
    if found != "*":
        return found
    target = headers.get("x-amz-target", "")
    account, region = get_account_id(), get_region()
    return resource_override(method, path, target, body, account=account, region=region) or found


def lambda_action(method: str, path: str) -> str | None:
    """The IAM action of a Lambda call. ministack takes reading and changing one alias for listing aliases,
    an event-invoke-config for the function's configuration, and all calls about reserved concurrency for
    PutFunctionConcurrency."""
    if re.search(r"/event-invoke-config/?$", path):
        return async_invoke.ACTIONS.get(method)
    if re.search(r"/aliases/[^/]+/?$", path):
        return {"GET": "GetAlias", "PUT": "UpdateAlias", "DELETE": "DeleteAlias"}.get(method)
    if re.search(r"/concurrency/?$", path):
        return {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[method] + "FunctionConcurrency"
    if re.search(r"/account-settings/?$", path):
        return "GetAccountSettings"
    found: str | None = _lambda_action(method, path)
    return found


@lru_cache(maxsize=512)
def _parse_cached(document: str) -> list[Any]:
    statements: list[Any] = _parse_policy(document)
    return statements


def parse_policy(document: str | dict[str, Any]) -> list[Any]:
    """The statements of a policy. ministack parses the caller's policy for each call, a seventh of its work;
    nothing modifies the cached result."""
    return _parse_cached(document) if isinstance(document, str) else _parse_policy(document)


_DEPLOYMENT = re.compile(r"/v2/apis/([^/]+)/deployments/([^/]+)/?")
_ROUTE_SETTINGS = re.compile(r"/v2/apis/([^/]+)/stages/([^/]+)/routesettings/(.+)")


_CREATE_PATH = re.compile(r"/v2/apis/([^/]+)/(routes|stages)/?")


def name_conflict(path: str, body: bytes) -> str:
    """The error text if the name of a CreateRoute or CreateStage exists already, "" otherwise. AWS responds
    with ConflictException (API Gateway v2 API reference); ministack creates a second route and replaces a
    stage."""
    found = _CREATE_PATH.fullmatch(path)
    wanted = json.loads(body) if found and body else {}
    match found.groups() if found else ():
        case (api_id, "routes"):
            key = wanted.get("routeKey")
            keys = {each["routeKey"] for each in apigateway._routes.get(api_id, {}).values()}
            return f"Route with key {key} already exists for this API" if key in keys else ""
        case (api_id, _):
            name = wanted.get("stageName")
            return "Stage already exists" if name in apigateway._stages.get(api_id, {}) else ""
    return ""


_STAGE = re.compile(r"/v2/apis/([^/]+)/stages(?:/([^/]+))?/?")


def unknown_route(method: str, path: str, body: bytes) -> str:
    """The error text if a CreateStage or UpdateStage has settings of a route that the API has not, ""
    otherwise. AWS responds with NotFoundException (terraform-aws-modules/terraform-aws-apigateway-v2#80);
    ministack stores them."""
    found = _STAGE.fullmatch(path)
    if found is None or method not in ("POST", "PATCH"):
        return ""
    keys = {each["routeKey"] for each in apigateway._routes.get(found[1], {}).values()}
    for key in json.loads(body or b"{}").get("routeSettings") or {}:
        if key not in keys:
            return f"Unable to find Route by key {key} within the provided RouteSettings"
    return ""


def with_kept_route_settings(path: str, body: bytes) -> bytes:
    """The body of an UpdateStage with the settings of routes that it does not name, which stay: there is
    DeleteRouteSettings to remove them (API Gateway v2 API reference). ministack replaces them all."""
    found, wanted = _STAGE.fullmatch(path), json.loads(body or b"{}")
    if found is None or not found[2] or "routeSettings" not in wanted:
        return body
    stage = apigateway._stages.get(found[1], {}).get(unquote(found[2]), {})
    kept = {**stage.get("routeSettings", {}), **wanted["routeSettings"]}
    return json.dumps({**wanted, "routeSettings": kept}).encode()


async def handle_gateway(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """API Gateway's control plane. ministack takes DeleteRouteSettings for DeleteStage, and lacks
    UpdateDeployment, which changes a deployment's description (API Gateway v2 API reference)."""
    response = access_logs.intercept(method, path, body) or custom_domains.refusal(method, path, body)
    if response is not None:
        return response
    if method == "POST" and (conflict := name_conflict(path, body)):
        return apigateway._apigw_error("ConflictException", conflict, 409)
    if missing := unknown_route(method, path, body):
        return apigateway._apigw_error("NotFoundException", missing, 404)
    if method == "PATCH":
        body = with_kept_route_settings(path, body)
    if method == "PATCH" and (match := _DEPLOYMENT.fullmatch(path)):
        return _describe_deployment(unquote(match[1]), unquote(match[2]), json.loads(body or b"{}"))
    found = _ROUTE_SETTINGS.fullmatch(path)
    if method != "DELETE" or found is None:
        return await _handle_gateway(method, path, headers, body, query)
    api_id, stage_name, route_key = map(unquote, found.groups())
    stage = apigateway._stages.get(api_id, {}).get(stage_name)
    if stage is None or stage.get("routeSettings", {}).pop(route_key, None) is None:
        return apigateway._apigw_error("NotFoundException", f"no settings of route {route_key}", 404)
    return 204, {}, b""


def _describe_deployment(api_id: str, deployment_id: str, wanted: dict[str, Any]) -> Any:
    deployment = apigateway._deployments.get(api_id, {}).get(deployment_id)
    if deployment is None:
        return apigateway._apigw_error("NotFoundException", f"Deployment {deployment_id} not found", 404)
    if "description" in wanted:
        deployment["description"] = wanted["description"]
    return apigateway._apigw_response(deployment)


def with_visible_tags(change: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """Wraps `change` (of an API's or a stage's tags) so that GetApis and GetStages show the new tags:
    ministack stores the tags that they show separately."""

    def change_and_copy(resource_arn: str, wanted: Any) -> Any:
        response = change(resource_arn, wanted)
        match resource_arn.rpartition("::/")[2].split("/"):
            case ["apis", api_id]:
                record = apigateway._apis.get(api_id)
            case ["apis", api_id, "stages", stage]:
                record = apigateway._stages.get(api_id, {}).get(stage)
            case _:
                record = None
        if record is not None:
            record["tags"] = dict(apigateway._api_tags.get(resource_arn, {}))
        return response

    return change_and_copy


def kill_functions() -> None:
    """Kills every function's process, busy or not; ministack leaves them running when it stops."""
    with lambda_runtime._lock:
        workers = [worker for pool in lambda_runtime._workers.values() for worker in pool]
    for process in (worker._proc for worker in workers):
        if process is not None:
            process.kill()


def install() -> None:
    async_invoke.install()
    concurrency.install()
    function_limits.install()
    iam_enforcement.install()
    implicit_calls.install()
    acm.install()
    log_tail.install()
    role_grants.install()
    subprotocols.install()
    transactions.install()
    tables.install()
    role_limits.install()
    recreation.install()
    delayed_reads.install()
    tag_listing.install()
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = TRANSITION_SECONDS
    apigateway._evaluate_route_selection = select_route
    lambda_runtime.get_or_create_worker = Environments
    ministack_app._dispatch_service_request = dispatch
    iam_actions.extract_resource_arn = resource_arn
    iam_actions._lambda_action = lambda_action
    iam_evaluator.parse_policy_document = parse_policy
    apigateway.handle_request = handle_gateway
    apigateway._tag_resource = with_visible_tags(apigateway._tag_resource)
    apigateway._untag_resource = with_visible_tags(apigateway._untag_resource)
    # After the other patches of API Gateway, which see the calls that these let pass.
    deployments.install()
    stage_serving.install()
    tag_visibility.install()
    # ministack's own save at the end must not run during ours, on the same files.
    ministack_app.save_all = lambda _services: save_state()
