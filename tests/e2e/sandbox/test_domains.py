"""The sandbox keeps certificates and domain names as AWS does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.support.console import domains as by
from tests.e2e.support.operator import ACCOUNT, Operator
from tests.e2e.support.sandbox import Sandbox

NAME = "chat.kept.example"


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-kept", tmp_path_factory.mktemp("home"), NWCHAT_DOMAIN__NAME=NAME)
    zone = by.make_zone(made, "kept.example")
    yield made
    by.drop_zone(made, zone)


def make_domain(chat: Operator, arn: str) -> Any:
    configuration = {"CertificateArn": arn, "EndpointType": "REGIONAL"}
    return chat.api.create_domain_name(DomainName=NAME, DomainNameConfigurations=[configuration])


def status(chat: Operator, arn: str) -> str:
    return str(chat.root("acm").describe_certificate(CertificateArn=arn)["Certificate"]["Status"])


def test_own_certificate_is_issued_after_validation_record_and_others_at_once(operator: Operator) -> None:
    acm = operator.root("acm")
    own, other = by.certificate(operator, NAME, **operator.tags), by.certificate(operator, NAME)
    elsewhere = by.certificate(operator, "chat.unzoned.example", **operator.tags)
    assert [status(operator, each) for each in (own, other, elsewhere)] == [
        *("PENDING_VALIDATION", "ISSUED", "ISSUED")
    ]
    about = acm.describe_certificate(CertificateArn=own)["Certificate"]
    assert not {"IssuedAt", "NotAfter"} & about.keys()
    with pytest.raises(ClientError, match="not yet issued"):
        make_domain(operator, own)
    record = about["DomainValidationOptions"][0]["ResourceRecord"]
    by.change(operator, by.zone_of(operator), "CREATE", by.address(record["Name"], record["Value"], "CNAME"))
    assert status(operator, own) == "ISSUED"
    for each in (own, other, elsewhere):
        acm.delete_certificate(CertificateArn=each)


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        (f"arn:aws:acm:eu-west-1:{ACCOUNT}:certificate/x", f"Certificate must be in '{DEFAULT_REGION}'"),
        (f"arn:aws:acm:{DEFAULT_REGION}:{ACCOUNT}:certificate/x", "must be owned by the account"),
        (f"arn:aws:acm:{DEFAULT_REGION}:111122223333:certificate/x", "must be owned by the account"),
    ],
)
def test_a_domain_takes_no_certificate_that_it_cannot_have(
    operator: Operator, arn: str, message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        make_domain(operator, arn)


def test_what_is_in_use_cannot_be_deleted(operator: Operator) -> None:
    arn = by.certificate(operator, NAME)
    make_domain(operator, arn)
    api = operator.api.create_api(
        Name="x", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a"
    )["ApiId"]
    operator.api.create_stage(ApiId=api, StageName="live")
    mapping = operator.api.create_api_mapping(DomainName=NAME, ApiId=api, Stage="live")["ApiMappingId"]
    with pytest.raises(ClientError, match="is in use"):
        operator.root("acm").delete_certificate(CertificateArn=arn)
    with pytest.raises(ClientError, match="Please remove all API mappings"):
        operator.api.delete_api(ApiId=api)
    with pytest.raises(ClientError, match="Please remove all API mappings"):
        operator.api.delete_stage(ApiId=api, StageName="live")
    operator.api.delete_api_mapping(DomainName=NAME, ApiMappingId=mapping)
    operator.api.delete_stage(ApiId=api, StageName="live")
    operator.api.delete_api(ApiId=api)
    operator.api.delete_domain_name(DomainName=NAME)
    operator.root("acm").delete_certificate(CertificateArn=arn)


def test_one_request_with_one_token_is_one_certificate(operator: Operator) -> None:
    acm = operator.root("acm")

    def requested(token: str) -> str:
        wanted = {"DomainName": NAME, "ValidationMethod": "DNS", "IdempotencyToken": token}
        return str(acm.request_certificate(**wanted)["CertificateArn"])

    first, again, other = requested("a"), requested("a"), requested("b")
    assert first == again != other
    for each in (first, other):
        acm.delete_certificate(CertificateArn=each)
