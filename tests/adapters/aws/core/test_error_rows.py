"""The table of AWS's refusals, by values: the messages are AWS's own, as public reports quote them."""

from __future__ import annotations

import pytest

from nwchatctl.aws.core.error_context import ErrorContext, Refusal, RefusalFacts, clock_offset
from nwchatctl.aws.core.error_denials import DENIALS
from nwchatctl.aws.core.error_rows import ROWS, explain, snake_case
from nwchatctl.errors import Exit

CONTEXT = ErrorContext("nwchatctl --profile x deploy", "x", "~/.aws/config")
EXPIRED = (
    "Signature expired: 20151221T200419Z is now earlier than 20151221T201450Z (20151221T201950Z - 5 min.)"
)
EARLY = (
    "Signature not yet current: 20190305T002809Z is still later than 20190304T214315Z "
    "(20190304T212815Z + 15 min.)"
)
UNKNOWN = "The security token included in the request is invalid."


def refusal(
    code: str,
    message: str = "no",
    operation: str = "CreateFunction",
    region: str = "us-east-2",
    offset: int | None = None,
    *,
    passes: bool = False,
) -> Refusal:
    return Refusal(code, message, operation, RefusalFacts("lambda", region, "", offset), passes)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        # The Date header says how far.
        (refusal("SignatureDoesNotMatch", EXPIRED, offset=-1200), "20 minutes off AWS's: it is behind"),
        (refusal("InvalidSignatureException", EARLY, offset=1200), "20 minutes off AWS's: it is ahead"),
        (refusal("RequestTimeTooSkewed", offset=-5400), "90 minutes off AWS's: it is behind"),
        (refusal("RequestExpired", "Request has expired.", offset=-421), "7 minutes off AWS's: it is behind"),
        (refusal("RequestInTheFuture", offset=421), "7 minutes off AWS's: it is ahead"),
        # A service that calls it a wrong key.
        (refusal("SignatureDoesNotMatch", "does not match", offset=600), "10 minutes off AWS's: it is ahead"),
        # Without a date, or with that of a proxy's own clock: by AWS's text.
        (refusal("SignatureDoesNotMatch", EXPIRED), "16 minutes off AWS's: it is behind"),
        (refusal("InvalidSignatureException", EARLY, offset=0), "180 minutes off AWS's: it is ahead"),
        (refusal("RequestTimeTooSkewed"), "off AWS's by more than AWS accepts"),
        (
            refusal("SignatureDoesNotMatch", "Signature expired: 2015 (99999999T999999Z)"),
            "off AWS's by more than AWS accepts",
        ),
    ],
)
def test_clock(given: Refusal, text: str) -> None:
    found = explain(given, CONTEXT)
    assert (found.message, found.code, found.exit_code) == (f"this machine's clock is {text}", "clock", 3)
    assert "set this machine's clock" in found.hint


def test_a_wrong_key_is_not_taken_for_a_clock() -> None:
    for offset in (None, 0, 2, -100):
        found = explain(refusal("SignatureDoesNotMatch", "does not match", offset=offset), CONTEXT)
        assert found.message == "the secret key does not belong to the access key"


def test_the_offset_is_that_of_the_date_header() -> None:
    header = {"date": "Mon, 21 Dec 2015 20:19:50 GMT"}
    assert clock_offset(header, 1_450_729_190_000 - 1_200_000) == -1200
    assert clock_offset({}, 1) is None
    assert clock_offset({"date": "yesterday"}, 1) is None


