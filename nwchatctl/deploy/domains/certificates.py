"""Which certificate a name gets: the one that is given, one that ACM has, or one that we request."""

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
"""The error of a given certificate in each of ACM's states but those of a good and of an expired one."""

_UNUSABLE = {
    "private": "is a private authority's, which browsers do not trust",
    "acme": "was issued over ACME, so that its key is not ACM's, and API Gateway cannot use it",
    "cloudfront": "is managed by CloudFront, and nobody else can use it",
}
"""Why a given certificate can never be used; the error's code is `certificate_` and the word."""

MOST_CHARS = 64
"""Of the name that a certificate is requested for (RequestCertificate, DomainName)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`source` is given, found or requested. `found` is None where one has yet to be requested; `own`:
    whether it is one that we requested, and keep."""

    source: str
    found: FoundCertificate | None
    own: bool


def chosen(
    want: DomainConfig,
    domain: Domain | None,
    facts: DomainFacts,
    place: Location,
    own: Mapping[str, str],
    now_ms: int,
) -> Choice:
    """The certificate for `want`, whose live domain is `domain`.

    Raises ChatError for a given one that will not do, each reason with its own code, and for a name that
    none can be requested for.
    """
    if want.certificate_arn:
        given = _given(want, facts, place, now_ms)
        return Choice("given", given, given == own_certificate(want.name, facts, own))
    good = [
        each
        for each in facts.certificates
        if each.good(now_ms) and any(covers(one, want.name) for one in each.covers)
    ]
    current = domain.certificate if domain else ""
    mine = own_certificate(want.name, facts, own)
    best = min(good, key=lambda each: _rank(each, want.name, current, mine), default=None)
    if best is not None:
        return Choice("requested" if best == mine else "found", best, best == mine)
    if mine is None and len(want.name) > MOST_CHARS:
        raise ChatError(
            f"{want.name} is longer than the {MOST_CHARS} characters that a certificate of its own may have",
            hint=f"request a wildcard certificate in ACM and set {want.section}.certificate_arn to it, "
            f"or set {want.setting} to a shorter name",
            code="certificate_name_too_long",
        )
    return Choice("requested", mine, True)


def _rank(
    each: FoundCertificate, name: str, current: str, mine: FoundCertificate | None
) -> tuple[bool, bool, bool, int, str]:
    """What is in use stays, so that two that are as good do not take turns; then ours, then one made for
    the name, then the one that is valid longest."""
    return (
        each.arn != current,
        each != mine,
        name not in {one.lower() for one in each.covers},
        -(each.not_after_ms or 0),
        each.arn,
    )


def _given(want: DomainConfig, facts: DomainFacts, place: Location, now_ms: int) -> FoundCertificate:
    arn, setting = want.certificate_arn, f"{want.section}.certificate_arn"
    _, _, _, region, account, _ = arn.split(":", 5)
    mend = f"set {setting} to one in {place.region}, or to nothing, so that one is found or requested"
    if region != place.region:
        raise ChatError(
            f"the certificate for {want.name} is in {region}, the API in {place.region}",
            hint=f"set {setting} to one in {place.region}",
            code="certificate_region",
        )
    if account != place.account:
        raise ChatError(
            f"the certificate for {want.name} is account {account}'s, the API {place.account}'s",
            hint=mend,
            code="certificate_account",
        )
    found = next((each for each in facts.certificates if each.arn == arn), None)
    if found is None:
        raise ChatError(f"there is no certificate {arn}", hint=mend, code="certificate_missing")
    if found.unusable:
        code = f"certificate_{found.unusable}"
        raise ChatError(f"the certificate {arn} {_UNUSABLE[found.unusable]}", hint=mend, code=code)
    if found.expired(now_ms):
        raise ChatError(f"the certificate {arn} has expired", hint=mend, code="certificate_expired")
    if not any(covers(each, want.name) for each in found.covers):
        raise ChatError(
            f"the certificate {arn} is for {', '.join(found.covers)}, and not for {want.name}",
            hint=mend,
            code="certificate_name",
        )
    if not found.good(now_ms):
        code, words = _STATES.get(found.status, ("certificate_status", f"is {found.status}"))
        records = "; ".join(f"{name} CNAME {value}" for name, value in found.validation)
        if records and found.status == PENDING:
            mend = f"create {records}, wait until ACM has seen it, or {mend}"
        raise ChatError(f"the certificate {arn} {words}", hint=mend, code=code)
    return found
