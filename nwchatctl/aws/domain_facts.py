"""Reads what AWS has about configured and own domain names, in parallel, and only what is needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from nwchatctl.aws.core.errors import is_denied
from nwchatctl.aws.core.parallel import StartRead
from nwchatctl.deploy.domains.facts import (
    NO_ZONE,
    DomainConfig,
    DomainFacts,
    FoundCertificate,
    is_within,
    names_below,
)
from nwchatctl.deploy.domains.zones import zones_of
from nwchatctl.deploy.model.string_map import has_tags

if TYPE_CHECKING:
    from nwchatctl.aws.acm import Certificates
    from nwchatctl.aws.apigateway.domain_names import Domains
    from nwchatctl.aws.route53 import Zones
    from nwchatctl.deploy.model.domains import Domain


def read(
    domains: Domains,
    certificates: Callable[[], Certificates],
    zones: Callable[[], Zones],
    wanted: Sequence[DomainConfig],
    own: Mapping[str, str],
    start: StartRead,
    requested: frozenset[str] = frozenset(),
) -> DomainFacts:
    """The facts, without those about mapped APIs (`with_api_facts` adds them).

    ACM and Route 53 are read only if a name is configured, the chat has a domain, or there are `requested`
    names: a certificate may exist for them. If none of these is so, a denied ListDomains is no error: the
    result then says `denied`.
    """
    start_early = bool(wanted or requested)
    domain_read = start(_list_domains, domains, needed=start_early)
    listings = (start(certificates().list_all), start(zones().list_all)) if start_early else None
    found = domain_read()
    if found is None:
        return DomainFacts(denied=True)
    names = {*requested, *(each.name for each in wanted)}
    names |= {each.name for each in found if has_tags(each.tags, own)}
    if not names:
        return DomainFacts(found)
    mapping_reads = [start(domains.mappings, each) for each in sorted(names & {each.name for each in found})]
    listings = listings or (start(certificates().list_all), start(zones().list_all))
    arns = frozenset(
        {each.certificate_arn for each in wanted} | {each.certificate for each in found if each.name in names}
    )
    summaries = listings[0]()
    # An ARN of another Region or account is not listed, and DescribeCertificate cannot read it.
    arns &= {each["CertificateArn"] for each in summaries}
    certificates_read = start(certificates().read, summaries, frozenset(names), arns, start)
    hosted_zones = listings[1]()
    unmanaged = {each.name for each in wanted if each.zone_id == NO_ZONE}
    records = [
        start(zones().records_at, zone, name)
        for zone, name in sorted(
            {
                (each.id, one)
                for name in names - unmanaged
                for each in hosted_zones
                if not each.private and is_within(name, each.name)
                # Any name in between may be delegated to another zone.
                for one in (name, *names_below(each.name, name))
            }
        )
    ]
    zone_of: dict[str, str] = {each.name: "" for each in wanted} | zones_of(wanted, hosted_zones)
    checks = [
        start(_with_validation_zone, each, zones(), zone_of.get(each.name, each.validation_zone))
        for each in certificates_read()
    ]
    return DomainFacts(
        domains=found,
        mappings=tuple(each for one in mapping_reads for each in one()),
        certificates=tuple(each() for each in checks),
        zones=hosted_zones,
        records=tuple(each for one in records for each in one()),
    )


def with_api_facts(facts: DomainFacts, chat: str, history: str, exists: Callable[[str], bool]) -> DomainFacts:
    """`facts` with data about the mapped APIs: `chat` and `history` are the ids of the chat's APIs, "" for
    none; `exists` says whether an API exists."""
    apis = frozenset({chat, history} - {""})
    mappings = tuple(
        dataclasses.replace(each, api_deleted=each.api not in apis and not exists(each.api))
        for each in facts.mappings
    )
    return dataclasses.replace(facts, mappings=mappings, apis=apis, history=history)


def _list_domains(domains: Domains, *, needed: bool) -> tuple[Domain, ...] | None:
    """All domains; None if they are not `needed` and may not be read."""
    try:
        return domains.list_all()
    except ClientError as error:
        if needed or not is_denied(error):
            raise
        return None


def _with_validation_zone(certificate: FoundCertificate, zones: Zones, zone: str) -> FoundCertificate:
    """The certificate with its validation zone: `zone` if all its validation records exist there, else "".
    `zone` is the configured zone or, for a name that is no longer configured, the one that the tool wrote to;
    "" for none."""
    records = certificate.validation if certificate.tags and zone else ()
    if not records or not all(zones.has_validation(zone, *each) for each in records):
        return dataclasses.replace(certificate, validation_zone="", record=False)
    return dataclasses.replace(certificate, validation_zone=zone, record=certificate.validation_zone == zone)
