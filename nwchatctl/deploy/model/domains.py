"""A domain name of one of the chat's APIs: its certificate, its domain, its mapping, its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that the tool requested from ACM, named by its domain name; other certificates are no
    resources.

    `status` is ACM's. `validation_zone` is the hosted zone with its validation record, "" for none. Fields
    that are not compared are those of live ones only: `arn`; `record`, whether the tool created that record
    (and not another certificate's owner: ACM requires the same record each time); and `shared`, whether
    another resource of the operator uses it too.
    """

    kind: ClassVar[str] = "certificate"
    name: str
    covers: tuple[str, ...]
    status: str
    validation_zone: str
    tags: StringMap
    arn: str = field(default="", compare=False)
    record: bool = field(default=False, compare=False)
    shared: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Domain:
    """A custom domain name of API Gateway. `certificate` is an ARN or `CERTIFICATE_ARN`.

    `mutual_tls` is the trust store for client certificates, "" if none are required. `status` is API
    Gateway's; AVAILABLE is desired. Fields that are not compared are those of live ones only: `target` and
    `target_zone`, the alias target, `shared`, whether other APIs than the chat's are mapped there too, and
    `status_message`, API Gateway's text for a status.
    """

    kind: ClassVar[str] = "domain"
    name: str
    certificate: str
    endpoint_type: str
    security_policy: str
    ip_address_type: str
    mutual_tls: str
    routing_mode: str
    tags: StringMap
    status: str = "AVAILABLE"
    target: str = field(default="", compare=False)
    target_zone: str = field(default="", compare=False)
    shared: bool = field(default=False, compare=False)
    status_message: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ApiMapping:
    """The mapping of the root of the domain `name` to an API and stage: the mapping's key is empty."""

    kind: ClassVar[str] = "mapping"
    name: str
    api: str
    stage: str


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """An alias record in a hosted zone; its name is `record_name`, `type` A or AAAA.

    `stray` (of live ones only): it is in another zone than desired, or its domain does not exist.
    """

    kind: ClassVar[str] = "record"
    name: str
    domain: str
    type: str
    zone: str
    target: str
    target_zone: str
    evaluate_health: bool
    stray: bool = field(default=False, compare=False)


def record_name(domain: str, type: str) -> str:
    """The name of a record: `chat.example.com A`."""
    return f"{domain} {type}"