@pytest.mark.parametrize(
    "code", ["InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"]
)
def test_a_region_that_is_not_enabled_is_one_of_two_causes(code: str) -> None:
    found = explain(refusal(code, UNKNOWN, region="af-south-1"), CONTEXT)
    assert (found.code, found.exit_code) == ("credentials", 3)
    assert "in af-south-1" in found.message
    assert "the Region is not enabled in this account" in found.message
    assert "the credentials are wrong" in found.message
    assert "aws account enable-region --region-name af-south-1" in found.hint
    assert "--profile NAME" in found.hint
    # Where every account is enabled, and where the Region is unknown, there is one cause.
    for region in ("us-east-2", ""):
        assert explain(refusal(code, region=region), CONTEXT).message == "AWS does not know these credentials"
    china = explain(refusal(code, region="cn-north-1"), CONTEXT)
    assert "whose accounts are separate" in china.message


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("RegionDisabledException", "Region il-central-1 is not enabled in this account, or STS is"),
        ("OptInRequired", "Region il-central-1 is not enabled in this account, or the account is not signed"),
        ("SubscriptionRequiredException", "or the account is not signed up for the service yet"),
    ],
)
def test_a_region_or_service_without_the_account(code: str, cause: str) -> None:
    found = explain(refusal(code, region="il-central-1"), CONTEXT)
    assert cause in found.message
    assert (found.code, found.exit_code) == ("region_disabled", 3)
    assert "aws account enable-region --region-name il-central-1" in found.hint


_DENIED = "User: arn:aws:iam::1:user/u is not authorized to perform: lambda:CreateFunction on resource: r"


@pytest.mark.parametrize(
    ("message", "kind", "who"),
    [
        (f"{_DENIED} with an explicit deny in a service control policy", "(SCP)", "of the organization"),
        (
            f"{_DENIED} with an explicit deny in a service control policy: arn:aws:organizations::1:policy/p",
            "(SCP)",
            "of the organization",
        ),
        (
            f"{_DENIED} because no service control policy allows the lambda:CreateFunction action",
            "(SCP)",
            "organ",
        ),
        (f"{_DENIED} with an explicit deny in a resource control policy", "(RCP)", "of the organization"),
        (
            f"{_DENIED} because no permissions boundary allows the lambda:CreateFunction action",
            "the permissions boundary of this user or role",
            "an administrator of the account",
        ),
        (
            f"{_DENIED} with an explicit deny in a permissions boundary",
            "permissions boundary",
            "administrator",
        ),
        (
            f"{_DENIED} because no session policy allows the action",
            "the session policy",
            "where the session is",
        ),
        (
            f"{_DENIED} because no VPC endpoint policy allows the action",
            "the policy of the VPC endpoint",
            "an administrator of the VPC",
        ),
        (
            "User: u is not authorized to perform: kms:Decrypt on resource: k because no resource-based "
            "policy allows the kms:Decrypt action",
            "the KMS key",
            "an administrator of the key",
        ),
        (
            "The ciphertext refers to a customer master key that does not exist, does not exist in this "
            "region, or you are not allowed to access.",
            "the KMS key",
            "an administrator of the key",
        ),
        (
            f"{_DENIED} with an explicit deny in an identity-based policy",
            "attached to this user or role denies it explicitly",
            "an administrator of the account",
        ),
        (f"{_DENIED} with an explicit deny", "denies it explicitly", "whoever wrote it"),
        (f"{_DENIED} with an explicit deny in a resource-based policy", "of the resource itself", "adminis"),
        ("MultiFactorAuthentication failed with invalid MFA one time pass code.", "MFA code", "next code"),
        (
            "User: u is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/r",
            "the role's trust policy",
            "an administrator of the role's account",
        ),
        (
            "You are not authorized to perform this operation. Encoded authorization failure message: B2UT",
            "decode-authorization-message",
            "nwchatctl policy deploy",
        ),
        (f"{_DENIED} because no identity-based policy allows it", "nwchatctl policy deploy", "attach"),
        (_DENIED, "nwchatctl policy deploy", "attach"),
    ],
)
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_a_denial_names_the_policy_and_who_changes_it(code: str, message: str, kind: str, who: str) -> None:
    found = explain(refusal(code, message), CONTEXT)
    assert (found.code, found.exit_code) == ("access_denied", Exit.CONFIG)
    assert found.message == f"AWS refuses CreateFunction: {message}"
    assert kind in found.hint
    assert who in found.hint
    # A policy that the tool prints helps only where a permission is missing.
    helps = "explicit deny" not in message and "nwchatctl policy" in found.hint
    assert helps == ("nwchatctl policy" in kind + who)


