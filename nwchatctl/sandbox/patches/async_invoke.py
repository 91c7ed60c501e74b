"""Asynchronous invocations as Lambda handles them; ministack 1.5.33 lacks these parts.

Sources: "Capturing records of Lambda asynchronous invocations" (an alias has a configuration of its own; the
function's role sends to the destination), PutFunctionEventInvokeConfig, and terraform-provider-aws for the
texts of Lambda's errors.
"""

from __future__ import annotations

import logging
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, lambda_svc, sqs

from nwchatctl.sandbox.patches import concurrency

logger = logging.getLogger("nwchatctl.sandbox")

_put = lambda_svc._put_event_invoke_config
_invoke = lambda_svc.invoke_async_with_retry
_route_failure = lambda_svc._route_async_failure

ACTIONS = {
    "GET": "GetFunctionEventInvokeConfig",
    "PUT": "PutFunctionEventInvokeConfig",
    "DELETE": "DeleteFunctionEventInvokeConfig",
}
"""The IAM actions of event-invoke-configs; ministack checks those of the function itself."""


def put_config(name: str, qualifier: str | None, data: dict[str, Any]) -> Any:
    """Stores the configuration if the queue exists and the function's role may send to it."""
    queue = ((data.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", "")
    if queue.startswith("arn:aws:sqs:") and name in lambda_svc._functions:
        if sqs._queue_by_arn(queue) is None:
            return lambda_svc._invalid_parameter_value(f"The destination ARN {queue} is invalid.")
        if not _may_send(name, queue):
            return lambda_svc._invalid_parameter_value(
                "The function's execution role does not have permissions to call SendMessage on SQS"
            )
    return _put(name, qualifier, data)


def invoke(function: dict[str, Any], event: Any) -> None:
    """Invokes with the configuration of the qualifier that was called; ministack uses the function's own."""
    config = function.get("config") or function
    name, _, qualifier = config.get("FunctionArn", "").rpartition(":function:")[2].partition(":")
    configs = (lambda_svc._functions.get(name) or {}).get("event_invoke_configs") or {}
    settings = configs.get(qualifier) or {"MaximumRetryAttempts": 2}
    _invoke({**function, "event_invoke_config": settings, concurrency.ASYNCHRONOUS: True}, event)


def route_failure(target_arn: str, name: str, event: Any, result: Any) -> None:
    """Sends a failed event to its destination, if the function's role may."""
    if target_arn.startswith("arn:aws:sqs:") and not _may_send(name, target_arn):
        logger.warning("%s may not send to %s: the event is lost", name, target_arn)
        return
    _route_failure(target_arn, name, event, result)


def _may_send(name: str, queue: str) -> bool:
    role = str(lambda_svc._functions[name]["config"].get("Role", ""))
    account = get_account_id()
    context = iam_evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=account,
        action="sqs:SendMessage",
        resource_arn=queue,
        region=get_region(),
    )
    role_name = role.rpartition("/")[2]
    policies = iam_evaluator._gather_role_policies(role_name, account)
    limits = iam_evaluator._permissions_boundary(iam._roles, role_name, account)
    return str(iam_evaluator.evaluate(context, policies, *limits).decision) == "Allow"


def install() -> None:
    lambda_svc._put_event_invoke_config = put_config
    lambda_svc.invoke_async_with_retry = invoke
    lambda_svc._route_async_failure = route_failure
