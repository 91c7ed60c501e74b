"""Custom domain names and their API mappings, as API Gateway spells them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from nwchatctl.aws.apigateway.common import delete_if_exists, pages, retag
from nwchatctl.aws.core.retry import reports_existing, wait_until, with_retries
from nwchatctl.aws.core.tags import from_mapping
from nwchatctl.deploy.domains.facts import FoundMapping
from nwchatctl.deploy.model.domains import ApiMapping, Domain
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

AVAILABLE_SECONDS = 600.0
"""How long API Gateway may take to create a domain or to change its certificate; usually a minute."""

_BLOCKED_STATES = ("PENDING_CERTIFICATE_REIMPORT", "PENDING_OWNERSHIP_VERIFICATION")
"""States that need an action of the operator (DomainNameConfiguration)."""

_DEFAULT_ADDRESSES = "ipv4"
_DEFAULT_ROUTING = "API_MAPPING_ONLY"


class Domains:
    """Reads and changes domain names and their mappings.

    `prefix` is the start of a domain's ARN. `targets` maps a domain that was read or created to its (target,
    hosted zone), `root_mappings` to the (API, stage) of its root.
    """

    def __init__(self, client: ApiGatewayV2Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self.targets: dict[str, tuple[str, str]] = {}
        self.root_mappings: dict[str, tuple[str, str]] = {}

    def list_all(self) -> tuple[Domain, ...]:
        """All domain names of the account in this Region."""
        return tuple(map(self._record_target, pages(self._client.get_domain_names)))

    def mappings(self, domain: str) -> tuple[FoundMapping, ...]:
        """The domain's mappings; none if the domain does not exist."""
        try:
            found = tuple(
                FoundMapping(domain, each.get("ApiMappingKey") or "", each["ApiId"], each["Stage"])
                for each in pages(self._client.get_api_mappings, DomainName=domain)
            )
        except self._client.exceptions.NotFoundException:
            return ()
        for each in found:
            if not each.key:
                self.root_mappings[domain] = (each.api, each.stage)
        return found

    def create(self, domain: Domain, is_own: Callable[[Domain], bool]) -> None:
        """Creates the domain with its tags and waits until it is available; updates an existing domain of the
        chat. `is_own` says whether a domain is the chat's.

        Raises ChatError `domain_taken` or `domain_elsewhere` if the name belongs to another owner or account.
        """
        wanted: Any = {
            "DomainName": domain.name,
            "DomainNameConfigurations": [_configuration(domain)],
            "Tags": dict(domain.tags),
        }
        if domain.routing_mode != _DEFAULT_ROUTING:
            wanted["RoutingMode"] = domain.routing_mode
        try:
            with_retries(self._client.create_domain_name, **wanted)
        except ClientError as error:
            if not reports_existing(error):
                raise
            have = self._read(domain.name)
            if have is None:
                raise ChatError(
                    f"the domain name {domain.name} is another account's in this Region",
                    hint="delete it there, or choose another name",
                    code="domain_elsewhere",
                ) from error
            if not is_own(have):
                raise ChatError(
                    f"the domain name {domain.name} is there already, and not this chat's",
                    hint="run `nwchatctl plan`: it says how to hand it over",
                    code="domain_taken",
                ) from error
            self.update(have, domain)
        self._wait(domain.name)

    def update(self, before: Domain, after: Domain) -> None:
        """Updates what differs, and waits until the domain is available. If only the status differs, it
        continues an earlier wait."""
        wanted: Any = {}
        if _configuration(before) != _configuration(after):
            wanted["DomainNameConfigurations"] = [_configuration(after, before)]
        if before.mutual_tls:
            # "" removes it (UpdateDomainName).
            wanted["MutualTlsAuthentication"] = {"TruststoreUri": ""}
        if before.routing_mode != after.routing_mode:
            wanted["RoutingMode"] = after.routing_mode
        if wanted:
            with_retries(self._client.update_domain_name, DomainName=after.name, **wanted)
        retag(self._client, f"{self._prefix}{after.name}", before.tags, after.tags)
        if wanted or before.status != after.status:
            self._wait(after.name)

    def delete(self, domain: Domain) -> None:
        """Deletes the domain; a missing one is no error."""
        client = self._client
        delete_if_exists(client, client.delete_domain_name, client.get_domain_name, DomainName=domain.name)

    def put_mapping(self, mapping: ApiMapping) -> None:
        """Maps the domain's root to the API and stage, whatever it was mapped to."""
        found = self._find_mapping(mapping.name) or self._create_mapping(mapping)
        if (found["ApiId"], found["Stage"]) != (mapping.api, mapping.stage):
            with_retries(
                self._client.update_api_mapping,
                DomainName=mapping.name,
                ApiMappingId=found["ApiMappingId"],
                ApiId=mapping.api,
                Stage=mapping.stage,
            )
        self.root_mappings[mapping.name] = (mapping.api, mapping.stage)

    def delete_mapping(self, mapping: ApiMapping) -> None:
        """Deletes the mapping; a missing one is no error."""
        self.root_mappings.pop(mapping.name, None)
        try:
            found = self._find_mapping(mapping.name)
            if found is not None:
                with_retries(
                    self._client.delete_api_mapping,
                    DomainName=mapping.name,
                    ApiMappingId=found["ApiMappingId"],
                )
        except self._client.exceptions.NotFoundException:
            return

    def _create_mapping(self, mapping: ApiMapping) -> Any:
        wanted = {"DomainName": mapping.name, "ApiId": mapping.api, "Stage": mapping.stage}
        try:
            return with_retries(self._client.create_api_mapping, **wanted)
        except ClientError as error:
            # An attempt whose response was lost has created it.
            found = self._find_mapping(mapping.name) if reports_existing(error) else None
            if found is None:
                raise
            return found

    def _find_mapping(self, domain: str) -> Any:
        found = pages(self._client.get_api_mappings, DomainName=domain)
        return next((each for each in found if not each.get("ApiMappingKey")), None)

    def _read(self, name: str) -> Domain | None:
        try:
            return self._record_target(with_retries(self._client.get_domain_name, DomainName=name))
        except self._client.exceptions.NotFoundException:
            return None

    def _record_target(self, found: Any) -> Domain:
        domain = _domain(found)
        self.targets[domain.name] = (domain.target, domain.target_zone)
        return domain

    def _wait(self, name: str) -> None:
        def available() -> bool:
            found = self._read(name)
            if found is not None and found.status in _BLOCKED_STATES:
                why = f" ({found.status_message})" if found.status_message else ""
                raise ChatError(
                    f"API Gateway holds the domain name {name} back: {found.status}{why}",
                    hint="see the domain in API Gateway's console: its certificate has to be imported again, "
                    "or its ownership verified",
                    code="domain_unverified",
                )
            return found is not None and found.status == "AVAILABLE"

        wait_until(available, f"the domain name {name} is not available yet", AVAILABLE_SECONDS)


