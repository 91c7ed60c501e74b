from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.loaders import Loader

from nwchat.aws.endpoints import AwsEndpoint, NoRegion, aws_endpoint, dns_suffix, region_of

PARTITIONS: list[dict[str, Any]] = Loader().load_data("partitions")["partitions"]
SUFFIXES = {
    region: str(partition["outputs"]["dnsSuffix"])
    for partition in PARTITIONS
    for region in partition["regions"]
    if not region.endswith("-global")
}


def test_dns_suffixes_are_those_of_botocore() -> None:
    assert {region: dns_suffix(region) for region in SUFFIXES} == SUFFIXES
    assert {"us-east-2", "cn-north-1", "us-gov-west-1", "us-isob-east-1"} <= set(SUFFIXES)


@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1"])
@pytest.mark.parametrize("service", ["dynamodb", "lambda", "ssm"])
def test_urls_are_those_of_boto3(service: Any, region: str) -> None:
    client = boto3.client(service, region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
    assert aws_endpoint(service, {"AWS_REGION": region}) == AwsEndpoint(client.meta.endpoint_url, region)
    client.close()


URL = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, "https://dynamodb.us-east-2.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": URL}, URL),
        ({"AWS_ENDPOINT_URL_DYNAMODB": URL, "AWS_ENDPOINT_URL": "http://other"}, URL),
        ({"AWS_ENDPOINT_URL_SSM": URL}, "https://dynamodb.us-east-2.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": ""}, "https://dynamodb.us-east-2.amazonaws.com"),
        (
            {"AWS_ENDPOINT_URL": URL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"},
            "https://dynamodb.us-east-2.amazonaws.com",
        ),
    ],
)
def test_endpoints_in_variables(env: dict[str, str], url: str) -> None:
    assert aws_endpoint("dynamodb", {"AWS_REGION": "us-east-2", **env}) == AwsEndpoint(url, "us-east-2")


def test_region_is_that_of_lambda() -> None:
    assert region_of({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}) == "a"
    assert region_of({"AWS_DEFAULT_REGION": "b"}) == "b"
    with pytest.raises(NoRegion, match="AWS_REGION"):
        region_of({})
