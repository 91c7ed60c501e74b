"""Sets the condition keys of `iam_conditions` from ministack's state, and refuses what they are for."""

from __future__ import annotations

from typing import Any

from ministack import app as ministack_app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import acm, apigateway, cloudwatch_logs, dynamodb, iam, lambda_svc, sts

from nwchatctl.sandbox.patches import access_logs
from nwchatctl.sandbox.patches.iam_checks import function_role, json_object
from nwchatctl.sandbox.patches.iam_conditions import (
    gateway_tags,
    is_trusted,
    lambda_principal,
    leading_keys,
    permissions_boundary,
    record_sets,
)
from nwchatctl.sandbox.patches.implicit_calls import is_beyond_boundary

_request_context = iam_actions.request_tag_context
_enforce = iam_evaluator.enforce
_principal_keys = iam_evaluator._principal_keys

_LEADING_KEYS = "nwchat:leadingkeys"
"""Carries the partition keys of a whole call to the check of each of its items."""

CANNOT_ASSUME = "The role defined for the function cannot be assumed by Lambda."


def request_context(service: str, action: str, body: bytes, params: Any) -> dict[str, Any]:
    """The condition keys of a call, including those that ministack lacks."""
    context = {
        **_request_context(service, action, body, params),
        **access_logs.policy_condition(action, body),
        **permissions_boundary(action, body, boundary_of),
        **lambda_principal(action, body),
        **record_sets(action, body),
        **gateway_tags(service, body, params),
    }
    if service == "dynamodb":
        context[_LEADING_KEYS] = leading_keys(action, body, _partition_key, _table_arn)
    return context


def enforce(
    key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
) -> Any:
    """ministack's check, with the partition keys of the item in question and the resource's tags."""
    context = {name.lower(): value for name, value in (service_context or {}).items()}
    keys = context.pop(_LEADING_KEYS, {}).get((action, resource_arn))
    if keys is not None:
        context["dynamodb:leadingkeys"] = keys
    for name, value in resource_tags(service, resource_arn).items():
        context.setdefault(f"aws:resourcetag/{name}".lower(), value)
    return _enforce(key, action, service, region, resource_arn=resource_arn, service_context=context)


def resource_tags(service: str, arn: str) -> dict[str, str]:
    """The tags of what ministack has no tags of. Parts of an API and of a domain name have those of the whole
    (Service Authorization Reference: each of them has aws:ResourceTag)."""
    resource = arn.split(":", 5)[-1]
    match service:
        case "apigateway":
            return _gateway_tags(arn, resource.lstrip(":/").split("/"))
        case "acm":
            found = acm._certificates.get(arn) or {}
            return {each["Key"]: each.get("Value", "") for each in found.get("Tags") or ()}
        case "logs":
            group = resource.removeprefix("log-group:").partition(":")[0]
            return dict((cloudwatch_logs._log_groups.get(group) or {}).get("tags") or {})
        case "lambda":
            # An alias or a version has the tags of its function.
            name = resource.removeprefix("function:").partition(":")[0]
            return dict((lambda_svc._functions.get(name) or {}).get("tags") or {})
    return {}


def _gateway_tags(arn: str, path: list[str]) -> dict[str, str]:
    if len(path) < 2 or path[0] not in ("apis", "domainnames"):
        return {}
    root = f"{arn.partition('::')[0]}::/{path[0]}/{path[1]}"
    stage = f"{root}/stages/{path[3]}" if path[2:3] == ["stages"] and len(path) > 3 else root
    return {
        key: value
        for each in (root, stage)
        for key, value in (apigateway._tag_store(each).get(each) or {}).items()
    }


def boundary_of(role: str) -> str:
    """The ARN of a role's permissions boundary, "" for none."""
    return str((iam._roles.get(role) or {}).get("PermissionsBoundary") or "")


def refusal(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """The error of a call that the caller may make and AWS refuses for what a policy says elsewhere; None for
    others. A role has to trust Lambda ("Lambda execution role"). A denied kms:Decrypt keeps a SecureString
    from being decrypted; whoever may read the parameter needs no such permission (aws/ssm's key policy)."""
    role = iam._roles.get(function_role(method, path, body).rpartition("/")[2])
    if role and not is_trusted(role["AssumeRolePolicyDocument"], "lambda.amazonaws.com", get_account_id()):
        return error_response_json("InvalidParameterValueException", CANNOT_ASSUME, 400)
    if headers.get("x-amz-target") == "AmazonSSM.GetParameter":
        return _refused_decryption(headers, json_object(body), query)
    return None


def _refused_decryption(headers: Any, wanted: dict[str, Any], query: Any) -> Any:
    if not wanted.get("WithDecryption"):
        return None
    account, region = get_account_id(), get_region()
    parameter = f"arn:aws:ssm:{region}:{account}:parameter{wanted.get('Name')}"
    key, context = (
        f"arn:aws:kms:{region}:{account}:key/aws-ssm",
        {"kms:EncryptionContext:PARAMETER_ARN": parameter},
    )
    caller = str(ministack_app.extract_access_key_id(headers, query))
    result = iam_evaluator.enforce(
        caller, "kms:Decrypt", "kms", region, resource_arn=key, service_context=context
    )
    if getattr(result, "decision", "") != "Deny" and not (
        result and is_beyond_boundary(caller, "kms:Decrypt", key, context)
    ):
        return None
    who = result.principal_arn
    return iam_actions.access_denied_response("ssm", "kms:Decrypt", who, "", explicit_deny=True)


def principal_keys(credential: Any) -> dict[str, Any]:
    """The condition keys of the caller; those of a function's code include its ARN, without a qualifier
    (Lambda developer guide, "Using source function ARN to control function access behavior").

    A session without an end is a function's: each one that STS issues has one.
    """
    keys: dict[str, Any] = _principal_keys(credential)
    session = sts._sessions.get(credential.access_key_id) or {}
    role, _, name = str(session.get("Arn", "")).rpartition("/")
    if ":assumed-role/" in role and "Expiration" not in session:
        arn = f"arn:aws:lambda:{get_region()}:{credential.account_id}:function:{name}"
        keys["lambda:sourcefunctionarn"] = arn
    return keys


def _partition_key(table: str) -> str:
    return str(dynamodb._tables.get(table.rpartition("/")[2], {}).get("pk_name") or "")


def _table_arn(table: str) -> str:
    return f"arn:aws:dynamodb:{get_region()}:{get_account_id()}:table/{table.rpartition('/')[2]}"


def install() -> None:
    iam_actions.request_tag_context = request_context
    iam_evaluator.enforce = enforce
    iam_evaluator._principal_keys = principal_keys
