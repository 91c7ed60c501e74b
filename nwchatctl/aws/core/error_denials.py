"""Denials: which kind of policy denies a call, and who can change it.

Since 2021 AWS's messages name the kind: "with an explicit deny in a service control policy", "because no
session policy allows the iam:CreateRole action" (IAM User Guide, "Troubleshoot access denied error
messages").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nwchatctl.aws.core.error_context import ErrorContext, Refusal
from nwchatctl.errors import ChatError, Exit

DENIED = (
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "ForbiddenException"),
    *("NotAuthorized", "NotAuthorizedException", "UnauthorizedException", "AuthorizationError"),
)
"""The codes by which services say that the caller lacks a permission."""

_ATTACH = "attach the policy that `nwchatctl policy {name}` prints to this user or role"
_NO_POLICY_OF_OURS = "; a policy attached to this user or role does not help"


@dataclass(frozen=True, slots=True)
class Denial:
    """A kind of denial: what its messages contain (a regular expression), and the hint."""

    text: str
    hint: str


DENIALS: tuple[Denial, ...] = (
    Denial(
        "service control polic",
        "a service control policy (SCP) of the AWS organization denies it: only an administrator of the "
        "organization can change it" + _NO_POLICY_OF_OURS,
    ),
    Denial(
        "resource control polic",
        "a resource control policy (RCP) of the AWS organization denies it: only an administrator of the "
        "organization can change it" + _NO_POLICY_OF_OURS,
    ),
    Denial(
        "permissions boundar",
        "the permissions boundary of this user or role denies it: an administrator of the account can change "
        "the boundary" + _NO_POLICY_OF_OURS,
    ),
    Denial(
        "session polic",
        "the session policy of these credentials denies it: change it where the session is created (a "
        "program that assumes the role, or the permission set of IAM Identity Center)" + _NO_POLICY_OF_OURS,
    ),
    Denial(
        "vpc endpoint polic",
        "the policy of the VPC endpoint through which this machine reaches AWS denies it: an administrator "
        "of the VPC can change it; or use another network",
    ),
    # STS, AssumeRole with a wrong or a used code.
    Denial(
        "MultiFactorAuthentication failed",
        "the MFA code was wrong, has expired or was used already: run the command again with the next code",
    ),
    Denial(
        "role trust polic|perform: sts:(AssumeRole|TagSession|SetSourceIdentity)",
        "the role's trust policy, or a policy of the user that assumes it, does not allow it: an "
        "administrator of the role's account can change them; role_arn in profile {profile} of {config_file} "
        "names the role",
    ),
    Denial(
        r"perform: kms:|\bkms key\b|ciphertext refers to",
        "the KMS key does not allow it: an administrator of the key can add this user or role to the key's "
        "policy, or a policy can allow the kms: action for the key",
    ),
    Denial(
        "encoded authorization failure message",
        "`aws sts decode-authorization-message --encoded-message …` shows which policy denies it; {attach}",
    ),
    Denial(
        "resource-based polic",
        "the policy of the resource itself denies it: an administrator of the account can change it",
    ),
    Denial(
        "explicit deny in an identity-based polic",
        "a policy attached to this user or role denies it explicitly: an administrator of the account can "
        "change that policy; if it requires MFA, use a profile with mfa_serial; another policy does not help",
    ),
    # As before 2021, and where AWS does not name the kind.
    Denial(
        "explicit deny",
        "a policy denies it explicitly, which only whoever wrote it can change: one of this user or role, "
        "its permissions boundary, or one of the AWS organization; another policy does not help",
    ),
)

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


def explain_denial(refusal: Refusal, context: ErrorContext) -> ChatError:
    """The error of a call that the caller may not make."""
    attach = _missing_permission(refusal.operation)
    found = (each.hint for each in DENIALS if re.search(each.text, refusal.message, re.I))
    hint = next(found, "{attach}").format(
        attach=attach, profile=context.profile, config_file=context.config_file
    )
    return ChatError(
        f"AWS refuses {refusal.operation}: {refusal.text}",
        hint=hint,
        code="access_denied",
        exit_code=Exit.CONFIG,
    )


def _missing_permission(operation: str) -> str:
    """Which policy allows the call, or what the policy asks of it."""
    if operation in _BOUNDED:
        return (
            "the deploy policy requires a permissions boundary: make a managed policy of what "
            "`nwchatctl policy boundary` prints, and set functions.permissions_boundary to its name"
        )
    if operation in _OF_DOMAINS:
        return _ATTACH.format(name="domain")
    if operation in _OF_LOGGING:
        return _ATTACH.format(name="logging")
    return _ATTACH.format(name="deploy")
