"""AWS's errors as errors for the operator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from nwchat.delivery.scheduler import DeliveryAborted
from nwchatctl.aws.core.answers import ForeignAnswer, MissingField, UnreadableAnswer
from nwchatctl.aws.core.network_errors import to_network_error
from nwchatctl.aws.core.retry import error_code, is_transient
from nwchatctl.errors import ChatError, Exit

T = TypeVar("T")

_CREDENTIALS = {
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "InvalidClientTokenId": "AWS does not know these credentials",
    "UnrecognizedClientException": "AWS does not know these credentials",
    "InvalidAccessKeyId": "AWS does not know these credentials",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "InvalidSignatureException": "the secret key does not belong to the access key",
    "AuthFailure": "AWS does not accept these credentials",
}

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "ForbiddenException")

_MISSING = (
    "ResourceNotFoundException",
    "NotFoundException",
    "TableNotFoundException",
    "NoSuchEntity",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
)

_DATA_PLANE = (
    "Scan",
    "Query",
    "GetItem",
    "PutItem",
    "BatchGetItem",
    "BatchWriteItem",
    "TransactWriteItems",
    "DeleteItem",
    "DescribeTable",
    "Invoke",
)
"""Calls on resources that a deploy creates: if the resource is missing, the chat is not deployed."""

_BOUNDED = ("CreateRole", "PutRolePermissionsBoundary", "PutRolePolicy")
_OF_DOMAINS = (
    *("CreateDomainName", "UpdateDomainName", "DeleteDomainName"),
    *("CreateApiMapping", "UpdateApiMapping", "DeleteApiMapping"),
    *("ListCertificates", "DescribeCertificate", "ListTagsForCertificate"),
    *("RequestCertificate", "DeleteCertificate", "AddTagsToCertificate", "RemoveTagsFromCertificate"),
    *("ListHostedZones", "ListResourceRecordSets", "ChangeResourceRecordSets", "GetChange"),
)
_OF_LOGGING = ("UpdateAccount", "AttachRolePolicy")
"""The calls of optional features, each with a policy of its own."""

_NO_LOG_DELIVERY = "Insufficient permissions to enable logging"
"""API Gateway's text for access logs of an HTTP API (sst issue 125), also if the resource policy is full."""

_LOG_DELIVERY_HINT = (
    "attach the policy that `nwchatctl policy logging` prints to this user or role; if it is attached, the "
    "account's CloudWatch Logs resource policy AWSLogDeliveryWrite20150319 has no room for another log group"
)

_CREDENTIALS_HINT = (
    "give --profile NAME, set AWS_PROFILE, or run `aws configure`; `--sandbox` needs no account"
)

_FOREIGN_HINT = (
    "a proxy or a login page of the network answers instead of AWS: check the network, HTTPS_PROXY and the "
    "region (--region), then run the command again"
)


def is_denied(error: aws.ClientError) -> bool:
    """Whether the caller lacks a permission."""
    return error_code(error) in _DENIED


def is_missing(error: aws.ClientError) -> bool:
    """Whether AWS finds no resource of that name: it does not exist, or is being created or deleted."""
    return error_code(error) in _MISSING


def unless_missing(read: Callable[[], T]) -> T | None:
    """What `read` returns; None if AWS does not find the resource."""
    try:
        return read()
    except aws.ClientError as error:
        if is_missing(error):
            return None
        raise


def to_chat_error(error: BaseException, deploy: str = "nwchatctl deploy") -> ChatError | None:
    """The ChatError for an error of botocore or of posting; None for any other error.

    `deploy` is the command line that deploys the chat in question.
    """

    match error:
        case DeliveryAborted():
            return ChatError(
                f"API Gateway took nothing: {error}",
                hint="403: attach the policy that `nwchatctl policy run` prints, and "
                f"`{deploy}` mends the stage; else run the command again later",
                code="nothing_accepted",
            )
        case aws.NoCredentialsError() | aws.PartialCredentialsError():
            return _config("there are no AWS credentials", "no_credentials", _CREDENTIALS_HINT)
        case aws.CredentialRetrievalError() | aws.SSOError() | aws.TokenRetrievalError():
            return _config(f"AWS credentials could not be had: {error}", "no_credentials", _CREDENTIALS_HINT)
        case aws.ProfileNotFound():
            return _config(
                str(error), "profile_unknown", "`aws configure list-profiles` names those that exist"
            )
        case aws.NoRegionError():
            return _config(
                "there is no AWS region", "no_region", "give --region, or set aws.region in nwchat.toml"
            )
        case aws.ClientError():
            return _client_error(error, deploy)
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
            return ChatError(str(error), code="aws")
        case _:
            return to_network_error(error)


def _client_error(error: aws.ClientError, deploy: str) -> ChatError:
    code = error_code(error)
    text = _without_values(str(error.response.get("Error", {}).get("Message", ""))) or code
    if code in _CREDENTIALS:
        return _config(_CREDENTIALS[code], "credentials", _CREDENTIALS_HINT)
    if is_denied(error):
        return _config(
            f"AWS refuses {error.operation_name}: {text}", "access_denied", _denied_hint(error.operation_name)
        )
    if code == "BadRequestException" and text.startswith(_NO_LOG_DELIVERY):
        return _config(f"AWS refuses {error.operation_name}: {text}", "access_denied", _LOG_DELIVERY_HINT)
    if code == "KMSAccessDeniedException":
        return ChatError(
            "Lambda cannot decrypt the function's environment, as after its role was created again",
            hint=f"run `{deploy}`",
            code="kms_access_denied",
        )
    if code == "ResourceNotFoundException" and error.operation_name in _DATA_PLANE:
        return ChatError(
            f"the chat is not deployed here: {error.operation_name} finds nothing",
            hint=f"run `{deploy}`; `nwchatctl config show` says which region and chat is meant",
            code="not_deployed",
            exit_code=Exit.NOT_FOUND,
        )
    return ChatError(
        f"AWS refuses {error.operation_name}: {text}", hint=_hint(error, text), code=_snake(code) or "aws"
    )


def _hint(error: aws.ClientError, text: str) -> str:
    if is_transient(error):
        return "this passes: run the command again in a minute"
    if "MemorySize" in text:
        return "a new account allows less memory: lower functions.memory_mb or fanout.memory_mb"
    return "--debug shows every call"


def _without_values(text: str) -> str:
    """The text of an error without the environment variables that Lambda repeats in some of them."""
    before, measured, _ = text.partition("String measured")
    return f"{before}{measured} (hidden)" if measured else text


def _denied_hint(operation: str) -> str:
    """Which policy allows the call, or what the policy asks of it."""
    if operation in _BOUNDED:
        return (
            "the deploy policy requires a permissions boundary: make a managed policy of what "
            "`nwchatctl policy boundary` prints, and set functions.permissions_boundary to its name"
        )
    if operation in _OF_DOMAINS:
        name = "domain"
    elif operation in _OF_LOGGING:
        name = "logging"
    else:
        name = "deploy"
    return f"attach the policy that `nwchatctl policy {name}` prints to this user or role"


def _config(message: str, code: str, hint: str) -> ChatError:
    return ChatError(message, hint=hint, code=code, exit_code=Exit.CONFIG)


def _snake(code: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code.removesuffix("Exception")).lower()
