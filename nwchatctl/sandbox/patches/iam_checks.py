"""Additional permissions that AWS requires for a call; ministack checks only the call's own action. Pure.

Sources: each service's page in AWS's Service Authorization Reference ("dependent actions"): passing a role to
Lambda or to API Gateway needs iam:PassRole, tags at creation need the service's tagging action. That
apigateway:TagResource is asked for on the collection is in no page: amplify-cli issue 12316,
terraform-provider-aws issue 20634.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from nwchatctl.sandbox import limits

_CHANGE = re.compile(r"/2013-04-01/change/([^/]+)/?")
_GATEWAY_CREATE = re.compile(r"/v2(/apis|/apis/[^/]+/stages|/domainnames)/?")
_FUNCTION = re.compile(r"/2015-03-31/functions(?:/[^/]+/configuration)?/?")


@dataclass(frozen=True, slots=True)
class Check:
    """An additional action that the caller needs, on one resource. `refusal` is the text of API Gateway's
    BadRequestException for a caller without it, "" if AWS answers with AccessDeniedException."""

    service: str
    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)
    refusal: str = ""


class _TaggingCreate(NamedTuple):
    """A create call that may set tags, and the action that it then needs. `prefix` is that of the resource in
    the ARN, `name` and `tags` are parameters of the call."""

    service: str
    action: str
    prefix: str
    name: str
    tags: str


_TAGGING_CREATES = {
    "CreateTable": _TaggingCreate("dynamodb", "dynamodb:TagResource", "table/", "TableName", "Tags"),
    "CreateQueue": _TaggingCreate("sqs", "sqs:TagQueue", "", "QueueName", "tags"),
    "PutParameter": _TaggingCreate("ssm", "ssm:AddTagsToResource", "parameter", "Name", "Tags"),
    "CreateLogGroup": _TaggingCreate("logs", "logs:TagResource", "log-group:", "logGroupName", "tags"),
}


def further_checks(
    method: str, path: str, target: str, body: bytes, *, account: str, region: str
) -> tuple[Check, ...]:
    """The additional checks of a call; empty for most. `target` is its X-Amz-Target, "" without one."""
    if _FUNCTION.fullmatch(path) and method in ("POST", "PUT"):
        return _function(json_object(body), account, region)
    creates = _GATEWAY_CREATE.fullmatch(path) if method == "POST" else None
    if creates and json_object(body).get("tags") and limits.current().on("tag_on_create"):
        return (_tagged_creation(unquote(creates[1]), json_object(body)["tags"], region),)
    if path.rstrip("/") == "/account" and method == "PATCH":
        passed = {"iam:PassedToService": "apigateway.amazonaws.com"}
        return tuple(Check("apigateway", "iam:PassRole", each, passed) for each in account_roles(body))
    if create := _TAGGING_CREATES.get(target.rpartition(".")[2]):
        data = json_object(body)
        resource = f"arn:aws:{create.service}:{region}:{account}:{create.prefix}{data.get(create.name)}"
        return (Check(create.service, create.action, resource),) if data.get(create.tags) else ()
    if path == "/" and not target and body.startswith(b"Action="):
        return _query(parse_qs(body.decode("utf-8", "replace")), account)
    return ()


def resource_override(
    method: str, path: str, target: str, body: bytes, *, account: str, region: str
) -> str | None:
    """The ARN that AWS authorises the call on, if ministack has none and uses `*`; None for most calls.

    DescribeLogGroups is authorised on the account's nameless group (terraform-provider-aws issue 8804).
    """
    if path.rstrip("/") == "/2015-03-31/functions" and method == "POST":
        return f"arn:aws:lambda:{region}:{account}:function:{json_object(body).get('FunctionName')}"
    if found := _CHANGE.fullmatch(path):
        return f"arn:aws:route53:::change/{found[1]}"
    match target.split("."):
        case [api, "ListTagsOfResource" | "TagResource" | "UntagResource"] if api.startswith("DynamoDB"):
            return str(json_object(body).get("ResourceArn"))
        case ["Logs_20140328", "DescribeLogGroups"]:
            return f"arn:aws:logs:{region}:{account}:log-group::log-stream:"
        case ["AmazonSSM", "GetParametersByPath"]:
            return f"arn:aws:ssm:{region}:{account}:parameter{json_object(body).get('Path')}"
    return None


def function_role(method: str, path: str, body: bytes) -> str:
    """The role that a call gives a function, "" for none."""
    if not (_FUNCTION.fullmatch(path) and method in ("POST", "PUT")):
        return ""
    return str(json_object(body).get("Role") or "")


def account_roles(body: bytes) -> list[str]:
    """The roles that a call of UpdateAccount sets: one, or none."""
    operations = json_object(body).get("patchOperations") or ()
    values = [each.get("value") for each in operations if each.get("path") == "/cloudwatchRoleArn"]
    return [str(each) for each in values if each]


def _tagged_creation(collection: str, tags: Mapping[str, str], region: str) -> Check:
    context: dict[str, Any] = {f"aws:RequestTag/{key}": str(value) for key, value in tags.items()}
    resource = f"arn:aws:apigateway:{region}::{collection}"
    return Check("apigateway", "apigateway:TagResource", resource, {**context, "aws:TagKeys": list(tags)})


def _function(data: Mapping[str, Any], account: str, region: str) -> tuple[Check, ...]:
    checks = []
    if role := data.get("Role"):
        passed = {"iam:PassedToService": "lambda.amazonaws.com"}
        checks.append(Check("lambda", "iam:PassRole", str(role), passed))
    if data.get("Tags"):
        function = f"arn:aws:lambda:{region}:{account}:function:{data.get('FunctionName')}"
        checks.append(Check("lambda", "lambda:TagResource", function))
    return tuple(checks)


def _query(form: Mapping[str, list[str]], account: str) -> tuple[Check, ...]:
    if form.get("Action") == ["CreateRole"] and "Tags.member.1.Key" in form:
        path = form.get("Path", ["/"])[0]
        role = f"arn:aws:iam::{account}:role{path}{form.get('RoleName', [''])[0]}"
        return (Check("iam", "iam:TagRole", role),)
    return ()


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a request; {} for any other body."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
