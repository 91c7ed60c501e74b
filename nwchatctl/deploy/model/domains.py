"""A name by which one of the chat's APIs answers: its certificate, its domain, its mapping, its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that we requested from ACM, by the name it is for; others are no resource of the chat's.

    `status` is ACM's. `validation_zone` is the hosted zone in which its validation record stands, "" for
    none. What is not compared is known of live ones only: `arn`; `record`, whether the tool wrote that
    record (and not somebody for a certificate of their own: ACM asks for the same one each time); and
    `shared`, whether something of the operator's own uses it too.
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
    """A custom domain name of API Gateway's. `certificate` is an ARN or `CERTIFICATE_ARN`.

    `mutual_tls` is the trust store that clients' certificates are held against, "" where they need none.
    `status` is API Gateway's; AVAILABLE is wanted. What is not compared is known of live ones only: `target`
    and `target_zone`, where an alias has to lead, `shared`, whether APIs that are not the chat's are mapped
    there too, and `status_message`, what API Gateway says of a status.
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
    """Which API and stage answer under the domain `name`, at its root: the mapping's key is empty."""

    kind: ClassVar[str] = "mapping"
    name: str
    api: str
    stage: str


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """An alias record in a hosted zone; its name is `record_name`, `type` A or AAAA.

    `stray` (of live ones only): it stands in another zone than is wanted, or leads to a domain that is gone.
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
