"""What Lambda refuses of functions, and how long their changes take; ministack 1.5.33 lacks these parts.

Sources: Lambda developer guide, "Lambda quotas", "Lambda function states" and "Troubleshoot deployment issues
in Lambda"; hashicorp/terraform-provider-aws for the texts of Lambda's errors.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import error_response_json
from ministack.services import iam, lambda_svc

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.patches import function_networks, role_grants

_PATH = re.compile(r"/\d{4}-\d\d-\d\d/functions(?:/([^/]+)(?:/(.+))?)?/?")

_CHANGES = {("POST", ""), ("PUT", "code"), ("PUT", "configuration")}
"""Calls that change a function's code or configuration."""

_INVOCATION = ("POST", "invocations")

_handle = lambda_svc.handle_request
_schedule = lambda_svc._schedule_state_transition
_create_role = iam._IAM_HANDLERS["CreateRole"]

_roles_created: dict[str, float] = {}
"""When each role was created, in monotonic seconds, by its id."""


async def handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
    """ministack's handler, after the refusals."""
    found = _PATH.fullmatch(path)
    if found is None:
        return await _handle(method, path, headers, body, query)
    name = lambda_svc._resolve_request_scoped_name(unquote(found[1])) if found[1] else ""
    call = (method, found[2] or "")
    if (refused := refusal(call, name, headers, body)) is not None:
        return refused
    seconds = limits.current().value("permission_overlap")
    if seconds and _is_permission_change(call) and name in lambda_svc._functions:
        return await _change_slowly(seconds, name, (method, path, headers, body, query))
    response = await _handle(method, path, headers, body, query)
    return role_grants.as_refusal(response) if call == _INVOCATION else response


def refusal(call: tuple[str, str], name: str, headers: dict[str, str], body: bytes) -> Any:
    """Lambda's error response to `call`, a method with the rest of the path; None if it is not refused."""
    if call == _INVOCATION:
        return _payload_refusal(headers, body)
    if call in _CHANGES:
        wanted = json.loads(body or b"{}")
        return (
            _environment_refusal(wanted)
            or _memory_refusal(wanted)
            or _role_refusal(wanted)
            or function_networks.refusal(name or str(wanted.get("FunctionName", "")), wanted)
            or _busy_refusal(name)
        )
    return _busy_refusal(name) if call == ("POST", "versions") else None


def environment_size(variables: dict[str, str]) -> int:
    """The size of a function's variables in bytes, as Lambda measures them: as JSON."""
    return len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())


def _environment_refusal(wanted: dict[str, Any]) -> Any:
    most = limits.current().value("function_environment")
    variables = (wanted.get("Environment") or {}).get("Variables") or {}
    if most is None or environment_size(variables) <= most:
        return None
    # The response repeats the values, as on AWS.
    measured = json.dumps(variables, separators=(",", ":"))
    return _invalid(
        "Lambda was unable to configure your environment variables because the environment variables you "
        f"have provided exceeded the 4KB limit. String measured: {measured}"
    )


def _memory_refusal(wanted: dict[str, Any]) -> Any:
    most, memory = limits.current().value("function_memory"), wanted.get("MemorySize", 0)
    if most is None or memory <= most:
        return None
    constraint = f"Member must have value less than or equal to {most:.0f}"
    return _invalid(f"'MemorySize' value failed to satisfy constraint: {constraint}")


def _role_refusal(wanted: dict[str, Any]) -> Any:
    """For a role that Lambda cannot assume yet."""
    seconds = limits.current().value("role_assumable")
    role = iam._roles.get(str(wanted.get("Role", "")).rpartition("/")[2]) or {}
    created = _roles_created.get(role.get("RoleId", ""))
    if seconds is None or created is None or time.monotonic() >= created + seconds:
        return None
    return _invalid("The role defined for the function cannot be assumed by Lambda.")


def _busy_refusal(name: str) -> Any:
    """For a function that is being created or updated."""
    config = (lambda_svc._functions.get(name) or {}).get("config") or {}
    if limits.current().value("function_ready") is None:
        return None
    if config.get("LastUpdateStatus") == "InProgress":
        what = f"An update is in progress for resource: {config['FunctionArn']}"
    elif config.get("State") == "Pending":
        what = "The function is currently in the following state: Pending"
    else:
        return None
    text = f"The operation cannot be performed at this time. {what}"
    return error_response_json("ResourceConflictException", text, 409)


def _payload_refusal(headers: dict[str, str], body: bytes) -> Any:
    """For a payload that is larger than its kind of invocation takes."""
    is_event = headers.get("x-amz-invocation-type") == "Event"
    most = limits.current().value("payload_asynchronous" if is_event else "payload_synchronous")
    if most is None or len(body) <= most:
        return None
    text = f"Request must be smaller than {most:.0f} bytes for the InvokeFunction operation"
    return error_response_json("RequestTooLargeException", text, 413)


def _is_permission_change(call: tuple[str, str]) -> bool:
    return call == ("POST", "policy") or (call[0] == "DELETE" and call[1].startswith("policy/"))


async def _change_slowly(seconds: float, name: str, request: tuple[Any, ...]) -> Any:
    """Changes the policy as it was when the call began: what another call wrote meanwhile is lost."""
    began_with = list(lambda_svc._functions[name]["policy"]["Statement"])
    await asyncio.sleep(seconds)
    if name in lambda_svc._functions:
        lambda_svc._functions[name]["policy"]["Statement"] = began_with
    return await _handle(*request)


def schedule_transition(name: str, seconds: float) -> None:
    """How long a function is pending or being updated, at AWS's pace if the sandbox has one."""
    _schedule(name, limits.current().value("function_ready") or seconds)


def create_role(request: Any) -> Any:
    """ministack's CreateRole; notes the time, because its own times are in whole seconds."""
    response = _create_role(request)
    if response[0] == 200:
        role = iam._roles[iam._p(request, "RoleName")]
        _roles_created[role["RoleId"]] = time.monotonic()
    return response


def _invalid(text: str) -> Any:
    return error_response_json("InvalidParameterValueException", text, 400)


def install() -> None:
    lambda_svc.handle_request = handle_request
    lambda_svc._schedule_state_transition = schedule_transition
    iam._IAM_HANDLERS["CreateRole"] = create_role
