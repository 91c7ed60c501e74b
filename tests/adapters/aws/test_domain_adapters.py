"""Domain names, certificates and records in the spelling of API Gateway, ACM and Route 53."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from nwchatctl.aws import acm
from nwchatctl.aws.acm import Certificates
from nwchatctl.aws.acm_details import VALIDATION_ZONE_TAG
from nwchatctl.aws.apigateway.domain_names import Domains
from nwchatctl.aws.core.parallel import run_inline
from nwchatctl.aws.core.retry import RETRY_SECONDS
from nwchatctl.aws.domain_facts import read
from nwchatctl.aws.route53 import Zones
from nwchatctl.deploy.domains.facts import DomainConfig, DomainFacts, FoundMapping, FoundRecord, Zone
from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain
from nwchatctl.errors import ChatError
from tests.adapters.aws.stubbed_clients import TAGS, StubbedClients

pytestmark = pytest.mark.usefixtures("no_waiting")

NAME = "chat.example.com"
ARN = "arn:aws:acm:us-east-2:123456789012:certificate/1"
TARGET = "d-1.execute-api.us-east-2.amazonaws.com"
PREFIX = "arn:aws:apigateway:us-east-2::/domainnames/"
DOMAIN = Domain(NAME, ARN, "REGIONAL", "TLS_1_2", "ipv4", "", "API_MAPPING_ONLY", TAGS)
CONFIGURED = {
    "CertificateArn": ARN,
    "EndpointType": "REGIONAL",
    "SecurityPolicy": "TLS_1_2",
}
"""What is sent: AWS's default IpAddressType is left out, for partitions that do not know it yet."""
RECORD = DnsRecord(f"{NAME} A", NAME, "A", "Z1", TARGET, "ZAWS", False)
CERTIFICATE = Certificate(NAME, (NAME,), "ISSUED", "Z1", TAGS)
CNAME = {"Name": f"_x.{NAME}.", "Type": "CNAME", "Value": "_y.acm-validations.aws."}
INVALID = "InvalidChangeBatch"


def a_domain(status: str = "AVAILABLE", **changes: Any) -> dict[str, Any]:
    leads = {"ApiGatewayDomainName": TARGET, "HostedZoneId": "ZAWS", "DomainNameStatus": status}
    return {
        "DomainName": NAME,
        "DomainNameConfigurations": [{**CONFIGURED, "IpAddressType": "ipv4", **leads, **changes}],
        "Tags": dict(TAGS),
        "RoutingMode": "API_MAPPING_ONLY",
    }


def own(domain: Domain) -> bool:
    return set(TAGS) <= set(domain.tags)


# Domains --------------------------------------------------------------------------------------