def test_every_kind_of_denial_has_a_case() -> None:
    assert len(DENIALS) == 12
    for row in DENIALS:
        assert row.hint.format(attach="", profile="", config_file="")


@pytest.mark.parametrize(
    ("given", "code", "exit_code", "hint"),
    [
        (
            refusal("KMSAccessDeniedException", passes=True),
            "kms_access_denied",
            1,
            "run `nwchatctl --profile x",
        ),
        (refusal("KMSDisabledException", passes=True), "kms_key", 1, "enable the key again"),
        (refusal("KMS.AccessDeniedException"), "kms_access_denied", 3, "an administrator of the KMS key"),
        (refusal("ThrottlingException", passes=True), "throttling", 1, "this passes"),
        (refusal("RequestLimitExceeded", passes=True), "request_limit_exceeded", 1, "this passes"),
        (refusal("LimitExceededException"), "limit_exceeded", 1, "Service Quotas"),
        (refusal("ServiceQuotaExceededException"), "service_quota_exceeded", 1, "Service Quotas"),
        (refusal("CodeStorageExceededException"), "code_storage_exceeded", 1, "delete versions"),
        (refusal("MissingAuthenticationToken"), "credentials", 3, "a proxy may have removed"),
        (refusal("PendingVerification"), "account", 3, "AWS Support"),
        (
            refusal("BadRequestException", "Insufficient permissions to enable logging"),
            "access_denied",
            3,
            "log",
        ),
        (refusal("ResourceNotFoundException", operation="Scan"), "not_deployed", 4, "config show"),
        # Of a resource that is not the chat's.
        (refusal("ResourceNotFoundException", operation="GetFunction"), "resource_not_found", 1, "--debug"),
        # Codes that nobody has heard of.
        (refusal("SomethingNewException"), "something_new", 1, "--debug"),
        (refusal("AWS.Weird-Code"), "aws_weird_code", 1, "--debug"),
        (refusal(""), "aws", 1, "--debug"),
        (refusal("404"), "404", 1, "--debug"),
    ],
)
def test_other_refusals(given: Refusal, code: str, exit_code: int, hint: str) -> None:
    found = explain(given, CONTEXT)
    assert (found.code, found.exit_code) == (code, exit_code)
    assert hint in found.hint
    assert found.message


def test_the_region_of_a_session_decides_its_sign_in() -> None:
    expired = refusal("ExpiredTokenException")
    sso = ErrorContext(profile="dojo", sign_in_kind="sso")
    assert explain(expired, sso).hint == "run `aws sso login --profile dojo`"
    assert explain(expired, ErrorContext(sign_in_kind="login")).hint == "run `aws login`"
    process = ErrorContext(profile="dojo", sign_in_kind="process", process="vault")
    assert explain(expired, process).hint == "check `vault`, the credential_process of profile dojo"


def test_headers_and_environments_are_hidden() -> None:
    header = "Authorization=AWS4-HMAC-SHA256 Credential=AKID/2026/sts, Signature=f1f857"
    for code in ("IncompleteSignature", "ValidationError"):
        found = explain(refusal(code, f"it lacks a part. {header}"), CONTEXT)
        assert "f1f857" not in found.message + found.hint
        assert "AKID" not in found.message + found.hint


def test_every_row_can_be_formatted() -> None:
    """With braces in every value, which a careless template would read as its own."""
    odd = refusal("{x}", "{0} {y}", "{z}", region="{r}")
    for row in ROWS:
        code = row.codes[0].replace("*", "") if row.codes else "SignatureDoesNotMatch"
        text = "{0} MemorySize Insufficient permissions to enable logging Signature expired"
        explain(refusal(code, text, region="{r}", passes=True), CONTEXT)
    assert explain(odd, CONTEXT).message == "AWS refuses {z}: {0} {y}"
    assert snake_case("{x}") == "x"
