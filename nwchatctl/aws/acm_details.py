"""What ACM reports about a certificate, as model data. `details` is a summary (ListCertificates) or the full
description (DescribeCertificate)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nwchatctl.deploy.domains.facts import FoundCertificate, covers
from nwchatctl.deploy.model.string_map import StringMap

VALIDATION_ZONE_TAG = "nwchat:validation-zone"
"""The tag with the hosted zone in which the tool created a certificate's validation record. A record that
existed before may belong to another certificate: ACM asks for the same record for the same name and
account."""


def validation_records(details: Any) -> StringMap:
    """The CNAME records that ACM requires, as (name, value) without trailing dots."""
    records = [each.get("ResourceRecord") for each in details.get("DomainValidationOptions", [])]
    return tuple(
        dict.fromkeys((each["Name"].rstrip("."), each["Value"].rstrip(".")) for each in records if each)
    )


def is_truncated(summary: Any) -> bool:
    """Whether a summary lists only some of the names that the certificate covers."""
    return bool(summary.get("HasAdditionalSubjectAlternativeNames"))


def domain_names(details: Any) -> tuple[str, ...]:
    """The domain names that the certificate covers; of a summary the first hundred."""
    others = details.get("SubjectAlternativeNames") or details.get("SubjectAlternativeNameSummaries") or ()
    return tuple(dict.fromkeys((details["DomainName"], *others)))


def users_in_account(details: Any) -> tuple[str, ...]:
    """The ARNs of the resources of this account that use the certificate, without API Gateway domains: these
    use it through load balancers in an AWS account."""
    account = details["CertificateArn"].split(":")[4] if details else ""
    parts = {arn: [*arn.split(":"), *[""] * 5] for arn in details.get("InUseBy", [])}
    return tuple(arn for arn, each in parts.items() if each[4] == account and each[2] != "apigateway")


def unusable_reason(details: Any) -> str:
    """The reason as in `FoundCertificate.unusable`; "" if the certificate is usable."""
    if details.get("Type") == "PRIVATE":
        return "private"
    if details.get("CertificateKeyPairOrigin") == "ACME":
        return "acme"
    return "cloudfront" if details.get("ManagedBy") == "CLOUDFRONT" else ""


def covers_any(details: Any, wanted: frozenset[str]) -> bool:
    """Whether the certificate covers one of the names `wanted`."""
    return any(covers(each, name) for each in domain_names(details) for name in wanted)


def found_certificate(details: Any, tags: StringMap) -> FoundCertificate:
    """The certificate as model data; `tags` are its tags as ACM returns them."""
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
