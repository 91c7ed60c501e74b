"""What AWS has of the names that are wanted, or that are ours: read side by side, and only what is needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from nwchatctl.aws.core.errors import denied
from nwchatctl.aws.core.parallel import StartRead
from nwchatctl.deploy.domains.facts import (
    NO_ZONE,
    DomainConfig,
    DomainFacts,
    FoundCertificate,
    names_below,
    within,
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
    """The facts, but for which mapped APIs are ours and which are gone (`about_apis`).

    ACM and Route 53 are asked only when a name is wanted or a domain of ours is there, or where names were
    `requested`: a certificate of ours may be left of them. Where there is none of that, not being allowed to
    list domains is no error: then nothing is known.
    """
    early = bool(wanted or requested)
    listing = start(_domains, domains, needed=early)
    begun = (start(certificates().every), start(zones().every)) if early else None
    found = listing()
    if found is None:
        return DomainFacts(denied=True)
    names = {*requested, *(each.name for each in wanted)}
    names |= {each.name for each in found if has_tags(each.tags, own)}
    if not names:
        return DomainFacts(found)
    mapped = [start(domains.mappings, each) for each in sorted(names & {each.name for each in found})]
    begun = begun or (start(certificates().every), start(zones().every))
    arns = frozenset(
        {each.certificate_arn for each in wanted} | {each.certificate for each in found if each.name in names}
    )
    listed = begun[0]()
    # One of another Region or account is not listed, and nothing that ACM could be asked about.
    arns &= {each["CertificateArn"] for each in listed}
    reading = start(certificates().read, listed, frozenset(names), arns, start)
    hosted = begun[1]()
    hands_off = {each.name for each in wanted if each.zone_id == NO_ZONE}
    records = [
        start(zones().at, zone, name)
        for zone, name in sorted(
            {
                (each.id, one)
                for name in names - hands_off
                for each in hosted
                if not each.private and within(name, each.name)
                # Any of those between may be delegated.
                for one in (name, *names_below(each.name, name))
            }
        )
    ]
    zone_of: dict[str, str] = {each.name: "" for each in wanted} | zones_of(wanted, hosted)
    looked = [start(_stands, each, zones(), zone_of.get(each.name, each.stands_in)) for each in reading()]
    return DomainFacts(
        domains=found,
        mappings=tuple(each for one in mapped for each in one()),
        certificates=tuple(each() for each in looked),
        zones=hosted,
        records=tuple(each for one in records for each in one()),
    )


def about_apis(facts: DomainFacts, chat: str, history: str, there: Callable[[str], bool]) -> DomainFacts:
    """`facts` with what is known of the mapped APIs: `chat` and `history` are ours, "" for none; `there`
    tells whether one exists."""
    apis = frozenset({chat, history} - {""})
    mappings = tuple(
        dataclasses.replace(each, gone=each.api not in apis and not there(each.api))
        for each in facts.mappings
    )
    return dataclasses.replace(facts, mappings=mappings, apis=apis, history=history)


def _domains(domains: Domains, *, needed: bool) -> tuple[Domain, ...] | None:
    """All domains; None where they are not `needed`, and not to be seen."""
    try:
        return domains.every()
    except ClientError as error:
        if needed or not denied(error):
            raise
        return None


def _stands(certificate: FoundCertificate, zones: Zones, zone: str) -> FoundCertificate:
    """The certificate with whether its validation records stand in `zone`, which is the wanted one, or where
    we wrote them for a name that is not wanted any more; "" for none."""
    asked = certificate.validation if certificate.tags and zone else ()
    if not asked or not all(zones.stands(zone, *each) for each in asked):
        return dataclasses.replace(certificate, stands_in="", record=False)
    return dataclasses.replace(certificate, stands_in=zone, record=certificate.stands_in == zone)
