"""What ACM says of a certificate, in words of ours: of a summary (ListCertificates) or of all of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nwchatctl.deploy.domains.facts import FoundCertificate, covers
from nwchatctl.deploy.model.string_map import StringMap

VALIDATION_ZONE_TAG = "nwchat:validation-zone"
"""The tag that names the hosted zone into which we wrote a certificate's validation record. One that stood
there before is another certificate's as well: ACM asks for the same record for the same name and account."""


def validation_records(details: Any) -> StringMap:
    """The records that ACM wants, (name, value) without the dots at their ends."""
    records = [each.get("ResourceRecord") for each in details.get("DomainValidationOptions", [])]
    return tuple(
        dict.fromkeys((each["Name"].rstrip("."), each["Value"].rstrip(".")) for each in records if each)
    )


def is_truncated(summary: Any) -> bool:
    """Whether a summary names not all that the certificate covers."""
    return bool(summary.get("HasAdditionalSubjectAlternativeNames"))


def domain_names(details: Any) -> tuple[str, ...]:
    """What it is for; of a summary the first hundred."""
    others = details.get("SubjectAlternativeNames") or details.get("SubjectAlternativeNameSummaries") or ()
    return tuple(dict.fromkeys((details["DomainName"], *others)))


def users_in_account(details: Any) -> tuple[str, ...]:
    """The ARNs of what is in this account and uses the certificate, but for domains of API Gateway's: these
    use it by load balancers in an account of AWS's."""
    account = details["CertificateArn"].split(":")[4] if details else ""
    parts = {arn: [*arn.split(":"), *[""] * 5] for arn in details.get("InUseBy", [])}
    return tuple(arn for arn, each in parts.items() if each[4] == account and each[2] != "apigateway")


def unusable_reason(details: Any) -> str:
    """As `FoundCertificate.unusable`."""
    if details.get("Type") == "PRIVATE":
        return "private"
    if details.get("CertificateKeyPairOrigin") == "ACME":
        return "acme"
    return "cloudfront" if details.get("ManagedBy") == "CLOUDFRONT" else ""


def covers_any(details: Any, wanted: frozenset[str]) -> bool:
    """Whether it covers one of the names that are wanted."""
    return any(covers(each, name) for each in domain_names(details) for name in wanted)


def found_certificate(details: Any, tags: StringMap) -> FoundCertificate:
    """All of it, with `tags` as ACM has them."""
    expires = details.get("NotAfter")
    written_zone = dict(tags).get(VALIDATION_ZONE_TAG, "")
    return FoundCertificate(
        arn=details["CertificateArn"],
        name=details["DomainName"],
        covers=domain_names(details),
        status=details["Status"],
        not_after_ms=int(expires.timestamp() * 1000) if isinstance(expires, datetime) else None,
        tags=tuple(each for each in tags if each[0] != VALIDATION_ZONE_TAG),
        validation=validation_records(details),
        validation_zone=written_zone,
        record=bool(written_zone),
        unusable=unusable_reason(details),
        shared=bool(users_in_account(details)),
    )
