"""Changes to the certificate, domain, mapping and records of a chat that are made in the console."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.support.console.core import STRAY, STRAYS, ConsoleChange
from tests.e2e.support.operator import Operator

DANGLING = f"d-0123456789.execute-api.{DEFAULT_REGION}.amazonaws.com"


def make_zone(chat: Operator, name: str, *, private: bool = False) -> str:
    """A hosted zone's id."""
    zones = chat.root("route53")
    config: Any = {"Comment": "", "PrivateZone": private}
    vpc: Any = {"VPC": {"VPCRegion": DEFAULT_REGION, "VPCId": "vpc-1"}} if private else {}
    count = len(zones.list_hosted_zones()["HostedZones"])
    made = zones.create_hosted_zone(
        Name=name, CallerReference=f"{name} {private} {count}", HostedZoneConfig=config, **vpc
    )
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


def drop_zone(chat: Operator, zone: str) -> None:
    for each in records(chat, zone):
        change(chat, zone, "DELETE", each)
    chat.root("route53").delete_hosted_zone(Id=zone)


def records(chat: Operator, zone: str) -> list[Any]:
    """What is in a zone beside what every zone has."""
    found = chat.root("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [each for each in found if each["Type"] not in ("NS", "SOA")]


def change(chat: Operator, zone: str, action: str, record: Any) -> None:
    chat.root("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    )


def address(name: str, value: str = "192.0.2.1", type: str = "A") -> dict[str, Any]:
    return {"Name": name, "Type": type, "TTL": 60, "ResourceRecords": [{"Value": value}]}


def alias(name: str, target: str, **more: Any) -> dict[str, Any]:
    leads = {"HostedZoneId": "Z1UJRXOUMOOFQ8", "DNSName": target, "EvaluateTargetHealth": False}
    return {"Name": name, "Type": "A", "AliasTarget": {**leads, **more}}


def certificate(chat: Operator, name: str, *others: str, **tags: str) -> str:
    """The ARN of a certificate that somebody else requested, which is issued at once."""
    more: Any = {"SubjectAlternativeNames": [name, *others]} if others else {}
    tagged: Any = {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}
    made = chat.root("acm").request_certificate(DomainName=name, ValidationMethod="DNS", **more, **tagged)
    return str(made["CertificateArn"])


def name_of(chat: Operator) -> str:
    return chat.environ["NWCHAT_DOMAIN__NAME"]


def zone_of(chat: Operator) -> str:
    """The id of the zone of the chat's name."""
    zones = chat.root("route53").list_hosted_zones()["HostedZones"]
    name = name_of(chat).partition(".")[2]
    return next(str(each["Id"]).rpartition("/")[2] for each in zones if each["Name"] == f"{name}.")


def own_certificate(chat: Operator) -> str:
    found = chat.root("acm").list_certificates()["CertificateSummaryList"]
    client = chat.root("acm")
    return next(
        str(each["CertificateArn"])
        for each in found
        if {"Key": "nwchat:chat", "Value": chat.name}
        in client.list_tags_for_certificate(CertificateArn=each["CertificateArn"])["Tags"]
    )


def domain_arn(chat: Operator) -> str:
    return f"arn:aws:apigateway:{DEFAULT_REGION}::/domainnames/{name_of(chat)}"


def domain(**settings: Any) -> ConsoleChange:
    def apply(chat: Operator) -> None:
        have = chat.api.get_domain_name(DomainName=name_of(chat))["DomainNameConfigurations"][0]
        kept = ("CertificateArn", "EndpointType", "SecurityPolicy", "IpAddressType")
        wanted = {**{key: have[key] for key in kept}, **settings}
        chat.api.update_domain_name(DomainName=name_of(chat), DomainNameConfigurations=[wanted])

    return apply


def other_certificate(chat: Operator) -> None:
    """One that is good, and for another name."""
    domain(CertificateArn=certificate(chat, "other.example"))(chat)


def domain_with(**settings: Any) -> ConsoleChange:
    return lambda chat: chat.api.update_domain_name(DomainName=name_of(chat), **settings)


def tag_domain(chat: Operator) -> None:
    chat.api.tag_resource(ResourceArn=domain_arn(chat), Tags=STRAY)


def delete_domain(chat: Operator) -> None:
    chat.api.delete_domain_name(DomainName=name_of(chat))


def _mapping(chat: Operator) -> dict[str, str]:
    found = chat.api.get_api_mappings(DomainName=name_of(chat))["Items"][0]
    return {"DomainName": name_of(chat), "ApiMappingId": found["ApiMappingId"]}


def delete_mapping(chat: Operator) -> None:
    chat.api.delete_api_mapping(**_mapping(chat))


def stage_remapped(chat: Operator) -> None:
    """The name leads to another stage of the chat's API."""
    stages = chat.api.get_stages(ApiId=chat.api_id)["Items"]
    if "other" not in {each["StageName"] for each in stages}:
        chat.api.create_stage(ApiId=chat.api_id, StageName="other")
    chat.api.update_api_mapping(**_mapping(chat), ApiId=chat.api_id, Stage="other")


def _alias(chat: Operator) -> Any:
    found = records(chat, zone_of(chat))
    return next(each for each in found if each["Name"] == f"{name_of(chat)}." and each["Type"] == "A")


def delete_record(chat: Operator) -> None:
    change(chat, zone_of(chat), "DELETE", _alias(chat))


def health_evaluated(chat: Operator) -> None:
    record = _alias(chat)
    record["AliasTarget"]["EvaluateTargetHealth"] = True
    change(chat, zone_of(chat), "UPSERT", record)


def alias_to_missing_target(chat: Operator) -> None:
    record = alias(name_of(chat), DANGLING)
    change(chat, zone_of(chat), "UPSERT", record)


def delete_validation(chat: Operator) -> None:
    for each in records(chat, zone_of(chat)):
        if each["Type"] == "CNAME":
            change(chat, zone_of(chat), "DELETE", each)


def tag_certificate(chat: Operator) -> None:
    chat.root("acm").add_tags_to_certificate(CertificateArn=own_certificate(chat), Tags=STRAYS)


def orphan_certificate(chat: Operator) -> None:
    """One with the chat's tags, for a name that is not the chat's."""
    certificate(chat, f"old.{name_of(chat)}", **chat.tags)


def orphan_domain(chat: Operator) -> None:
    """The same of a domain."""
    name = f"old.{name_of(chat)}"
    configuration = {"CertificateArn": certificate(chat, name), "EndpointType": "REGIONAL"}
    chat.api.create_domain_name(DomainName=name, DomainNameConfigurations=[configuration], Tags=chat.tags)


def drop_certificate(chat: Operator) -> None:
    """The domain is gone, and then its certificate."""
    own = own_certificate(chat)
    delete_domain(chat)
    delete_record(chat)
    chat.root("acm").delete_certificate(CertificateArn=own)


@contextmanager
def acm_answers(chat: Operator, arn: str = "", **fields: Any) -> Iterator[None]:
    """Makes ACM answer the operator with these fields for one certificate, or for all: no emulator expires
    them."""

    def patch_answer(parsed: Any, **_: object) -> None:
        for each in [parsed.get("Certificate", {}), *parsed.get("CertificateSummaryList", [])]:
            if arn in ("", each.get("CertificateArn")):
                each.update(fields)

    events = chat.aws.client("acm").meta.events
    names = [f"after-call.acm.{each}" for each in ("DescribeCertificate", "ListCertificates")]
    for each in names:
        events.register(each, patch_answer)
    try:
        yield
    finally:
        for each in names:
            events.unregister(each, patch_answer)
