"""What AWS's errors mean to an operator, and how long to be patient with which."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from botocore import exceptions as aws

from nwchatctl.errors import ChatError, Exit

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_SECONDS = 90.0
"""How long a change that AWS says will work soon is tried again."""

_PASSING = (
    # Lambda, of a role made seconds ago: IAM is eventually consistent.
    ("InvalidParameterValueException", "cannot be assumed by lambda"),
    ("InvalidParameterValueException", "does not have permissions"),
    # Lambda, while an earlier update runs.
    ("ResourceConflictException", "in progress"),
    ("ResourceConflictException", "cannot be performed at this time"),
    # API Gateway, when two of our own calls meet.
    ("ConflictException", "concurrent modification"),
    # DynamoDB: a table that is still being changed; more than 500 control plane calls at once.
    ("ResourceInUseException", "being"),
    ("LimitExceededException", "simultaneous"),
    # DynamoDB, of a table made seconds ago: its backups are still being enabled.
    ("ContinuousBackupsUnavailableException", ""),
    # CloudWatch Logs and IAM, for the same reasons.
    ("OperationAbortedException", ""),
    ("ConcurrentModificationException", ""),
    ("ConcurrentModification", ""),
    ("EntityTemporarilyUnmodifiable", ""),
    # IAM, of a role just made that another of its hosts does not know yet.
    ("MalformedPolicyDocument", "invalid principal"),
)

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

_DATA_PLANE = ("Scan", "Query", "PutItem", "TransactWriteItems", "DeleteItem", "Invoke")
"""Calls that need what a deploy makes, so that a missing resource means a missing deploy."""

_CREDENTIALS_HINT = (
    "give --profile NAME, set AWS_PROFILE, or run `aws configure`; `--sandbox` needs no account"
)


def code_of(error: aws.ClientError) -> str:
    """AWS's error code, or the HTTP status where the answer carried none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def denied(error: aws.ClientError) -> bool:
    """Whether the caller lacks a permission."""
    return code_of(error) in _DENIED


def passing(error: Exception) -> bool:
    """Whether AWS says, in so many words, that the same call will work soon."""
    if not isinstance(error, aws.ClientError):
        return False
    text = str(error).lower()
    return any(code_of(error) == code and part in text for code, part in _PASSING)


def patiently(
    call: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """`call`, again for as long as `passing` errors come, up to `PATIENCE_SECONDS`.

    Waits grow from about half a second to five, with jitter, so that parallel changes do not meet again.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    wait = 0.5
    while True:
        try:
            return call(*args, **kwargs)
        except aws.ClientError as error:
            if not passing(error) or time.monotonic() + wait > deadline:
                raise
        # Jitter, not secrecy.
        time.sleep(random.uniform(wait / 2, wait))  # noqa: S311
        wait = min(wait * 2, 5.0)


def explained(error: BaseException, deploy: str = "nwchatctl deploy") -> ChatError | None:
    """An error of boto3's in the operator's terms, or None where it is not one of boto3's.

    `deploy` is the command line that builds the chat which was meant.
    """
    match error:
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
        case aws.HTTPClientError() | aws.ConnectionError():
            return ChatError(
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
            return None


def _client_error(error: aws.ClientError, deploy: str) -> ChatError:
    code = code_of(error)
    text = str(error.response.get("Error", {}).get("Message", "")) or code
    if code in _CREDENTIALS:
        return _config(_CREDENTIALS[code], "credentials", _CREDENTIALS_HINT)
    if denied(error):
        hint = "the operator's policy is docs/operator-policy.json: attach it as it is to this user or role"
        return _config(f"AWS refuses {error.operation_name}: {text}", "access_denied", hint)
    if code == "ResourceNotFoundException" and error.operation_name in _DATA_PLANE:
        return ChatError(
            f"the chat is not deployed here: {error.operation_name} finds nothing",
            hint=f"run `{deploy}`; `nwchatctl config show` says which region and chat is meant",
            code="not_deployed",
            exit_code=Exit.NOT_FOUND,
        )
    return ChatError(
        f"AWS refuses {error.operation_name}: {text}",
        hint="--debug shows every call",
        code=_snake(code) or "aws",
    )


def _config(message: str, code: str, hint: str) -> ChatError:
    return ChatError(message, hint=hint, code=code, exit_code=Exit.CONFIG)


def _snake(code: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code.removesuffix("Exception")).lower()
