"""Chooses the certificate of a name: the configured one, one in ACM, or a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nwchatctl.deploy.domains.facts import (
    PENDING,
    DomainConfig,
    DomainFacts,
    FoundCertificate,
    covers,
    own_certificate,
)
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.domains import Domain
from nwchatctl.errors import ChatError

_STATES = {
    PENDING: ("certificate_pending", "waits for its validation"),
    "INACTIVE": ("certificate_inactive", "is inactive"),
    "VALIDATION_TIMED_OUT": ("certificate_timed_out", "was not validated within 72 hours"),
    "REVOKED": ("certificate_revoked", "was revoked"),
    "FAILED": ("certificate_failed", "was refused by its authority"),
}
"""The error of a configured certificate, by ACM's status; not for issued and expired ones."""

_UNUSABLE = {
    "private": "is a private authority's, which browsers do not trust",
    "acme": "was issued over ACME, so that its key is not ACM's, and API Gateway cannot use it",
    "cloudfront": "is managed by CloudFront, and nobody else can use it",
}
"""Why a configured certificate can never be used; the error's code is `certificate_` and the key."""

MAX_CHARS = 64
"""The maximum length of the name that a certificate is requested for (RequestCertificate, DomainName)."""


@dataclass(frozen=True, slots=True)
class CertificateChoice:
    """A chosen certificate. `source` is given, found or requested. `found` is None if it has yet to be
    requested; `own`: the tool requested it, and keeps it."""

    source: str
    found: FoundCertificate | None
    own: bool


def choose_certificate(
    want: DomainConfig,
    domain: Domain | None,
    facts: DomainFacts,
    location: Location,
    own: Mapping[str, str],
    now_ms: int,
) -> CertificateChoice:
    """The certificate for `want`, whose live domain is `domain`.

    Raises ChatError if a configured certificate cannot be used, each reason with its own code, or if none can
    be requested for the name.
    """
    if want.certificate_arn:
        given = _given_certificate(want, facts, location, now_ms)
        return CertificateChoice("given", given, given == own_certificate(want.name, facts, own))
    good = [
        each
        for each in facts.certificates
        if each.is_usable(now_ms) and any(covers(one, want.name) for one in each.covers)
    ]
    current = domain.certificate if domain else ""
    own_found = own_certificate(want.name, facts, own)
    best = min(good, key=lambda each: _rank(each, want.name, current, own_found), default=None)
    if best is not None:
        return CertificateChoice("requested" if best == own_found else "found", best, best == own_found)
    if own_found is None and len(want.name) > MAX_CHARS:
        raise ChatError(
            f"{want.name} is longer than the {MAX_CHARS} characters that a certificate of its own may have",
            hint=f"request a wildcard certificate in ACM and set {want.section}.certificate_arn to it, "
            f"or set {want.setting} to a shorter name",
            code="certificate_name_too_long",
        )
    return CertificateChoice("requested", own_found, True)


def _rank(
    each: FoundCertificate, name: str, current: str, own_found: FoundCertificate | None
) -> tuple[bool, bool, bool, int, str]:
    """The rank of a certificate. The one in use is kept, so that two equal ones do not alternate; then the
    chat's own, then one made for the name, then the one that is valid longest."""
    return (
        each.arn != current,
        each != own_found,
        name not in {one.lower() for one in each.covers},
        -(each.not_after_ms or 0),
        each.arn,
    )


def _given_certificate(
    want: DomainConfig, facts: DomainFacts, location: Location, now_ms: int
) -> FoundCertificate:
    arn, setting = want.certificate_arn, f"{want.section}.certificate_arn"
    _, _, _, region, account, _ = arn.split(":", 5)
    fix = f"set {setting} to one in {location.region}, or to nothing, so that one is found or requested"
    if region != location.region:
        raise ChatError(
            f"the certificate for {want.name} is in {region}, the API in {location.region}",
            hint=f"set {setting} to one in {location.region}",
            code="certificate_region",
        )
    if account != location.account:
        raise ChatError(
            f"the certificate for {want.name} is account {account}'s, the API {location.account}'s",
            hint=fix,
            code="certificate_account",
        )
    found = next((each for each in facts.certificates if each.arn == arn), None)
    if found is None:
        raise ChatError(f"there is no certificate {arn}", hint=fix, code="certificate_missing")
    if found.unusable:
        code = f"certificate_{found.unusable}"
        raise ChatError(f"the certificate {arn} {_UNUSABLE[found.unusable]}", hint=fix, code=code)
    if found.is_expired(now_ms):
        raise ChatError(f"the certificate {arn} has expired", hint=fix, code="certificate_expired")
    if not any(covers(each, want.name) for each in found.covers):
        raise ChatError(
            f"the certificate {arn} is for {', '.join(found.covers)}, and not for {want.name}",
            hint=fix,
            code="certificate_name",
        )
    if not found.is_usable(now_ms):
        code, words = _STATES.get(found.status, ("certificate_status", f"is {found.status}"))
        records = "; ".join(f"{name} CNAME {value}" for name, value in found.validation)
        if records and found.status == PENDING:
            fix = f"create {records}, wait until ACM has seen it, or {fix}"
        raise ChatError(f"the certificate {arn} {words}", hint=fix, code=code)
    return found