def _configuration(domain: Domain, before: Domain | None = None) -> dict[str, str]:
    """The configuration to send. A parameter that a lagging partition may not know yet is left out while it
    has its default: IpAddressType here, RoutingMode of the domain (both of 2025)."""
    configuration = {
        "CertificateArn": domain.certificate,
        "EndpointType": domain.endpoint_type,
        "SecurityPolicy": domain.security_policy,
    }
    if {domain.ip_address_type, before.ip_address_type if before else ""} - {_DEFAULT_ADDRESSES, ""}:
        configuration["IpAddressType"] = domain.ip_address_type
    return configuration


def _domain(found: Any) -> Domain:
    configured = (found.get("DomainNameConfigurations") or [{}])[0]
    return Domain(
        name=found["DomainName"],
        certificate=configured.get("CertificateArn") or "",
        endpoint_type=configured.get("EndpointType", ""),
        security_policy=configured.get("SecurityPolicy", ""),
        ip_address_type=configured.get("IpAddressType") or _DEFAULT_ADDRESSES,
        mutual_tls=(found.get("MutualTlsAuthentication") or {}).get("TruststoreUri", ""),
        routing_mode=found.get("RoutingMode") or _DEFAULT_ROUTING,
        tags=from_mapping(found.get("Tags", {})),
        target=configured.get("ApiGatewayDomainName", "").rstrip(".").lower(),
        target_zone=configured.get("HostedZoneId", ""),
        status=configured.get("DomainNameStatus") or "AVAILABLE",
        status_message=configured.get("DomainNameStatusMessage") or "",
    )
