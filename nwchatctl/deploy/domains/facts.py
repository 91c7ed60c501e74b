"""The configured domain names, what AWS has about them, and which of it belongs to the chat.

A certificate and a domain are recognised by their tags, a mapping by its domain. A record has no tags: an
alias record belongs to the chat if its target is a domain of the chat. So does a stray one: its target is one
of API Gateway's in this Region that no domain of this account has, and the name's domain is the chat's or
does not exist. It remains if a domain is deleted by hand, because a new domain gets another target. It is
updated once the chat's domain is created, which AWS refuses while another account has one with that name; and
a destroy without a domain keeps it, because that other account may use it with the zone here.
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
    from nwchatctl.deploy.location import Location

ISSUED, PENDING = "ISSUED", "PENDING_VALIDATION"
"""ACM's status of a usable certificate, and of one that waits for its validation record."""

NO_ZONE = "none"
"""The setting for a name whose DNS is not in Route 53."""


@dataclass(frozen=True, slots=True)
class DomainConfig:
    """A configured name. `api` is an API's id or its placeholder; `setting` is the setting with the name."""

    name: str
    certificate_arn: str
    zone_id: str
    dual_stack: bool
    api: str
    stage: str
    setting: str

    @property
    def section(self) -> str:
        """The section of that setting, with the name's other settings."""
        return self.setting.partition(".")[0]


def domain_configs(settings: Settings) -> tuple[DomainConfig, ...]:
    """The configured names: the only place that knows which API answers on which name."""
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
    """A certificate of this account and Region in ACM. `not_after_ms` is None if it has not been issued yet.

    `validation` are the (name, value) of the CNAMEs that ACM requires, read for the chat's own.
    `validation_zone` is the hosted zone that has them, "" for none, and `record` says whether the tool
    created them there. `unusable` is "" if API Gateway accepts the certificate and browsers trust it, else
    the reason: private, acme or cloudfront. `shared` (read for the chat's own): another resource of this
    account uses it that is not an API Gateway domain.
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
        """Whether the certificate can be used now."""
        return self.status == ISSUED and not self.unusable and not self.is_expired(now_ms)

    def is_expired(self, now_ms: int) -> bool:
        """Whether the certificate has expired, whatever its status."""
        is_past = self.not_after_ms is not None and self.not_after_ms <= now_ms
        return self.status == "EXPIRED" or is_past


@dataclass(frozen=True, slots=True)
class FoundMapping:
    """A mapping of a domain; `api_deleted`: its API does not exist any more."""

    domain: str
    key: str
    api: str
    stage: str
    api_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Zone:
    """A hosted zone; `name` has no trailing dot."""

    id: str
    name: str
    private: bool


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record set. `target` is "" unless it is an alias; `values` is empty if it is.

    `plain`: it is the only one of its type, without a routing policy or a health check.
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
    """AWS's data about domain names. `domains` are all of this account and Region; certificates, mappings and
    records are those of configured names and of the chat's domains. `apis` are the ids of the chat's APIs,
    `history` is the history API's. `denied`: reading was not permitted."""

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

    >>> is_within("chat.example.com", "example.com"), is_within("chat.badexample.com", "example.com")
    (True, False)
    """
    return name == zone or name.endswith("." + zone)


def names_below(zone: str, name: str) -> tuple[str, ...]:
    """The names in `zone` on the path to `name`, including it: another zone may begin at each of them.

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


def is_gateway_target(target: str, location: Location) -> bool:
    """Whether `target` is an API Gateway address of a regional domain in the chat's Region."""
    return bool(re.fullmatch(rf"[a-z0-9-]+\.{re.escape(location.gateway_domain)}", target))


def is_own_record(
    record: FoundRecord, facts: DomainFacts, own: Mapping[str, str], location: Location
) -> bool:
    """Whether the chat may change a record; see the module's description."""
    if not (record.plain and record.target and record.type in ("A", "AAAA")):
        return False
    domain = next((each for each in facts.domains if each.name == record.name), None)
    if domain is not None and not has_tags(domain.tags, own):
        return False
    if domain is not None and domain.target == record.target:
        return True
    is_used = any(each.target == record.target for each in facts.domains)
    return is_gateway_target(record.target, location) and not is_used


def mapped_by_others(domain: str, facts: DomainFacts) -> tuple[FoundMapping, ...]:
    """The mappings of a domain to existing APIs that are not the chat's."""
    return tuple(
        each
        for each in facts.mappings
        if each.domain == domain and not each.api_deleted and each.api not in facts.apis
    )


def live_resources(
    facts: DomainFacts, wanted_zones: Mapping[str, str], own: Mapping[str, str], location: Location
) -> list[Resource]:
    """The resources in `facts` that belong to the chat. `wanted_zones` maps a name to the zone of its desired
    records."""
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
            if is_own_record(each, facts, own, location)
        ),
    ]


def own_certificate(name: str, facts: DomainFacts, own: Mapping[str, str]) -> FoundCertificate | None:
    """The certificate that the chat requested for `name` and uses: issued, or still pending."""
    used = {each.certificate for each in facts.domains if each.name == name}
    found = [
        each
        for each in facts.certificates
        if each.name == name and has_tags(each.tags, own) and each.status in (ISSUED, PENDING)
    ]
    return min(found, key=lambda each: (each.status != ISSUED, each.arn not in used, each.arn), default=None)


def _certificates(facts: DomainFacts, own: Mapping[str, str]) -> list[Certificate]:
    """The chat's certificates. The name of a duplicate also has its id, so that it is deleted."""
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
    """The resources of the chat that must not be deleted: a domain that maps another owner's API, its
    certificate and its records; a certificate that another resource uses; and a stray alias record without a
    domain, live or `wanted`, because it may be another account's."""
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
