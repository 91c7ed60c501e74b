"""The resources that the chat's domain names need, and the problems that prevent them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nwchatctl.deploy.domains.certificates import CertificateChoice, choose_certificate
from nwchatctl.deploy.domains.facts import (
    ISSUED,
    PENDING,
    DomainConfig,
    DomainFacts,
    FoundCertificate,
    Zone,
    mapped_by_others,
)
from nwchatctl.deploy.domains.zones import refuse_records, zone_for
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain, record_name
from nwchatctl.deploy.model.placeholders import (
    API_ID,
    CERTIFICATE_ARN,
    DOMAIN_TARGET,
    DOMAIN_ZONE,
    HISTORY_API_ID,
)
from nwchatctl.deploy.model.state import Resource, State
from nwchatctl.deploy.model.string_map import StringMap, has_tags
from nwchatctl.errors import ChatError

APEX_LABELS = 2
"""`example.com` is probably the apex of a zone, where a CNAME is not allowed (RFC 1034)."""


@dataclass(frozen=True, slots=True)
class DnsRecordToCreate:
    """A record that the operator has to create in another DNS service; as in `--json`."""

    name: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class DomainPlan:
    """The plan for one name. `certificate` is the chosen one, None if it has yet to be requested; `domain` is
    the live one. `zone` is the id of the hosted zone, "" if DNS is not in Route 53."""

    config: DomainConfig
    source: str
    certificate: FoundCertificate | None
    domain: Domain | None
    mapped: bool
    zone: str
    resources: tuple[Resource, ...]

    def to_create(self, target: str = "") -> tuple[DnsRecordToCreate, ...]:
        """The records to create in another DNS service, as far as they are known; `target` if the domain was
        just created."""
        if self.zone:
            return ()
        found = []
        if self.certificate is not None and self.certificate.status == PENDING:
            found += [DnsRecordToCreate(name, "CNAME", value) for name, value in self.certificate.validation]
        target = target or (self.domain.target if self.domain else "")
        if target:
            apex = self.config.name.count(".") < APEX_LABELS
            found.append(DnsRecordToCreate(self.config.name, "ALIAS" if apex else "CNAME", target))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class DomainPlans:
    """The plans of all names. `resources` are desired; those of a name with a problem stay as they are."""

    plans: tuple[DomainPlan, ...] = ()
    problems: tuple[ChatError, ...] = ()
    resources: tuple[Resource, ...] = ()


def plan_domains(
    wanted: Sequence[DomainConfig],
    facts: DomainFacts,
    live: State,
    location: Location,
    tags: StringMap,
    own: Mapping[str, str],
    now_ms: int,
) -> DomainPlans:
    """The plans for the names. `tags` are the tags of all resources, `own` those that mark a resource as the
    chat's."""
    plans, problems, resources = [], [], list[Resource]()
    for want in wanted:
        try:
            plan = _plan_domain(want, facts, location, tags, own, now_ms)
        except ChatError as problem:
            problems.append(problem)
            resources += [each for each in live.values() if _is_about(each, want.name)]
        else:
            plans.append(plan)
            resources += plan.resources
    return DomainPlans(tuple(plans), tuple(problems), tuple(resources))


def _is_about(resource: Resource, name: str) -> bool:
    match resource:
        case Certificate():
            return resource.name.split(" ")[0] == name
        case Domain() | ApiMapping():
            return resource.name == name
        case DnsRecord():
            return resource.domain == name
        case _:
            return False


def _plan_domain(
    want: DomainConfig,
    facts: DomainFacts,
    location: Location,
    tags: StringMap,
    own: Mapping[str, str],
    now_ms: int,
) -> DomainPlan:
    domain = next((each for each in facts.domains if each.name == want.name), None)
    _refuse_domain(want, domain, location, own)
    _refuse_mapping(want, facts)
    zone = zone_for(want, facts.zones)
    if zone is not None:
        refuse_records(want, zone, facts, own, location)
    choice = choose_certificate(want, domain, facts, location, own, now_ms)
    mapped = any(
        (each.domain, each.key, each.stage) == (want.name, "", want.stage) and each.api in facts.apis
        for each in facts.mappings
    )
    resources = _resources(want, domain, zone, choice, tags)
    found = choice.found
    return DomainPlan(want, choice.source, found, domain, mapped, zone.id if zone else "", resources)


def _refuse_domain(
    want: DomainConfig, domain: Domain | None, location: Location, own: Mapping[str, str]
) -> None:
    if domain is None:
        return
    if has_tags(domain.tags, own):
        if domain.endpoint_type == "EDGE":
            # Its certificate is in us-east-1, and WebSocket APIs cannot be mapped to it.
            raise ChatError(
                f"the domain name {want.name} is edge-optimised, and the chat needs a regional one",
                hint=f"delete it, so that a deploy makes one: aws apigatewayv2 delete-domain-name "
                f"--domain-name {want.name}; or set {want.setting} to another name",
                code="domain_edge",
            )
        return
    arn = f"arn:{location.partition}:apigateway:{location.region}::/domainnames/{want.name}"
    tag_texts = ",".join(f"{name}={value}" for name, value in own.items())
    raise ChatError(
        f"the domain name {want.name} is there already, and not this chat's",
        hint=f"set {want.setting} to another name, or hand it over: "
        f"aws apigatewayv2 tag-resource --resource-arn {arn} --tags {tag_texts}",
        code="domain_taken",
    )


def _refuse_mapping(want: DomainConfig, facts: DomainFacts) -> None:
    for each in mapped_by_others(want.name, facts):
        if not each.key:
            raise ChatError(
                f"{want.name} leads to API {each.api}, stage {each.stage}, which is not this chat's",
                hint=f"set {want.setting} to another name, or delete that mapping: aws apigatewayv2 "
                f"get-api-mappings --domain-name {want.name}",
                code="mapping_taken",
            )
    for each in facts.mappings:
        mapped_api = HISTORY_API_ID if each.api == facts.history else API_ID
        if (each.domain, each.key) == (want.name, "") and each.api in facts.apis and mapped_api != want.api:
            # Done in one step, it would take the name from one API before the other's name is ready.
            raise ChatError(
                f"{want.name} leads to {'the history API' if mapped_api == HISTORY_API_ID else 'the chat'}, "
                f"and {want.setting} wants it for the other one",
                hint=f'deploy with {want.setting} set to "" first, and then with {want.name}',
                code="mapping_other_api",
            )


def _resources(
    want: DomainConfig, domain: Domain | None, zone: Zone | None, choice: CertificateChoice, tags: StringMap
) -> tuple[Resource, ...]:
    made: list[Resource] = []
    if choice.own:
        made.append(Certificate(want.name, (want.name,), ISSUED, zone.id if zone else "", tags))
    made += [
        Domain(
            name=want.name,
            certificate=choice.found.arn if choice.found else CERTIFICATE_ARN,
            endpoint_type="REGIONAL",
            security_policy="TLS_1_2",
            ip_address_type="dualstack" if want.dual_stack else "ipv4",
            mutual_tls="",
            routing_mode="API_MAPPING_ONLY",
            tags=tags,
        ),
        ApiMapping(want.name, want.api, want.stage),
    ]
    if zone is not None:
        made += [
            DnsRecord(
                name=record_name(want.name, type),
                domain=want.name,
                type=type,
                zone=zone.id,
                target=domain.target if domain else DOMAIN_TARGET,
                target_zone=domain.target_zone if domain else DOMAIN_ZONE,
                evaluate_health=False,
            )
            for type in (("A", "AAAA") if want.dual_stack else ("A",))
        ]
    return tuple(made)
