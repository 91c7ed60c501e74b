"""The grant by which a function's role decrypts the function's environment; ministack 1.5.33 has none.

Lambda makes the grant for the role's id when a function is created or gets another role, and a version keeps
that of its function. A role that is deleted and created again under its name has another id, so every
invocation fails until the function has had another role (hashicorp/terraform-provider-aws#9703; AWS re:Post,
"KMS Exception" errors of Lambda).
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import iam, lambda_svc

from nwchatctl.sandbox import limits

GRANT = "GrantedRoleId"
"""The key in a function's configuration with the id of the role that the grant is for."""

ERROR = "KMSAccessDeniedException"
TEXT = (
    "Lambda was unable to decrypt the environment variables because KMS access was denied. Please check the "
    "function's KMS key settings. KMS Exception: UnrecognizedClientExceptionKMS Message: The security token "
    "included in the request is invalid."
)

_create = lambda_svc._create_function
_update = lambda_svc._update_config


def create_function(wanted: dict[str, Any]) -> Any:
    """ministack's CreateFunction; a grant for the role as it is."""
    response = _create(wanted)
    if response[0] == 201:
        config = lambda_svc._functions[wanted["FunctionName"]]["config"]
        config[GRANT] = _role_id(config)
    return response


def update_config(name: str, wanted: dict[str, Any]) -> Any:
    """ministack's UpdateFunctionConfiguration; a new grant for another role."""
    before = ((lambda_svc._functions.get(name) or {}).get("config") or {}).get("Role")
    response = _update(name, wanted)
    if response[0] == 200 and wanted.get("Role", before) != before:
        config = lambda_svc._functions[name]["config"]
        config[GRANT] = _role_id(config)
    return response


def failure(config: dict[str, Any]) -> dict[str, Any] | None:
    """The result of an invocation that cannot decrypt its environment; None if it can."""
    granted, role_id = config.get(GRANT), _role_id(config)
    is_stale = bool(granted and role_id and granted != role_id)
    if not is_stale or not limits.current().on("function_role_grant"):
        return None
    return {"body": {"errorMessage": TEXT, "errorType": ERROR}, "error": True, "log": ""}


def as_refusal(response: Any) -> Any:
    """The response to an invocation: an error of the service where `failure` was its result."""
    status, _, body = response
    if status != 200 or ERROR.encode() not in body[:4096]:
        return response
    found = json.loads(body)
    is_failure = isinstance(found, dict) and found.get("errorType") == ERROR
    return error_response_json(ERROR, TEXT, 502) if is_failure else response


def _role_id(config: dict[str, Any]) -> str:
    role = iam._roles.get(str(config.get("Role", "")).rpartition("/")[2]) or {}
    return str(role.get("RoleId", ""))


def install() -> None:
    lambda_svc._create_function = create_function
    lambda_svc._update_config = update_config
