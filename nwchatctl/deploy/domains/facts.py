"""The names that the operator's APIs answer on: which are wanted, what AWS has of them, what of it is ours.

A certificate and a domain are known by their tags, a mapping by its domain. A record has no tags: an alias
is ours that leads to a domain of ours. So is one that leads nowhere: to a target of API Gateway's in our own
Region that no domain of this account has, while the name's domain is ours or is not there. It is what is left
when a domain was deleted by hand, as another one gets another target. It is changed once our own domain has
been made, which AWS refuses while another account has one of that name; and a destroy that finds no domain
leaves it alone, because that account may have it, and the zone here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.desired.history_api import STAGE as HISTORY_STAGE
from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain, record_name
from nwchatctl.deploy.model.placeholders import API_ID, HISTORY_API_ID
from nwchatctl.deploy.model.state import Key, Resource, State, key
from nwchatctl.deploy.model.string_map import StringMap, has_tags

if TYPE_CHECKING:
    from nwchatctl.config import Settings

ISSUED, PENDING = "ISSUED", "PENDING_VALIDATION"
"""ACM's words for a certificate that can be used, and for one whose validation record it waits for."""

NO_ZONE = "none"
"""The setting that says that DNS lives elsewhere."""


@dataclass(frozen=True, slots=True)
class DomainConfig:
    """A name as configured. `api` is an API's id or its token; `setting` is what the name is set by."""

    name: str
    certificate_arn: str
    zone_id: str
    dual_stack: bool
    api: str
    stage: str
    setting: str

    @property
    def section(self) -> str:
        """The settings' section that the name's others are in."""
        return self.setting.partition(".")[0]


def domain_configs(settings: Settings) -> tuple[DomainConfig, ...]:
    """The names that are configured: the one place that knows which API answers on which."""
    chat, history, stage = settings.domain, settings.history, settings.stage.name
    dual_stack = chat.dual_stack
    names = []
    if chat.name:
        names.append(
            DomainConfig(
                chat.name, chat.certificate_arn, chat.zone_id, dual_stack, API_ID, stage, "domain.name"
            )
        )
    if history.enabled and history.domain:
        own = (history.domain, history.certificate_arn, history.zone_id, dual_stack)
        names.append(DomainConfig(*own, HISTORY_API_ID, HISTORY_STAGE, "history.domain"))
    return tuple(names)


@dataclass(frozen=True, slots=True)
class FoundCertificate:
    """A certificate of ACM's in this account and Region. `not_after_ms` is None where it has none yet.

    `validation` are (name, value) of the CNAMEs that ACM asks for, known of our own. `validation_zone` is the
    hosted zone where these are, "" for none, and `record` whether the tool wrote them there. `unusable` is
    "" of one that API Gateway takes and browsers trust, else why not: private, acme or cloudfront. `shared`
    (known of our own): something of this account's uses it that is no domain of API Gateway's.
    """

    arn: str
    name: str
    covers: tuple[str, ...]
    status: str
    not_after_ms: int | None
    tags: StringMap = ()
    validation: StringMap = ()
    validation_zone: str = ""
    record: bool = False
    unusable: str = ""
    shared: bool = False

    def is_usable(self, now_ms: int) -> bool:
        """Whether it can be used now."""
        return self.status == ISSUED and not self.unusable and not self.is_expired(now_ms)

    def is_expired(self, now_ms: int) -> bool:
        """Whether its time is over, whatever its status says yet."""
        is_past = self.not_after_ms is not None and self.not_after_ms <= now_ms
        return self.status == "EXPIRED" or is_past


@dataclass(frozen=True, slots=True)
class FoundMapping:
    """A mapping of a domain; `api_deleted`: there is no API of that id any more."""

    domain: str
    key: str
    api: str
    stage: str
    api_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Zone:
    """A hosted zone; `name` without the dot at its end."""

    id: str
    name: str
    private: bool


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """What stands at a name in a zone. `target` is "" of what is no alias; `values` of what is.

    `plain`: it is the only one of its type, neither weighted nor bound to a health check or the like.
    """

    zone: str
    name: str
    type: str
    target: str
    target_zone: str
    evaluate_health: bool
    plain: bool
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What AWS has that is about names. `domains` are all of this account and Region; certificates, mappings
    and records are those that concern a name that is wanted, or a domain of ours. `apis`: the ids of ours,
    of which `history` is the history API's. `denied`: nothing of it was to be read."""

    domains: tuple[Domain, ...] = ()
    mappings: tuple[FoundMapping, ...] = ()
    certificates: tuple[FoundCertificate, ...] = ()
    zones: tuple[Zone, ...] = ()
    records: tuple[FoundRecord, ...] = ()
    apis: frozenset[str] = frozenset()
    history: str = ""
    denied: bool = False


def is_within(name: str, zone: str) -> bool:
    """Whether `name` is `zone` or lies in it, label by label.

    >>> within("chat.example.com", "example.com"), within("chat.badexample.com", "example.com")
    (True, False)
    """
    return name == zone or name.endswith("." + zone)


