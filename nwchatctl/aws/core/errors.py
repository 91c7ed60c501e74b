"""AWS's errors as errors for the operator: by the tables of `error_rows` and `error_configuration`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from nwchat.delivery.scheduler import DeliveryAborted
from nwchatctl.aws.core import error_rows
from nwchatctl.aws.core.answers import ForeignAnswer, MissingField, UnreadableAnswer
from nwchatctl.aws.core.error_configuration import explain_configuration
from nwchatctl.aws.core.error_context import ErrorContext, Refusal, facts_of
from nwchatctl.aws.core.error_denials import DENIED
from nwchatctl.aws.core.network_errors import to_network_error
from nwchatctl.aws.core.retry import error_code, is_transient
from nwchatctl.errors import ChatError

T = TypeVar("T")

_MISSING = (
    "ResourceNotFoundException",
    "NotFoundException",
    "TableNotFoundException",
    "NoSuchEntity",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
)

_FOREIGN_HINT = (
    "a proxy or a login page of the network answers instead of AWS: check the network, HTTPS_PROXY and the "
    "region (--region), then run the command again"
)

_NO_CONTEXT = ErrorContext()


def is_denied(error: aws.ClientError) -> bool:
    """Whether the caller lacks a permission."""
    return error_code(error) in DENIED


def is_missing(error: aws.ClientError) -> bool:
    """Whether AWS finds no resource of that name: it does not exist, or is being created or deleted."""
    return error_code(error) in _MISSING


def is_not_deployed(error: BaseException) -> bool:
    """Whether a call found no resource that a deploy creates."""
    return (
        isinstance(error, aws.ClientError)
        and error_code(error) == "ResourceNotFoundException"
        and error.operation_name in error_rows.DATA_PLANE
    )


def unless_missing(read: Callable[[], T]) -> T | None:
    """What `read` returns; None if AWS does not find the resource."""
    try:
        return read()
    except aws.ClientError as error:
        if is_missing(error):
            return None
        raise


def refusal_of(error: aws.ClientError) -> Refusal:
    """The error as a value."""
    return Refusal(
        error_code(error),
        str(error.response.get("Error", {}).get("Message") or ""),
        error.operation_name,
        facts_of(error.response),
        is_transient(error),
    )


def to_chat_error(error: BaseException, context: ErrorContext = _NO_CONTEXT) -> ChatError | None:
    """The ChatError for an error of botocore or of posting; None for any other error."""
    if known := explain_configuration(error, context):
        return known
    match error:
        case DeliveryAborted():
            return ChatError(
                f"API Gateway took nothing: {error}",
                hint="403: attach the policy that `nwchatctl policy run` prints, and "
                f"`{context.deploy}` mends the stage; else run the command again later",
                code="nothing_accepted",
            )
        case aws.ClientError():
            return error_rows.explain(refusal_of(error), context)
        case ForeignAnswer():
            return ChatError(str(error), hint=_FOREIGN_HINT, code="unreadable_answer")
        case UnreadableAnswer() | MissingField():
            return ChatError(
                str(error),
                hint="run the command again; --debug shows every call",
                code="unreadable_answer",
            )
        case aws.HTTPClientError() | aws.ConnectionError() | ResponseParserError():
            return to_network_error(error) or ChatError(
                f"AWS could not be reached: {error}",
                hint="check the network and the region (--region), then run the command again",
                code="unreachable",
            )
        case aws.WaiterError():
            return ChatError(
                f"AWS took too long: {error}",
                hint="run the command again: it goes on from here",
                code="timeout",
            )
        case aws.BotoCoreError():
            return ChatError(str(error), hint="--debug shows every call", code="aws")
        case _:
            return to_network_error(error)
