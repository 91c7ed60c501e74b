"""What ACM says of a certificate, in words of ours: of a summary (ListCertificates) or of all of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nwchatctl.deploy.domains.facts import FoundCertificate, covers
from nwchatctl.deploy.model.string_map import StringMap

WROTE = "nwchat:validation-zone"
"""The tag that names the hosted zone into which we wrote a certificate's validation record. One that stood
there before is another certificate's as well: ACM asks for the same record for the same name and account."""


def asked(about: Any) -> StringMap:
    """The records that ACM wants, (name, value) without the dots at their ends."""
    records = [each.get("ResourceRecord") for each in about.get("DomainValidationOptions", [])]
    return tuple(
        dict.fromkeys((each["Name"].rstrip("."), each["Value"].rstrip(".")) for each in records if each)
    )


def cut(summary: Any) -> bool:
    """Whether a summary names not all that the certificate covers."""
    return bool(summary.get("HasAdditionalSubjectAlternativeNames"))


def names(about: Any) -> tuple[str, ...]:
    """What it is for; of a summary the first hundred."""
    others = about.get("SubjectAlternativeNames") or about.get("SubjectAlternativeNameSummaries") or ()
    return tuple(dict.fromkeys((about["DomainName"], *others)))


def users(about: Any) -> tuple[str, ...]:
    """The ARNs of what is in this account and uses the certificate, but for domains of API Gateway's: these
    use it by load balancers in an account of AWS's."""
    account = about["CertificateArn"].split(":")[4] if about else ""
    parts = {arn: [*arn.split(":"), *[""] * 5] for arn in about.get("InUseBy", [])}
    return tuple(arn for arn, each in parts.items() if each[4] == account and each[2] != "apigateway")


def unusable(about: Any) -> str:
    """As `FoundCertificate.unusable`."""
    if about.get("Type") == "PRIVATE":
        return "private"
    if about.get("CertificateKeyPairOrigin") == "ACME":
        return "acme"
    return "cloudfront" if about.get("ManagedBy") == "CLOUDFRONT" else ""


def concerns(about: Any, wanted: frozenset[str]) -> bool:
    """Whether it covers one of the names that are wanted."""
    return any(covers(each, name) for each in names(about) for name in wanted)


def found(about: Any, tags: StringMap) -> FoundCertificate:
    """All of it, with `tags` as ACM has them."""
    until = about.get("NotAfter")
    wrote = dict(tags).get(WROTE, "")
    return FoundCertificate(
        arn=about["CertificateArn"],
        name=about["DomainName"],
        covers=names(about),
        status=about["Status"],
        not_after_ms=int(until.timestamp() * 1000) if isinstance(until, datetime) else None,
        tags=tuple(each for each in tags if each[0] != WROTE),
        validation=asked(about),
        stands_in=wrote,
        record=bool(wrote),
        unusable=unusable(about),
        shared=bool(users(about)),
    )
