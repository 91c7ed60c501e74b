"""Errors of calls to AWS, in the shape of botocore's: the functions call AWS without it, the tool with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsCallFailed(Exception):
    """A call to AWS that did not succeed."""


class NoAwsResponse(AwsCallFailed):
    """There was no complete response, in any attempt. The text is the kind of the last failure."""


class AwsError(AwsCallFailed):
    """AWS answered with an error. Arguments and attributes are those of botocore's `ClientError`.

    `response` has the code and the message in `Error`, the HTTP status in `ResponseMetadata`, and the other
    fields of the error as they are. The text of the error has no message, because AWS's messages may repeat
    values of the request.
    """

    def __init__(self, error_response: Mapping[str, Any], operation_name: str) -> None:
        self.response = dict(error_response)
        self.operation_name = operation_name
        super().__init__(f"{operation_name}: {error_code(self)}")


def error_code(error: BaseException) -> str:
    """AWS's code in an error of this package or of botocore; "" for any other error."""
    response = getattr(error, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    code = details.get("Code") if isinstance(details, dict) else None
    return code if isinstance(code, str) else ""


def is_failed_call(error: BaseException) -> bool:
    """Whether `error` is of a call to AWS, by this package or by botocore."""
    return isinstance(error, AwsCallFailed) or any(
        each.__module__ == "botocore.exceptions" for each in type(error).__mro__
    )
