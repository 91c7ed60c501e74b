"""Refuses requests whose parameters break the service's own model (rule `parameter_constraints`).

ministack accepts most of them. The codes are those that the services use for the errors of their frameworks
(the API references, "Common errors"; SQS has constraints only on what is required).
"""

from __future__ import annotations

from types import MappingProxyType

from nwchatctl.sandbox import limits, parameter_checks, request_model
from nwchatctl.sandbox.request_filter import Response
from nwchatctl.sandbox.request_model import ApiCall, ApiRequest, UnreadableRequest
from nwchatctl.sandbox.service_errors import error_response

_CODES = MappingProxyType(
    {
        "acm": "ValidationException",
        "apigateway": "BadRequestException",
        "apigatewayv2": "BadRequestException",
        "dynamodb": "ValidationException",
        "iam": "ValidationError",
        "lambda": "ValidationException",
        "logs": "InvalidParameterException",
        "resourcegroupstaggingapi": "InvalidParameterException",
        "route53": "InvalidInput",
        "sqs": "MissingParameter",
        "ssm": "ValidationException",
        "sts": "ValidationError",
    }
)
_UNREADABLE = MappingProxyType(
    {
        "apigateway": "BadRequestException",
        "apigatewayv2": "BadRequestException",
        "iam": "MalformedInput",
        "route53": "InvalidInput",
        "sts": "MalformedInput",
    }
)
"""The code for a body that is not what the protocol requires; SerializationException elsewhere."""


def refusal(request: ApiRequest, call: ApiCall) -> Response | None:
    """The service's error for the parameters of a call; None if they obey its model, or the rule is off."""
    if not limits.current().on("parameter_constraints"):
        return None
    try:
        parameters = request_model.model(call.service).parameters(call, request)
        found = parameter_checks.violations(call.service, call.shape, parameters)
    except UnreadableRequest:
        code = _UNREADABLE.get(call.service, "SerializationException")
        return error_response(call.service, code, "the request is not what the service's model requires")
    if not found:
        return None
    return error_response(call.service, _CODES[call.service], parameter_checks.message(found))
