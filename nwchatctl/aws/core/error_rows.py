"""The table of AWS's refusals: from service, operation, code and message to cause, exit code and hint.

Pure: `explain` maps a Refusal to a ChatError. The first row that matches counts, so special rows come first.
Sources: IAM is the IAM User Guide ("Troubleshoot access denied error messages", "Troubleshoot signature
errors", "Common errors"), REGIONS the AWS Account Management guide ("Enable or disable AWS Regions"), LAMBDA
the Lambda API reference (errors of Invoke).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nwchatctl.aws.core.error_context import ErrorContext, Refusal
from nwchatctl.aws.core.error_denials import DENIED, explain_denial
from nwchatctl.errors import ChatError, Exit

_SIGNATURE = ("SignatureDoesNotMatch", "InvalidSignatureException")
_SKEWED_SECONDS = 240
"""A signature may be five minutes old (IAM); a Date header has whole seconds, and the response took some."""

_DEFAULT_REGIONS = frozenset(
    {
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
        *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"),
        *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
        *("ap-southeast-1", "ap-southeast-2"),
    }
)
"""The Regions that are enabled in every account; those introduced after 20 March 2019 are not (REGIONS)."""

_OTHER_PARTITIONS = re.compile(r"(cn|us-gov|us-iso[a-z]*|eu-isoe|eusc)-")
"""The Regions whose accounts are not those of the partition `aws` (General Reference, "ARNs")."""

_ENABLE_REGION = (
    "`aws account get-region-opt-status --region-name {region}` shows whether it is enabled; an "
    "administrator enables it by `aws account enable-region --region-name {region}`. Otherwise {sign_in}"
)
_LATER = "this passes: run the command again in a minute"
_QUOTA = "Service Quotas in the AWS console shows the limit, and increases it on request"
_KEY = (
    "enable the key again, or remove it from the resource, as an administrator of the KMS key; "
    "then run `{deploy}`"
)


def _is_clock(refusal: Refusal) -> bool:
    return abs(refusal.clock_offset or 0) >= _SKEWED_SECONDS


def _is_opt_in(refusal: Refusal) -> bool:
    region = refusal.region
    return bool(region) and region not in _DEFAULT_REGIONS and not _is_elsewhere(refusal)


def _is_elsewhere(refusal: Refusal) -> bool:
    return _OTHER_PARTITIONS.match(refusal.region) is not None


@dataclass(frozen=True, slots=True)
class Row:
    """Errors with one of `codes` (`*` matches any characters) whose message has `text`, of one of
    `operations` and of a refusal for which `where` holds; what is empty matches everything.

    `cause` and `hint` are formatted with the values of `_values`. An empty `name` is AWS's code.
    """

    name: str
    codes: tuple[str, ...]
    cause: str
    hint: str
    exit_code: Exit = Exit.CONFIG
    text: str = ""
    operations: tuple[str, ...] = ()
    where: Callable[[Refusal], bool] | None = None

    def matches(self, refusal: Refusal) -> bool:
        """Whether the row is about this refusal."""
        return (
            (not self.codes or any(fnmatchcase(refusal.code, each) for each in self.codes))
            and (not self.text or re.search(self.text, refusal.message, re.I) is not None)
            and (not self.operations or refusal.operation in self.operations)
            and (self.where is None or self.where(refusal))
        )


DATA_PLANE = (
    *("Scan", "Query", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem", "BatchWriteItem"),
    *("TransactWriteItems", "DescribeTable", "Invoke"),
)
"""Calls on resources that a deploy creates: if the resource is missing, the chat is not deployed."""

_UNKNOWN_KEY = (
    *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"),
    *("InvalidToken", "InvalidTokenException"),
)
_REFUSES = "AWS refuses {operation}: {text}"
_CLOCK = "this machine's clock is {clock}"
_SET_CLOCK = (
    "set this machine's clock, for example `sudo timedatectl set-ntp true`, then run the command again"
)
_SIGN_UP = (
    "AWS refuses {operation}: Region {region} is not enabled in this account, or the account is not signed "
    "up for the service yet"
)

ROWS: tuple[Row, ...] = (
    # The clock. Messages as in convox/rack#235 and aws-sdk-js#2565; codes in IAM, "Common errors".
    Row("clock", (), _CLOCK, _SET_CLOCK, text=r"signature (has )?expired|signature not yet current"),
    Row("clock", ("RequestTimeTooSkewed*", "RequestExpired*", "RequestInTheFuture*"), _CLOCK, _SET_CLOCK),
    Row("clock", _SIGNATURE, _CLOCK, _SET_CLOCK, where=_is_clock),
    # Keys. A Region that is not enabled does not know them either (aws-cli#8413; REGIONS).
    Row(
        "credentials", ("ExpiredToken*", "TokenRefreshRequired"), "the credentials have expired", "{sign_in}"
    ),
    Row(
        "credentials",
        _UNKNOWN_KEY,
        "AWS does not know these credentials in {region}: the Region is not enabled in this account, or the "
        "credentials are wrong",
        _ENABLE_REGION,
        where=_is_opt_in,
    ),
    Row(
        "credentials",
        _UNKNOWN_KEY,
        "AWS does not know these credentials in {region}, whose accounts are separate from those of other "
        "partitions",
        "use credentials of an account of that partition, or give another --region; {sign_in}",
        where=_is_elsewhere,
    ),
    Row("credentials", _UNKNOWN_KEY, "AWS does not know these credentials", "{sign_in}"),
    Row("credentials", _SIGNATURE, "the secret key does not belong to the access key", "{sign_in}"),
    Row("credentials", ("AuthFailure",), "AWS does not accept these credentials", "{sign_in}"),
    Row(
        "credentials",
        ("MissingAuthenticationToken*", "IncompleteSignature*"),
        "the request reached AWS without a complete signature",
        "a proxy may have removed the header Authorization: check HTTPS_PROXY; {sign_in}",
    ),
    # Accounts and Regions (STS API reference, AssumeRole; IAM, "Common errors").
    Row(
        "region_disabled",
        ("RegionDisabled*",),
        "Region {region} is not enabled in this account, or STS is switched off there",
        "enable it: `aws account enable-region --region-name {region}`, or activate STS for the Region in "
        "the account settings of IAM; or give another --region",
    ),
    Row(
        "region_disabled",
        ("OptInRequired*", "SubscriptionRequired*", "NotSignedUp*"),
        _SIGN_UP,
        "enable the Region: `aws account enable-region --region-name {region}`; a new account works a few "
        "hours after its payment method is verified",
    ),
    Row(
        "account",
        ("AccountProblem", "AccountSuspended*", "Blocked", "PendingVerification"),
        "AWS refuses {operation}: the account is suspended, or not verified yet ({code})",
        "see the account's notifications in the AWS console, or ask AWS Support",
    ),
    # API Gateway, of access logs of an HTTP API (sst#125), also if the resource policy is full.
    Row(
        "access_denied",
        ("BadRequestException",),
        _REFUSES,
        "attach the policy that `nwchatctl policy logging` prints to this user or role; if it is attached, "
        "the account's CloudWatch Logs resource policy AWSLogDeliveryWrite20150319 has no room for another "
        "log group",
        text="^Insufficient permissions to enable logging",
    ),
    # Lambda and KMS (LAMBDA). A role of the same name has another id, which the key's grant is not for.
    Row(
        "kms_access_denied",
        ("KMSAccessDenied*",),
        "Lambda cannot decrypt the function's environment, as after its role was created again",
        "run `{deploy}`",
        Exit.FAILED,
    ),
    Row(
        "kms_access_denied",
        ("KMS.AccessDenied*", "KmsAccessDenied", "AccessDenied.KMS*"),
        "AWS refuses {operation}: {text}",
        "an administrator of the KMS key must allow it in the key's policy",
    ),
    Row("kms_key", ("KMS*", "Kms*"), "the KMS key of a resource cannot be used: {text}", _KEY, Exit.FAILED),
    # What a deploy creates, and is not there.
    Row(
        "not_deployed",
        ("ResourceNotFoundException",),
        "the chat is not deployed in {region}, or only in part: {operation} finds no {resource}",
        "run `{deploy}`; `nwchatctl config show` says which region and chat is meant",
        Exit.NOT_FOUND,
        operations=DATA_PLANE,
    ),
    Row("", (), _REFUSES, _LATER, Exit.FAILED, where=lambda refusal: refusal.is_transient),
    # Limits of the account.
    Row(
        "",
        ("InvalidParameterValueException", "ValidationException"),
        _REFUSES,
        "a new account allows less memory: lower functions.memory_mb or fanout.memory_mb",
        Exit.FAILED,
        text="MemorySize",
    ),
    Row(
        "code_storage_exceeded",
        ("CodeStorageExceeded*",),
        _REFUSES,
        "delete versions of functions that the account no longer needs, or increase the quota: " + _QUOTA,
        Exit.FAILED,
    ),
    Row("", ("ServiceQuotaExceeded*", "*LimitExceeded*"), _REFUSES, _QUOTA, Exit.FAILED),
)


def explain(refusal: Refusal, context: ErrorContext) -> ChatError:
    """The error for the operator: what AWS refuses and why, and what to do."""
    for row in ROWS:
        if row.matches(refusal):
            return _from_row(row, refusal, context)
    if refusal.code in DENIED:
        return explain_denial(refusal, context)
    return _from_row(Row("", (), _REFUSES, "--debug shows every call", Exit.FAILED), refusal, context)


def _from_row(row: Row, refusal: Refusal, context: ErrorContext) -> ChatError:
    values = _values(refusal, context)
    return ChatError(
        row.cause.format_map(values),
        hint=row.hint.format_map(values),
        code=row.name or snake_case(refusal.code) or "aws",
        exit_code=row.exit_code,
    )


def _values(refusal: Refusal, context: ErrorContext) -> dict[str, str]:
    return {
        "operation": refusal.operation,
        "code": refusal.code,
        "text": refusal.text,
        "resource": refusal.facts.resource or "such resource",
        "region": refusal.region or "this Region",
        "clock": clock_text(refusal),
        "deploy": context.deploy,
        "sign_in": context.sign_in,
    }


def clock_text(refusal: Refusal) -> str:
    """How far this machine's clock is from AWS's: by the response's date, or by the times in the message."""
    offset = refusal.clock_offset
    if offset is None or abs(offset) < _SKEWED_SECONDS:
        offset = refusal.message_offset if refusal.message_offset is not None else offset
    if offset is None or abs(offset) < 60:
        return "off AWS's by more than AWS accepts"
    minutes = round(abs(offset) / 60)
    plural = "" if minutes == 1 else "s"
    return f"{minutes:,} minute{plural} off AWS's: it is {'behind' if offset < 0 else 'ahead'}"


def snake_case(code: str) -> str:
    """AWS's error code as a word for scripts: `TooManyRequestsException` → `too_many_requests`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code.removesuffix("Exception"))
    return re.sub(r"[^a-z0-9_]+", "_", words.lower()).strip("_")
