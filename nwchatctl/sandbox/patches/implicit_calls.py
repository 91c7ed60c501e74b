"""Permissions that AWS asks for where it acts in the name of the caller or with a function's role; ministack
asks for none of them.

- The first domain name of an account makes API Gateway's service-linked role (API Gateway developer guide,
  "Using service-linked roles for API Gateway"); taking a trust store from a domain name needs
  apigateway:RemoveCertificateFromDomain (Service Authorization Reference, API Gateway Management V2).
- Lambda writes a function's log with its role, and the ARN of the function in the context (Lambda developer
  guide, "Using source function ARN to control function access behavior").
- A key policy that allows every principal of an account does not lift a boundary (IAM user guide,
  "Permissions boundaries for IAM entities"; not certain for AWS's own keys).
"""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway_v1, iam, lambda_svc

from nwchatctl.sandbox.patches.iam_checks import Check, json_object

GATEWAY_ROLE, GATEWAY_SERVICE = "AWSServiceRoleForAPIGateway", "ops.apigateway.amazonaws.com"

_DOMAINS = re.compile(r"/v2/domainnames/?")
_DOMAIN = re.compile(r"/v2/domainnames/([^/]+)/?")

_LOG_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")

_emit_logs = lambda_svc._emit_lambda_logs

_EVERYTHING = [[{"Effect": "Allow", "Action": "*", "Resource": "*"}]]


def checks(method: str, path: str, body: bytes) -> tuple[Check, ...]:
    """The additional checks of a call about domain names; empty for others."""
    if method == "POST" and _DOMAINS.fullmatch(path) and GATEWAY_ROLE not in iam._roles:
        name = {"iam:AWSServiceName": GATEWAY_SERVICE}
        return (Check("apigateway", "iam:CreateServiceLinkedRole", _gateway_role_arn(), name),)
    found = _DOMAIN.fullmatch(path) if method == "PATCH" else None
    if found and _takes_trust_store(unquote(found[1]), json_object(body)):
        resource = f"arn:aws:apigateway:{get_region()}::/domainnames/{unquote(found[1])}"
        return (Check("apigateway", "apigateway:RemoveCertificateFromDomain", resource),)
    return ()


def after_call(method: str, path: str, status: int) -> None:
    """Makes API Gateway's service-linked role with the account's first domain name."""
    created = method == "POST" and _DOMAINS.fullmatch(path) and status < 300
    if not created or GATEWAY_ROLE in iam._roles:
        return
    iam._roles[GATEWAY_ROLE] = {
        "RoleName": GATEWAY_ROLE,
        "Arn": _gateway_role_arn(),
        "RoleId": iam._gen_id("AROA"),
        "CreateDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Path": f"/aws-service-role/{GATEWAY_SERVICE}/",
        "AssumeRolePolicyDocument": "{}",
        "Description": "",
        "MaxSessionDuration": 3600,
        "AttachedPolicies": [],
        "InlinePolicies": {},
        "Tags": [],
    }


def _gateway_role_arn() -> str:
    return f"arn:aws:iam::{get_account_id()}:role/aws-service-role/{GATEWAY_SERVICE}/{GATEWAY_ROLE}"


def _takes_trust_store(name: str, wanted: dict[str, Any]) -> bool:
    given = wanted.get("mutualTlsAuthentication")
    has = apigateway_v1._domain_names.get(name) or {}
    return (
        bool(has.get("mutualTlsAuthentication"))
        and isinstance(given, dict)
        and not given.get("truststoreUri")
    )


def emit_logs(func: dict[str, Any], *args: Any, **options: Any) -> None:
    """Writes the log of an invocation where the function's role and its boundary allow both calls."""
    config = func.get("config") or func
    if all(_role_allows(config, action) for action in _LOG_ACTIONS):
        _emit_logs(func, *args, **options)


def _role_allows(config: dict[str, Any], action: str) -> bool:
    account, region = get_account_id(), get_region()
    role, name = str(config.get("Role", "")).rpartition("/")[2], str(config.get("FunctionName", ""))
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:x",
        region=region,
        principal_keys={"lambda:sourcefunctionarn": f"arn:aws:lambda:{region}:{account}:function:{name}"},
    )
    policies = iam_evaluator._gather_role_policies(role, account)
    limits = iam_evaluator._permissions_boundary(iam._roles, role, account)
    return bool(iam_evaluator.evaluate(context, policies, *limits).decision == "Allow")


def is_beyond_boundary(access_key: str, action: str, resource: str, context: dict[str, Any]) -> bool:
    """Whether a permissions boundary of the caller, or a session policy, keeps the caller from the action."""
    principal = iam_evaluator.resolve_principal(access_key, get_account_id())
    if isinstance(principal, iam_evaluator.AuthError) or not principal.limits:
        return False
    evaluated = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context={key.lower(): value for key, value in context.items()},
        principal_keys=principal.keys,
    )
    everything = [iam_evaluator.parse_policy_document({"Statement": each}) for each in _EVERYTHING]
    return bool(iam_evaluator.evaluate(evaluated, everything, *principal.limits).decision != "Allow")


def install() -> None:
    lambda_svc._emit_lambda_logs = emit_logs
