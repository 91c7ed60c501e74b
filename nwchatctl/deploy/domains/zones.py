"""Finds the hosted zone of a name's records, and checks for conflicting records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from nwchatctl.deploy.domains.facts import (
    NO_ZONE,
    DomainConfig,
    DomainFacts,
    Zone,
    is_own_record,
    is_within,
    names_below,
)
from nwchatctl.deploy.location import Location
from nwchatctl.errors import ChatError

ADDRESSES = ("A", "AAAA", "CNAME")
"""The record types that resolve a name; other types at the name do not matter."""


def zone_for(want: DomainConfig, zones: Sequence[Zone]) -> Zone | None:
    """The zone of `want`'s records, None if DNS is not in Route 53.

    Raises ChatError `zone_missing`, `zone_private`, `zone_name` for a configured zone, `zone_ambiguous` and
    `zone_private_only` if none is configured.
    """
    setting = f"{want.section}.zone_id"
    if want.zone_id == NO_ZONE:
        return None
    if want.zone_id:
        return _given_zone(want, zones, setting)
    matching = [each for each in zones if is_within(want.name, each.name)]
    public = [each for each in matching if not each.private]
    if not public:
        if matching:
            raise ChatError(
                f"only private hosted zones match {want.name}: {', '.join(each.id for each in matching)}",
                hint=f'set {setting} to "none" where its DNS lives elsewhere, or make a public hosted zone',
                code="zone_private_only",
            )
        return None
    longest = max(len(each.name) for each in public)
    best = [each for each in public if len(each.name) == longest]
    if len(best) > 1:
        raise ChatError(
            f"{len(best)} public hosted zones are named {best[0].name}: "
            f"{', '.join(each.id for each in best)}",
            hint=f"set {setting} to the one that the name's registrar leads to",
            code="zone_ambiguous",
        )
    return best[0]


def _given_zone(want: DomainConfig, zones: Sequence[Zone], setting: str) -> Zone:
    fix = f'set {setting} to a public zone that has {want.name} in it, to "" to find it, or to "none"'
    found = next((each for each in zones if each.id == want.zone_id), None)
    if found is None:
        raise ChatError(f"there is no hosted zone {want.zone_id}", hint=fix, code="zone_missing")
    if found.private:
        raise ChatError(
            f"the hosted zone {found.id} ({found.name}) is private: players would not find {want.name}",
            hint=fix,
            code="zone_private",
        )
    if not is_within(want.name, found.name):
        raise ChatError(
            f"the hosted zone {found.id} is {found.name}'s, and {want.name} is not in that",
            hint=fix,
            code="zone_name",
        )
    return found


def zones_of(wanted: Sequence[DomainConfig], zones: Sequence[Zone]) -> dict[str, str]:
    """The zone id of each name that has exactly one."""
    found: dict[str, str] = {}
    for want in wanted:
        try:
            zone = zone_for(want, zones)
        except ChatError:
            continue
        if zone is not None:
            found[want.name] = zone.id
    return found


_GATEWAY = re.compile(r"\.execute-api\.([a-z0-9-]+)\.")
"""The Region in a target of API Gateway."""


def refuse_records(
    want: DomainConfig, zone: Zone, facts: DomainFacts, own: Mapping[str, str], location: Location
) -> None:
    """Raises ChatError `record_taken` if a record of another owner has the name, `zone_delegated` if another
    zone answers for it."""
    records = [each for each in facts.records if (each.zone, each.name) == (zone.id, want.name)]
    below = set(names_below(zone.name, want.name))
    delegated = {
        each.name
        for each in facts.records
        if each.type == "NS" and each.zone == zone.id and each.name in below
    }
    if delegated:
        cut = min(delegated, key=len)
        raise ChatError(
            f"hosted zone {zone.id} ({zone.name}) delegates {cut} to other name servers: nobody "
            "would find what stood here",
            hint=f'set {want.section}.zone_id to the hosted zone of {cut}, or to "none" where its DNS '
            "lives elsewhere",
            code="zone_delegated",
        )
    conflicts = [
        each for each in records if each.type in ADDRESSES and not is_own_record(each, facts, own, location)
    ]
    if conflicts:
        texts = ", ".join(
            f"{each.type} {each.target or ' '.join(each.values)}{'' if each.plain else ' (one of several)'}"
            for each in conflicts
        )
        _refuse_other_region(want, [each.target for each in conflicts], location)
        raise ChatError(
            f"{want.name} leads elsewhere already, by hosted zone {zone.id}: {texts}",
            hint=f"delete that record, or set {want.setting} to another name, "
            f'or {want.section}.zone_id to "none" to leave the zone alone',
            code="record_taken",
        )


def _refuse_other_region(want: DomainConfig, targets: Iterable[str], location: Location) -> None:
    """Raises ChatError `record_taken` if a target is API Gateway's in another Region: a chat there may be
    reached by that record."""
    found = {match[1] for each in targets if (match := _GATEWAY.search(each))}
    if regions := sorted(found - {location.region}):
        raise ChatError(
            f"{want.name} leads to API Gateway in {', '.join(regions)} already",
            hint=f"one name leads to one Region: set {want.setting} to another name here, or, to move "
            "the name, deploy without it there first",
            code="record_taken",
        )