def test_domains_are_read_page_by_page(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_response("get_domain_names", {"Items": [a_domain()], "NextToken": "t"}, {})
    other = {**a_domain(IpAddressType="dualstack"), "DomainName": "b.example.com"}
    other["MutualTlsAuthentication"] = {"TruststoreUri": "s3://x/y"}
    stub.add_response("get_domain_names", {"Items": [other]}, {"NextToken": "t"})
    adapter = Domains(client, PREFIX)
    first, second = adapter.list_all()
    assert first == DOMAIN
    assert (first.target, first.target_zone, first.status) == (TARGET, "ZAWS", "AVAILABLE")
    assert (second.name, second.ip_address_type, second.mutual_tls) == (
        *("b.example.com", "dualstack"),
        "s3://x/y",
    )
    assert adapter.targets[NAME] == (TARGET, "ZAWS")


def test_mappings_are_read_page_by_page_and_none_of_a_domain_that_is_gone(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    one = {"ApiId": "a", "Stage": "s", "ApiMappingKey": "v2"}
    stub.add_response("get_api_mappings", {"Items": [one], "NextToken": "t"}, {"DomainName": NAME})
    stub.add_response(
        "get_api_mappings", {"Items": [{"ApiId": "b", "Stage": "s"}]}, {"DomainName": NAME, "NextToken": "t"}
    )
    stub.add_client_error("get_api_mappings", "NotFoundException")
    adapter = Domains(client, PREFIX)
    assert adapter.mappings(NAME) == (FoundMapping(NAME, "v2", "a", "s"), FoundMapping(NAME, "", "b", "s"))
    assert adapter.root_mappings == {NAME: ("b", "s")}
    assert adapter.mappings(NAME) == ()


def test_a_domain_is_made_with_its_tags_and_waited_for(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    wanted = {
        "DomainName": NAME,
        "DomainNameConfigurations": [CONFIGURED],
        "Tags": dict(TAGS),
    }
    # One in 30 seconds is made.
    stub.add_client_error("create_domain_name", "TooManyRequestsException", http_status_code=429)
    stub.add_response("create_domain_name", {}, wanted)
    stub.add_response("get_domain_name", a_domain("UPDATING"), {"DomainName": NAME})
    stub.add_response("get_domain_name", a_domain(), {"DomainName": NAME})
    adapter = Domains(client, PREFIX)
    adapter.create(DOMAIN, own)
    assert adapter.targets == {NAME: (TARGET, "ZAWS")}


def test_parameters_that_differ_from_the_default_are_sent(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    dual = dataclasses.replace(DOMAIN, ip_address_type="dualstack", routing_mode="ROUTING_RULE_ONLY")
    configured = {**CONFIGURED, "IpAddressType": "dualstack"}
    wanted = {"DomainName": NAME, "DomainNameConfigurations": [configured], "Tags": dict(TAGS)}
    stub.add_response("create_domain_name", {}, {**wanted, "RoutingMode": "ROUTING_RULE_ONLY"})
    stub.add_response("get_domain_name", a_domain())
    Domains(client, PREFIX).create(dual, own)
    # Back to the default has to be said.
    stub.add_response(
        "update_domain_name",
        {},
        {"DomainName": NAME, "DomainNameConfigurations": [{**CONFIGURED, "IpAddressType": "ipv4"}]},
    )
    stub.add_response("get_domain_name", a_domain())
    Domains(client, PREFIX).update(dataclasses.replace(DOMAIN, ip_address_type="dualstack"), DOMAIN)


def test_retry_outlasts_two_concurrent_domain_creations() -> None:
    assert RETRY_SECONDS >= 2 * 30 + 5


def test_existing_owned_domain_is_updated(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_client_error("create_domain_name", "ConflictException", "The domain name already exists.")
    stub.add_response("get_domain_name", a_domain(SecurityPolicy="TLS_1_0"))
    stub.add_response(
        "update_domain_name", {}, {"DomainName": NAME, "DomainNameConfigurations": [CONFIGURED]}
    )
    stub.add_response("get_domain_name", a_domain())
    stub.add_response("get_domain_name", a_domain())
    Domains(client, PREFIX).create(DOMAIN, own)


def test_foreign_domains_are_refused(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    conflict = ("create_domain_name", "ConflictException", "The domain name already exists.")
    stub.add_client_error(*conflict)
    stub.add_client_error("get_domain_name", "NotFoundException")
    stub.add_client_error(*conflict)
    stub.add_response("get_domain_name", {**a_domain(), "Tags": {}})
    codes = []
    for _ in range(2):
        with pytest.raises(ChatError) as caught:
            Domains(client, PREFIX).create(DOMAIN, own)
        codes.append(caught.value.code)
    assert codes == ["domain_elsewhere", "domain_taken"]


def test_domain_that_needs_manual_action_is_not_waited_for(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_response("create_domain_name", {})
    response = a_domain("PENDING_OWNERSHIP_VERIFICATION", DomainNameStatusMessage="verify it")
    stub.add_response("get_domain_name", response)
    with pytest.raises(ChatError) as caught:
        Domains(client, PREFIX).create(DOMAIN, own)
    assert (caught.value.code, "verify it" in caught.value.message) == ("domain_unverified", True)


def test_only_what_differs_of_a_domain_is_changed(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    before = dataclasses.replace(
        DOMAIN, mutual_tls="s3://x/y", routing_mode="ROUTING_RULE_ONLY", tags=(*TAGS, ("stray", "tag"))
    )
    stub.add_response(
        "update_domain_name",
        {},
        {
            "DomainName": NAME,
            "MutualTlsAuthentication": {"TruststoreUri": ""},
            "RoutingMode": "API_MAPPING_ONLY",
        },
    )
    stub.add_response("untag_resource", {}, {"ResourceArn": f"{PREFIX}{NAME}", "TagKeys": ["stray"]})
    stub.add_response("get_domain_name", a_domain())
    Domains(client, PREFIX).update(before, DOMAIN)
    # A wait that was given up goes on, and nothing is changed.
    stub.add_response("get_domain_name", a_domain("UPDATING"))
    stub.add_response("get_domain_name", a_domain())
    Domains(client, PREFIX).update(dataclasses.replace(DOMAIN, status="UPDATING"), DOMAIN)
    # Tags alone are no reason to wait.
    stub.add_response("tag_resource", {}, {"ResourceArn": f"{PREFIX}{NAME}", "Tags": dict(TAGS)})
    Domains(client, PREFIX).update(dataclasses.replace(DOMAIN, tags=()), DOMAIN)


def test_a_mapping_is_made_changed_or_found_made(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    mapping, wanted = ApiMapping(NAME, "a", "s"), {"DomainName": NAME, "ApiId": "a", "Stage": "s"}
    there = {"ApiId": "a", "Stage": "s", "ApiMappingId": "m", "ApiMappingKey": ""}
    other = {**there, "ApiMappingKey": "v2", "ApiId": "theirs"}
    # Made.
    stub.add_response("get_api_mappings", {"Items": [other]})
    stub.add_response("create_api_mapping", there, wanted)
    # Made by an attempt whose answer was lost.
    stub.add_response("get_api_mappings", {"Items": []})
    stub.add_client_error("create_api_mapping", "ConflictException", "ApiMapping key already exists")
    stub.add_response("get_api_mappings", {"Items": [there]})
    # Changed.
    stub.add_response("get_api_mappings", {"Items": [other, {**there, "Stage": "old"}]})
    stub.add_response("update_api_mapping", there, {**wanted, "ApiMappingId": "m"})
    adapter = Domains(client, PREFIX)
    for _ in range(3):
        adapter.put_mapping(mapping)
    assert adapter.root_mappings == {NAME: ("a", "s")}


def test_deleting_absent_domain_succeeds(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    stub.add_client_error("delete_domain_name", "NotFoundException")
    stub.add_client_error("get_api_mappings", "NotFoundException")
    stub.add_response("get_api_mappings", {"Items": [{"ApiId": "a", "Stage": "s", "ApiMappingId": "m"}]})
    stub.add_response("delete_api_mapping", {}, {"DomainName": NAME, "ApiMappingId": "m"})
    adapter = Domains(client, PREFIX)
    adapter.delete(DOMAIN)
    adapter.delete_mapping(ApiMapping(NAME, "a", "s"))
    adapter.delete_mapping(ApiMapping(NAME, "a", "s"))


# Zones ----------------------------------------------------------------------------------------


def listed(*records: Any, **more: Any) -> dict[str, Any]:
    return {"ResourceRecordSets": list(records), "IsTruncated": False, "MaxItems": "300", **more}


def alias(**changes: Any) -> dict[str, Any]:
    leads = {"HostedZoneId": "ZAWS", "DNSName": f"{TARGET}.", "EvaluateTargetHealth": False}
    return {"Name": f"{NAME}.", "Type": "A", "AliasTarget": leads, **changes}


def batch(*changes: tuple[str, Any]) -> dict[str, Any]:
    made = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
    return {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": made}}


SPELLED = {
    "Name": NAME,
    "Type": "A",
    "AliasTarget": {"HostedZoneId": "ZAWS", "DNSName": TARGET, "EvaluateTargetHealth": False},
}
CHANGE: Any = {"ChangeInfo": {"Id": "/change/C", "Status": "PENDING", "SubmittedAt": datetime.now(UTC)}}
INSYNC: Any = {"ChangeInfo": {**CHANGE["ChangeInfo"], "Status": "INSYNC"}}


def test_zones_are_read_page_by_page(clients: StubbedClients) -> None:
    client, stub = clients.client("route53")
    one = {"Id": "/hostedzone/Z1", "Name": "Example.com.", "CallerReference": "1"}
    two = {**one, "Id": "/hostedzone/Z2", "Config": {"PrivateZone": True}}
    page: Any = {"HostedZones": [one], "IsTruncated": True, "NextMarker": "Z2", "MaxItems": "1", "Marker": ""}
    stub.add_response("list_hosted_zones", page, {})
    stub.add_response(
        "list_hosted_zones", {**page, "HostedZones": [two], "IsTruncated": False}, {"Marker": "Z2"}
    )
    assert Zones(client).list_all() == (Zone("Z1", "example.com", False), Zone("Z2", "example.com", True))


def test_only_records_of_the_domain_are_read(clients: StubbedClients) -> None:
    client, stub = clients.client("route53")
    weighted = alias(SetIdentifier="half", Weight=1)
    text = {"Name": f"{NAME}.", "Type": "TXT", "TTL": 1, "ResourceRecords": [{"Value": '"x"'}]}
    wanted = {"HostedZoneId": "Z1", "StartRecordName": NAME}
    more = {"NextRecordName": f"{NAME}.", "NextRecordType": "TXT"}
    stub.add_response(
        "list_resource_record_sets", listed(alias(), weighted, IsTruncated=True, **more), wanted
    )
    following = {**wanted, "StartRecordName": f"{NAME}.", "StartRecordType": "TXT"}
    after = {**text, "Name": "d.example.com."}
    stub.add_response("list_resource_record_sets", listed(text, after, IsTruncated=True, **more), following)
    stub.add_client_error("list_resource_record_sets", "NoSuchHostedZone")
    zones = Zones(client)
    found = zones.records_at("Z1", NAME)
    assert found[0] == FoundRecord("Z1", NAME, "A", TARGET, "ZAWS", False, True)
    assert [(each.type, each.plain) for each in found] == [("A", True), ("A", False), ("TXT", True)]
    assert zones.records_at("Z1", NAME) == ()


def test_record_replaces_previous_one_and_is_waited_for(clients: StubbedClients) -> None:
    client, stub = clients.client("route53")
    stub.add_response("change_resource_record_sets", CHANGE, batch(("CREATE", SPELLED)))
    stub.add_response("get_change", CHANGE, {"Id": "/change/C"})
    stub.add_response("get_change", INSYNC, {"Id": "/change/C"})
    before = dataclasses.replace(RECORD, evaluate_health=True)
    old = {**SPELLED, "AliasTarget": {**SPELLED["AliasTarget"], "EvaluateTargetHealth": True}}  # type: ignore[dict-item]
    stub.add_response("change_resource_record_sets", CHANGE, batch(("DELETE", old), ("CREATE", SPELLED)))
    stub.add_response("get_change", INSYNC)
    zones = Zones(client)
    zones.put(None, RECORD)
    zones.put(before, RECORD)


def test_record_of_lost_attempt_is_accepted_and_foreign_record_kept(
    clients: StubbedClients,
) -> None:
    client, stub = clients.client("route53")
    stub.add_client_error("change_resource_record_sets", INVALID, "it already exists")
    stub.add_response("list_resource_record_sets", listed(alias()))
    stub.add_client_error("change_resource_record_sets", INVALID, "it already exists")
    address = {"Name": f"{NAME}.", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    stub.add_response("list_resource_record_sets", listed(address))
    zones = Zones(client)
    zones.put(None, RECORD)
    with pytest.raises(ChatError) as caught:
        zones.put(None, RECORD)
    assert caught.value.code == "record_taken"


def test_deleting_absent_or_changed_record_succeeds(clients: StubbedClients) -> None:
    client, stub = clients.client("route53")
    stub.add_client_error("change_resource_record_sets", INVALID, "but it was not found")
    stub.add_client_error("change_resource_record_sets", "NoSuchHostedZone")
    stub.add_response("change_resource_record_sets", CHANGE, batch(("DELETE", SPELLED)))
    stub.add_response("get_change", INSYNC)
    for _ in range(3):
        Zones(client).delete(RECORD)


# Certificates ---------------------------------------------------------------------------------


def summary(arn: str = ARN, name: str = NAME, *others: str, **changes: Any) -> dict[str, Any]:
    response = {"SubjectAlternativeNameSummaries": [name, *others], "Status": "ISSUED", "InUse": True}
    return {
        **{"CertificateArn": arn, "DomainName": name, "Type": "AMAZON_ISSUED"},
        **{"NotAfter": datetime(2030, 1, 1, tzinfo=UTC), **response, **changes},
    }


def details(status: str = "ISSUED", *, asks: bool = True, **changes: Any) -> dict[str, Any]:
    option: dict[str, Any] = {"DomainName": NAME, "ValidationMethod": "DNS"}
    if asks:
        option["ResourceRecord"] = CNAME
    about = {"CertificateArn": ARN, "DomainName": NAME, "SubjectAlternativeNames": [NAME], "Status": status}
    return {"Certificate": {**about, "DomainValidationOptions": [option], **changes}}


def certificates(clients: StubbedClients) -> tuple[Certificates, Stubber, Stubber]:
    client, stub = clients.client("acm")
    route53, zone = clients.client("route53")
    return Certificates(client, Zones(route53), "nonce"), stub, zone


def test_certificates_of_every_kind_of_key_are_listed_page_by_page(clients: StubbedClients) -> None:
    adapter, stub, _ = certificates(clients)
    wanted = {"Includes": {"keyTypes": acm._KEY_TYPES}, "MaxItems": 1000}
    # A private one may have no name.
    nameless = {"CertificateArn": f"{ARN}0", "Type": "PRIVATE"}
    page = {"CertificateSummaryList": [nameless, summary()], "NextToken": "t"}
    stub.add_response("list_certificates", page, wanted)
    stub.add_response("list_certificates", {"CertificateSummaryList": []}, {**wanted, "NextToken": "t"})
    assert len(adapter.list_all()) == 1
    assert {"EC_prime256v1", "RSA_4096"} <= set(acm._KEY_TYPES)


def test_only_relevant_certificates_are_described(clients: StubbedClients) -> None:
    adapter, stub, _ = certificates(clients)
    other = "arn:aws:acm:us-east-2:123456789012:certificate/"
    summaries = [
        summary(),
        summary(f"{other}wild", "*.example.com", CertificateKeyPairOrigin="ACME"),
        summary(f"{other}private", NAME, Type="PRIVATE"),
        summary(f"{other}else", "else.net"),
        summary(f"{other}cut", "big.net", HasAdditionalSubjectAlternativeNames=True),
        summary(f"{other}imported", NAME, Type="IMPORTED", ManagedBy="CLOUDFRONT"),
        summary(f"{other}idle", "old.net", InUse=False, Status="PENDING_VALIDATION"),
    ]
    tags = [{"Key": key, "Value": value} for key, value in (*TAGS, (VALIDATION_ZONE_TAG, "Z1"))]
    stub.add_response("list_tags_for_certificate", {"Tags": tags}, {"CertificateArn": ARN})
    stub.add_response("list_tags_for_certificate", {}, {"CertificateArn": f"{other}idle"})
    stub.add_response("describe_certificate", details(SubjectAlternativeNames=[NAME]), None)
    stub.add_response(
        "describe_certificate",
        details(
            CertificateArn=f"{other}cut", DomainName="big.net", SubjectAlternativeNames=["big.net", NAME]
        ),
        None,
    )
    found = {each.arn: each for each in adapter.read(summaries, frozenset({NAME}), frozenset(), run_inline)}
    rest = ("wild", "cut", "imported", "idle", "private")
    assert found.keys() == {ARN, *(f"{other}{each}" for each in rest)}
    assert {arn.removeprefix(other): each.unusable for arn, each in found.items() if each.unusable} == {
        **{"wild": "acme", "imported": "cloudfront"},
        "private": "private",
    }
    mine = found[ARN]
    assert (mine.tags, mine.record, mine.validation_zone) == (TAGS, True, "Z1")


def test_a_certificate_is_requested_validated_and_waited_for(clients: StubbedClients) -> None:
    adapter, stub, zone = certificates(clients)
    tags = [{"Key": key, "Value": value} for key, value in TAGS]
    stub.add_response(
        "request_certificate",
        {"CertificateArn": ARN},
        {"DomainName": NAME, "ValidationMethod": "DNS", "IdempotencyToken": ANY, "Tags": tags},
    )
    # ACM takes a moment to know it, and another to say which record it wants.
    stub.add_client_error("describe_certificate", "ResourceNotFoundException")
    stub.add_response("describe_certificate", details("PENDING_VALIDATION", asks=False))
    for _ in range(2):
        stub.add_response("describe_certificate", details("PENDING_VALIDATION"))
    zone.add_response("list_resource_record_sets", listed())
    stub.add_response(
        "add_tags_to_certificate",
        {},
        {"CertificateArn": ARN, "Tags": [{"Key": VALIDATION_ZONE_TAG, "Value": "Z1"}]},
    )
    spelled = {
        **{"Name": f"_x.{NAME}", "Type": "CNAME", "TTL": 300},
        "ResourceRecords": [{"Value": "_y.acm-validations.aws"}],
    }
    zone.add_response("change_resource_record_sets", CHANGE, batch(("CREATE", spelled)))
    stub.add_response("describe_certificate", details("PENDING_VALIDATION"))
    stub.add_response("describe_certificate", details())
    adapter.create(CERTIFICATE)
    assert adapter.arns == {NAME: ARN}


def test_a_request_is_one_by_its_token_in_a_run_and_another_in_the_next(clients: StubbedClients) -> None:
    tokens = []
    for nonce in ("1", "1", "2"):
        client, stub = clients.client("acm")

        def record_params(params: Any, **_: object) -> None:
            tokens.append(params["IdempotencyToken"])

        client.meta.events.register("provide-client-params.acm.RequestCertificate", record_params)
        stub.add_client_error("request_certificate", "AccessDeniedException")
        with pytest.raises(Exception, match="AccessDenied"):
            Certificates(client, Zones(client), nonce).create(CERTIFICATE)
    assert tokens[0] == tokens[1] != tokens[2]
    assert len(tokens[0]) == 32
    assert tokens[0].isalnum()


def test_failed_certificate_has_a_reason(clients: StubbedClients) -> None:
    adapter, stub, zone = certificates(clients)
    existing = {
        **{"Name": f"_x.{NAME}.", "Type": "CNAME", "TTL": 5},
        "ResourceRecords": [{"Value": "_y.acm-validations.aws."}],
    }
    zone.add_response("list_resource_record_sets", listed(existing))
    for _ in range(2):
        stub.add_response("describe_certificate", details("PENDING_VALIDATION"))
    stub.add_response("describe_certificate", details("FAILED", FailureReason="CAA_ERROR"))
    pending = dataclasses.replace(CERTIFICATE, arn=ARN, status="PENDING_VALIDATION")
    with pytest.raises(ChatError) as caught:
        adapter.update(pending, CERTIFICATE)
    assert (caught.value.code, "CAA_ERROR" in caught.value.message) == ("certificate_failed", True)


def test_a_validation_record_moves_with_the_hosted_zone(clients: StubbedClients) -> None:
    adapter, stub, zone = certificates(clients)
    for _ in range(2):
        stub.add_response("describe_certificate", details())
    zone.add_response("list_resource_record_sets", listed(), {"HostedZoneId": "Z2", "StartRecordName": ANY})
    stub.add_response("list_tags_for_certificate", {"Tags": [{"Key": VALIDATION_ZONE_TAG, "Value": "Z1"}]})
    for where in ("Z1", "Z2"):
        if where == "Z2":
            marked = {"CertificateArn": ARN, "Tags": [{"Key": VALIDATION_ZONE_TAG, "Value": "Z2"}]}
            stub.add_response("add_tags_to_certificate", {}, marked)
        zone.add_response("change_resource_record_sets", CHANGE, {"HostedZoneId": where, "ChangeBatch": ANY})
    stub.add_response("describe_certificate", details())
    before = dataclasses.replace(CERTIFICATE, arn=ARN, validation_zone="")
    adapter.update(before, dataclasses.replace(CERTIFICATE, validation_zone="Z2"))


def test_wait_ends_when_certificate_is_deleted(clients: StubbedClients) -> None:
    adapter, stub, _ = certificates(clients)
    for _ in range(2):
        stub.add_response("describe_certificate", details("PENDING_VALIDATION"))
    stub.add_client_error("describe_certificate", "ResourceNotFoundException")
    wanted = dataclasses.replace(CERTIFICATE, validation_zone="")
    with pytest.raises(ChatError) as caught:
        adapter.update(dataclasses.replace(wanted, arn=ARN, status="PENDING_VALIDATION"), wanted)
    assert (caught.value.code, "deleted" in caught.value.message) == ("certificate_failed", True)


@pytest.mark.parametrize(("zone", "code"), [("Z1", "certificate_pending"), ("", "certificate_unvalidated")])
def test_waiting_is_bounded(
    clients: StubbedClients, monkeypatch: pytest.MonkeyPatch, zone: str, code: str
) -> None:
    adapter, stub, route53 = certificates(clients)
    monkeypatch.setattr(acm, "ISSUE_SECONDS", -1.0)
    monkeypatch.setattr(acm, "EXTERNAL_DNS_SECONDS", -1.0)
    if zone:
        name = {"Name": f"_x.{NAME}.", "Type": "CNAME", "TTL": 5}
        route53.add_response(
            "list_resource_record_sets",
            listed({**name, "ResourceRecords": [{"Value": "_y.acm-validations.aws."}]}),
        )
    for _ in range(3):
        stub.add_response("describe_certificate", details("PENDING_VALIDATION"))
    wanted = dataclasses.replace(CERTIFICATE, validation_zone=zone)
    with pytest.raises(ChatError) as caught:
        adapter.update(dataclasses.replace(wanted, arn=ARN, status="PENDING_VALIDATION"), wanted)
    assert caught.value.code == code
    assert "again" in caught.value.hint


def test_certificate_is_deleted_after_domain_releases_it(clients: StubbedClients) -> None:
    adapter, stub, zone = certificates(clients)
    live = dataclasses.replace(CERTIFICATE, arn=ARN, record=True)
    balancer = "arn:aws:elasticloadbalancing:us-east-2:999999999999:loadbalancer/app/prod-cmh-1/1"
    domain = f"arn:aws:apigateway:us-east-2::/domainnames/{NAME}"
    stub.add_response("describe_certificate", details(InUseBy=[balancer, domain]))
    stub.add_response("describe_certificate", details())
    listing = [summary(), summary(f"{ARN}2", "b.net")]
    stub.add_response("list_certificates", {"CertificateSummaryList": listing})
    zone.add_response("change_resource_record_sets", CHANGE)
    for _ in range(3):
        stub.add_client_error("delete_certificate", "ResourceInUseException", "is in use")
    stub.add_response("delete_certificate", {}, {"CertificateArn": ARN})
    adapter.delete(live)
    for call in ("describe_certificate", "delete_certificate"):
        stub.add_client_error(call, "ResourceNotFoundException")
    adapter.delete(live)


def test_certificate_in_use_is_kept_with_its_record(clients: StubbedClients) -> None:
    adapter, stub, _ = certificates(clients)
    balancer = "arn:aws:elasticloadbalancing:us-east-2:123456789012:loadbalancer/app/mine/1"
    stub.add_response("list_tags_for_certificate", {"Tags": [{"Key": "nwchat:managed-by", "Value": "x"}]})
    for _ in range(2):
        stub.add_response("describe_certificate", details(InUseBy=[balancer]))
    (found,) = adapter.read([summary()], frozenset({NAME}), frozenset(), run_inline)
    assert found.shared
    with pytest.raises(ChatError) as caught:
        adapter.delete(dataclasses.replace(CERTIFICATE, arn=ARN, record=True))
    assert (caught.value.code, balancer in caught.value.message) == ("certificate_in_use", True)


def test_wait_covers_time_that_aws_holds_certificate() -> None:
    assert acm.UNUSED_SECONDS >= 20 * 60


@pytest.mark.parametrize("ours", [True, False])
def test_a_validation_record_that_another_certificate_needs_stays(
    clients: StubbedClients, ours: bool
) -> None:
    adapter, stub, _ = certificates(clients)
    other = f"{ARN}2"
    stub.add_response("describe_certificate", details())
    # The wildcard of a name is validated by the name's own record.
    listing = [summary(), summary(other, f"*.{NAME}")]
    stub.add_response("list_certificates", {"CertificateSummaryList": listing})
    stub.add_response("describe_certificate", details(CertificateArn=other), {"CertificateArn": other})
    tags = {"Tags": [{"Key": key, "Value": value} for key, value in TAGS]} if ours else {}
    stub.add_response("list_tags_for_certificate", tags, {"CertificateArn": other})
    if ours:
        marked = {"CertificateArn": other, "Tags": [{"Key": VALIDATION_ZONE_TAG, "Value": "Z1"}]}
        stub.add_response("add_tags_to_certificate", {}, marked)
    stub.add_response("delete_certificate", {}, {"CertificateArn": ARN})
    adapter.delete(dataclasses.replace(CERTIFICATE, arn=ARN, record=True))


# All of it ------------------------------------------------------------------------------------


def facts(clients: StubbedClients, *wanted: DomainConfig, domains: Any = ()) -> DomainFacts:
    """What is read, where ACM and Route 53 must not be asked."""
    client, stub = clients.client("apigatewayv2")
    stub.add_response("get_domain_names", {"Items": list(domains)})

    def forbidden() -> Any:
        raise AssertionError("asked")

    return read(Domains(client, PREFIX), forbidden, forbidden, wanted, dict(TAGS), run_inline)


def test_without_domain_certificates_and_zones_are_not_read(clients: StubbedClients) -> None:
    assert facts(clients) == DomainFacts()
    foreign = {**a_domain(), "Tags": {"nwchat:chat": "another", "nwchat:managed-by": "nwchatctl"}}
    assert [each.name for each in facts(clients, domains=[foreign]).domains] == [NAME]


def test_without_domain_denied_reads_are_ignored(clients: StubbedClients) -> None:
    client, stub = clients.client("apigatewayv2")
    for code in ("AccessDeniedException", "BadRequestException", "AccessDeniedException"):
        stub.add_client_error("get_domain_names", code, http_status_code=403)

    def forbidden() -> Any:
        raise AssertionError("asked")

    domains = Domains(client, PREFIX)
    assert read(domains, forbidden, forbidden, (), dict(TAGS), run_inline) == DomainFacts(denied=True)
    with pytest.raises(ClientError, match="BadRequest"):
        read(domains, forbidden, forbidden, (), dict(TAGS), run_inline)
    with pytest.raises(ClientError, match="AccessDenied"):
        read(domains, forbidden, forbidden, (), dict(TAGS), run_inline, frozenset({NAME}))


def test_a_certificate_is_found_again_by_the_name_that_it_was_requested_for(clients: StubbedClients) -> None:
    adapter, stub, _ = certificates(clients)
    client, gateway = clients.client("apigatewayv2")
    route53, zone = clients.client("route53")
    gateway.add_response("get_domain_names", {"Items": []})
    stub.add_response("list_certificates", {"CertificateSummaryList": [summary()]})
    tags = [{"Key": key, "Value": value} for key, value in TAGS]
    stub.add_response("list_tags_for_certificate", {"Tags": tags})
    stub.add_response("describe_certificate", details())
    zone.add_response(
        "list_hosted_zones", {"HostedZones": [], "IsTruncated": False, "MaxItems": "1", "Marker": ""}
    )
    zones = Zones(route53)
    domains, names = Domains(client, PREFIX), frozenset({NAME})
    found = read(domains, lambda: adapter, lambda: zones, (), dict(TAGS), run_inline, names)
    assert [each.arn for each in found.certificates] == [ARN]


def test_with_domain_certificates_and_zones_are_read(clients: StubbedClients) -> None:
    want = DomainConfig(NAME, "", "", False, "a", "s", "domain.name")
    with pytest.raises(AssertionError, match="asked"):
        facts(clients, want)
    client, stub = clients.client("apigatewayv2")
    stub.add_response("get_domain_names", {"Items": [a_domain()]})
    stub.add_response("get_api_mappings", {"Items": []})

    def asked() -> Any:
        raise LookupError

    with pytest.raises(LookupError):
        read(Domains(client, PREFIX), asked, asked, (), dict(TAGS), run_inline)
