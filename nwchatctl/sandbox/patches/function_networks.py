"""What Lambda checks of a function in a VPC; ministack 1.5.33 only stores it.

Lambda makes the network interfaces with the role of the function, refuses a function whose role may not, and
looks the subnets and security groups up in the name of the caller (Lambda developer guide, "Giving Lambda
functions access to resources in an Amazon VPC"; Service Authorization Reference).
"""

from __future__ import annotations

import re
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import iam, lambda_svc

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.patches.iam_checks import Check, json_object

_RULE = "function_network"
_CALLERS_ACTIONS = ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs")
_ROLES_ACTIONS = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
_PATH = re.compile(r"/\d{4}-\d\d-\d\d/functions(?:/[^/]+/configuration)?/?")


def checks(method: str, path: str, body: bytes) -> tuple[Check, ...]:
    """What the caller needs besides to put a function into a VPC; empty for other calls."""
    is_change = method in ("POST", "PUT") and _PATH.fullmatch(path) and limits.current().on(_RULE)
    if not is_change or not _subnets(json_object(body)):
        return ()
    return tuple(Check("lambda", action, "*") for action in _CALLERS_ACTIONS)


def refusal(name: str, wanted: dict[str, Any]) -> Any:
    """Lambda's error for a VPC that the function's role may not connect to; None if it is not refused."""
    if not _subnets(wanted) or not limits.current().on(_RULE):
        return None
    config = (lambda_svc._functions.get(name) or {}).get("config") or {}
    role = str(wanted.get("Role") or config.get("Role", "")).rpartition("/")[2]
    for action in _ROLES_ACTIONS:
        if not _role_allows(role, f"ec2:{action}"):
            text = f"The provided execution role does not have permissions to call {action} on EC2"
            return error_response_json("InvalidParameterValueException", text, 400)
    return None


def _subnets(wanted: dict[str, Any]) -> list[str]:
    found = wanted.get("VpcConfig")
    return list(found.get("SubnetIds") or ()) if isinstance(found, dict) else []


def _role_allows(role: str, action: str) -> bool:
    account = get_account_id()
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/lambda",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn="*",
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(role, account)
    bounds = iam_evaluator._permissions_boundary(iam._roles, role, account)
    return bool(iam_evaluator.evaluate(context, policies, *bounds).decision == "Allow")