def names_below(zone: str, name: str) -> tuple[str, ...]:
    """The names in `zone` that lead to `name`, with it: another zone may begin at each of them.

    >>> names_below("example.com", "chat.team.example.com")
    ('chat.team.example.com', 'team.example.com')
    """
    labels = name.removesuffix(zone).rstrip(".").split(".")
    return tuple(f"{'.'.join(labels[at:])}.{zone}" for at in range(len(labels)) if labels[at])


def covers(pattern: str, name: str) -> bool:
    """Whether a certificate's name covers `name`: it is the same, or its `*` stands for one label.

    >>> covers("*.example.com", "chat.example.com"), covers("*.example.com", "a.chat.example.com")
    (True, False)
    """
    first, _, rest = name.partition(".")
    return pattern.lower() in (name, f"*.{rest}") and bool(first)


def is_gateway_target(target: str, region: str) -> bool:
    """Whether `target` is where API Gateway answers for some regional domain of `region`."""
    return bool(re.fullmatch(rf"[a-z0-9-]+\.execute-api\.{region}\.amazonaws\.com(\.cn)?", target))


def is_own_record(record: FoundRecord, facts: DomainFacts, own: Mapping[str, str], region: str) -> bool:
    """Whether a record is the chat's to change, as the module says."""
    if not (record.plain and record.target and record.type in ("A", "AAAA")):
        return False
    domain = next((each for each in facts.domains if each.name == record.name), None)
    if domain is not None and not has_tags(domain.tags, own):
        return False
    if domain is not None and domain.target == record.target:
        return True
    is_used = any(each.target == record.target for each in facts.domains)
    return is_gateway_target(record.target, region) and not is_used


def mapped_by_others(domain: str, facts: DomainFacts) -> tuple[FoundMapping, ...]:
    """The mappings of a domain that lead to an API which is there and not ours."""
    return tuple(
        each
        for each in facts.mappings
        if each.domain == domain and not each.api_deleted and each.api not in facts.apis
    )


def live_resources(
    facts: DomainFacts, wanted_zones: Mapping[str, str], own: Mapping[str, str], region: str
) -> list[Resource]:
    """What of `facts` is ours. `wanted_zones` says in which zone a name's records are wanted, if in one."""
    domains = [each for each in facts.domains if has_tags(each.tags, own)]
    names = {each.name for each in domains}
    return [
        *(dataclasses.replace(each, shared=bool(mapped_by_others(each.name, facts))) for each in domains),
        *(
            ApiMapping(each.domain, each.api, each.stage)
            for each in facts.mappings
            if each.domain in names and not each.key and (each.api_deleted or each.api in facts.apis)
        ),
        *_certificates(facts, own),
        *(
            _record(each, wanted_zones.get(each.name), stray=each.name not in names)
            for each in facts.records
            if is_own_record(each, facts, own, region)
        ),
    ]


def own_certificate(name: str, facts: DomainFacts, own: Mapping[str, str]) -> FoundCertificate | None:
    """Of the certificates that we requested for `name` the one that counts: that is issued, or may yet be."""
    used = {each.certificate for each in facts.domains if each.name == name}
    found = [
        each
        for each in facts.certificates
        if each.name == name and has_tags(each.tags, own) and each.status in (ISSUED, PENDING)
    ]
    return min(found, key=lambda each: (each.status != ISSUED, each.arn not in used, each.arn), default=None)


def _certificates(facts: DomainFacts, own: Mapping[str, str]) -> list[Certificate]:
    """Our certificates. One that does not count bears its own id as well, and is to go."""
    return [
        Certificate(
            name=each.name
            if each == own_certificate(each.name, facts, own)
            else f"{each.name} {each.arn.rpartition('/')[2]}",
            covers=each.covers,
            status=each.status,
            validation_zone=each.validation_zone,
            tags=each.tags,
            arn=each.arn,
            record=each.record,
            shared=each.shared,
        )
        for each in facts.certificates
        if has_tags(each.tags, own)
    ]


def _record(found: FoundRecord, zone: str | None, *, stray: bool) -> DnsRecord:
    name = record_name(found.name, found.type)
    elsewhere = zone not in (None, found.zone)
    return DnsRecord(
        name=f"{name} in {found.zone}" if elsewhere else name,
        domain=found.name,
        type=found.type,
        zone=found.zone,
        target=found.target,
        target_zone=found.target_zone,
        evaluate_health=found.evaluate_health,
        stray=stray,
    )


def kept_keys(live: State, wanted: State) -> frozenset[Key]:
    """What must not go, though it is ours: a domain that somebody mapped another API to, its certificate
    and its records; a certificate that something else uses too; and an alias that leads nowhere while there
    is no domain, nor one `wanted`, which may be another's."""
    shared = [each for each in live.values() if isinstance(each, Domain) and each.shared]
    names, arns = {each.name for each in shared}, {each.certificate for each in shared}
    made = {each.name for each in wanted.values() if isinstance(each, Domain)}
    return frozenset(key(each) for each in live.values() if _is_kept(each, names, arns, made))


def _is_kept(resource: Resource, names: Iterable[str], arns: Iterable[str], made: Iterable[str]) -> bool:
    match resource:
        case Domain():
            return resource.name in names
        case Certificate():
            return resource.shared or resource.arn in arns
        case DnsRecord():
            return resource.domain in names or (resource.stray and resource.domain not in made)
        case _:
            return False
