"""Errors in the protocol of each service: JSON 1.0 and 1.1, REST with JSON, query, REST with XML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from uuid import uuid4
from xml.sax.saxutils import escape

from nwchatctl.sandbox.request_filter import Response

_JSON = MappingProxyType(
    {
        "acm": ("1.1", ""),
        "dynamodb": ("1.0", "com.amazon.coral.validate#"),
        "logs": ("1.1", ""),
        "resourcegroupstaggingapi": ("1.1", ""),
        "sqs": ("1.0", "com.amazonaws.sqs#"),
        "ssm": ("1.1", ""),
    }
)
"""The version of the protocol, and the namespace of the errors' types."""

_XML = MappingProxyType(
    {
        "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
        "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
        "route53": "https://route53.amazonaws.com/doc/2013-04-01/",
    }
)
"""The namespace of the responses."""


def error_response(
    service: str, code: str, message: str, status: int = 400, fields: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """The response of `service` (botocore's name) with an error; `fields` are further ones of its JSON."""
    request_id = str(uuid4())
    if service in _XML:
        text = (
            f'<ErrorResponse xmlns="{_XML[service]}"><Error><Type>Sender</Type><Code>{code}</Code>'
            f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return status, {"content-type": "text/xml", "x-amzn-requestid": request_id}, text.encode()
    headers = {"x-amzn-requestid": request_id}
    data = {"message": message, **fields}
    if service in _JSON:
        version, namespace = _JSON[service]
        headers["content-type"] = f"application/x-amz-json-{version}"
        data["__type"] = namespace + code
        if service == "sqs":
            # SQS tells clients of its older query protocol the code that they know.
            headers["x-amzn-query-error"] = f"{code};Sender"
    else:
        headers |= {"content-type": "application/json", "x-amzn-errortype": code}
    return status, headers, json.dumps(data).encode()
