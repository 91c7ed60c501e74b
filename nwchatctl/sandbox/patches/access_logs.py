"""Access logs and the account's logging role, as API Gateway checks them; ministack 1.5.33 accepts anything.

Sources: "Set up CloudWatch API logging" (the account's role, its trust and its permissions), and
terraform-provider-aws for the texts of AWS's errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from ministack.services import apigateway, apigateway_v1, iam

from nwchatctl.sandbox.patches.iam_checks import Check, account_roles, json_object

_SETTINGS = re.compile(r"/v2/apis/([^/]+)/stages/([^/]+)/accesslogsettings/?")
_STAGES = re.compile(r"/v2/apis/([^/]+)/stages(?:/[^/]+)?/?")
_SERVICE = "apigateway.amazonaws.com"
_WRITE_ACTION = "logs:PutLogEvents"

NO_ROLE = "CloudWatch Logs role ARN must be set in account settings to enable logging"
BAD_ROLE = (
    "The role ARN does not have required permissions configured. "
    "Please grant trust permission for API Gateway and add the required role policy."
)
NO_DELIVERY = "Insufficient permissions to enable logging"

_DELIVERY_ACTIONS = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
"""What the caller needs ("Configure logging for HTTP APIs"); the error is that of sst issue 125."""


def delivery_checks(method: str, path: str, body: bytes) -> tuple[Check, ...]:
    """The additional permissions for access logs of an HTTP API, which CloudWatch delivers in the name of the
    caller."""
    found = _STAGES.fullmatch(path) if method in ("POST", "PATCH") else None
    is_http = found and apigateway._apis.get(found[1], {}).get("protocolType") == "HTTP"
    if not (is_http and json_object(body).get("accessLogSettings")):
        return ()
    return tuple(Check("logs", each, "*", refusal=NO_DELIVERY) for each in _DELIVERY_ACTIONS)


def intercept(method: str, path: str, body: bytes) -> Any:
    """API Gateway's response to a call that ministack would handle wrongly; None if ministack may handle it.

    These are DeleteAccessLogSettings, which ministack takes for DeleteStage; a stage with logs while the
    account has no role; a role that API Gateway could not log with.
    """
    if method == "DELETE" and (found := _SETTINGS.fullmatch(path)):
        return _delete_settings(*map(unquote, found.groups()))
    changed = _STAGES.fullmatch(path) if method in ("POST", "PATCH") else None
    # Logs of an HTTP API are delivered by CloudWatch and need no role ("Configure logging for HTTP APIs").
    uses_role = changed and apigateway._apis.get(changed[1], {}).get("protocolType") == "WEBSOCKET"
    if uses_role and _has_logging(json_object(body)) and not _account_role():
        return apigateway._apigw_error("BadRequestException", NO_ROLE, 400)
    changes_account = method == "PATCH" and path.rstrip("/") == "/account"
    if changes_account and not all(map(_can_log, account_roles(body))):
        return apigateway_v1._v1_error("BadRequestException", BAD_ROLE, 400)
    return None


def policy_condition(action: str, body: bytes) -> dict[str, str]:
    """The condition key of AttachRolePolicy and DetachRolePolicy ("Actions… for IAM"), which ministack
    lacks."""
    if action not in ("iam:AttachRolePolicy", "iam:DetachRolePolicy"):
        return {}
    return {"iam:PolicyARN": parse_qs(body.decode("utf-8", "replace")).get("PolicyArn", [""])[0]}


def _delete_settings(api_id: str, stage_name: str) -> Any:
    stage = apigateway._stages.get(api_id, {}).get(stage_name)
    if stage is None:
        return apigateway._apigw_error("NotFoundException", f"no stage {stage_name}", 404)
    stage.pop("accessLogSettings", None)
    return 204, {}, b""


def _has_logging(stage: Mapping[str, Any]) -> bool:
    """Whether a stage with these settings writes any log."""
    routes = [stage.get("defaultRouteSettings") or {}, *(stage.get("routeSettings") or {}).values()]
    access = stage.get("accessLogSettings") or {}
    return bool(access.get("destinationArn")) or any(
        each.get("loggingLevel", "OFF") != "OFF" for each in routes
    )


def _account_role() -> str:
    settings = apigateway_v1._account_settings.get("settings") or {}
    return str(settings.get("cloudwatchRoleArn") or "")


def _can_log(arn: str) -> bool:
    role = iam._roles.get(arn.rpartition("/")[2])
    if role is None or role["Arn"] != arn or _SERVICE not in str(role["AssumeRolePolicyDocument"]):
        return False
    inline = map(str, role.get("InlinePolicies", {}).values())
    attached = (str(iam._lookup_policy(each)) for each in role["AttachedPolicies"])
    return any(_WRITE_ACTION in each for each in (*inline, *attached))
