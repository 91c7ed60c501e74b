"""Endpoints that were configured instead of AWS's: which holds, and which mixtures are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.configprovider import ConfiguredEndpointProvider

from nwchatctl.aws.core.service_models import SERVICES as CALLED
from nwchatctl.errors import ChatError
from nwchatctl.net.endpoints import (
    CONNECTIONS,
    SERVICE_IDS,
    Endpoints,
    check_endpoints,
    configured_endpoints,
)

SUFFIXES = ("amazonaws.com", "api.aws", "amazonaws.eu")
LOCAL = "http://127.0.0.1:4566"
VPC = "https://vpce-1-a.dynamodb.us-east-2.vpce.amazonaws.com"
SERVICES = {"local": {"dynamodb": {"endpoint_url": "http://section"}}}

CASES: list[tuple[Mapping[str, str], Mapping[str, Any], str, str]] = [
    ({}, {}, "", ""),
    ({"AWS_ENDPOINT_URL": LOCAL}, {}, LOCAL, LOCAL),
    ({"AWS_ENDPOINT_URL_DYNAMODB": VPC}, {}, VPC, ""),
    ({"AWS_ENDPOINT_URL_DYNAMODB": VPC, "AWS_ENDPOINT_URL": LOCAL}, {}, VPC, LOCAL),
    ({}, {"endpoint_url": LOCAL}, LOCAL, LOCAL),
    ({}, {"services": "local"}, "http://section", ""),
    ({}, {"services": "local", "endpoint_url": LOCAL}, "http://section", LOCAL),
    ({"AWS_ENDPOINT_URL": LOCAL}, {"services": "local"}, LOCAL, LOCAL),
    ({"AWS_ENDPOINT_URL": ""}, {}, "", ""),
]


@pytest.mark.parametrize(("environ", "profile", "dynamodb", "sqs"), CASES)
def test_which_endpoint_holds(
    environ: Mapping[str, str], profile: Mapping[str, Any], dynamodb: str, sqs: str
) -> None:
    found = configured_endpoints(environ, profile, SERVICES)
    assert (found.url("dynamodb"), found.url("sqs")) == (dynamodb, sqs)


@pytest.mark.parametrize("service", SERVICE_IDS)
def test_names_of_services_are_botocores(service: str) -> None:
    key = SERVICE_IDS[service]
    environ = {f"AWS_ENDPOINT_URL_{key.upper()}": LOCAL}
    section = {"local": {key: {"endpoint_url": LOCAL}}}
    profile = {"services": "local"}
    for used, sections in ((environ, {}), ({}, section)):
        theirs = ConfiguredEndpointProvider(
            {"services": sections}, profile if sections else {}, service, used
        )
        ours = configured_endpoints(used, profile if sections else {}, sections)
        assert ours.url(service) == theirs.provide() == LOCAL


def test_endpoints_of_all_services_are_checked() -> None:
    """Except of those with which boto3 gets credentials."""
    assert {*SERVICE_IDS} - {CONNECTIONS} == {*CALLED} - {"signin", "sso", "sso-oidc"}


@pytest.mark.parametrize(
    ("environ", "profile"),
    [
        ({"AWS_ENDPOINT_URL": LOCAL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, {}),
        ({"AWS_ENDPOINT_URL": LOCAL}, {"ignore_configured_endpoint_urls": "True"}),
    ],
)
def test_endpoints_can_be_ignored(environ: Mapping[str, str], profile: Mapping[str, Any]) -> None:
    assert configured_endpoints(environ, profile, {}) == Endpoints()


def refusal(environ: Mapping[str, str], *, fips: bool = False) -> ChatError | None:
    try:
        check_endpoints(configured_endpoints(environ, {}, {}), SUFFIXES, fips=fips)
    except ChatError as error:
        assert error.exit_code == 3
        return error
    return None


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"AWS_ENDPOINT_URL": LOCAL},
        {"AWS_ENDPOINT_URL": LOCAL, "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000"},
        {"AWS_ENDPOINT_URL_DYNAMODB": VPC},
        {"AWS_ENDPOINT_URL_STS": "https://sts.us-east-2.api.aws", "AWS_ENDPOINT_URL_DYNAMODB": VPC},
    ],
)
def test_endpoints_that_are_used(environ: Mapping[str, str]) -> None:
    assert refusal(environ) is None


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000"},
            "AWS_ENDPOINT_URL_DYNAMODB leads dynamodb to localhost, but acm stays on AWS",
        ),
        (
            {"AWS_ENDPOINT_URL": LOCAL, "AWS_ENDPOINT_URL_DYNAMODB": VPC},
            "AWS_ENDPOINT_URL leads acm to 127.0.0.1, but dynamodb stays on AWS",
        ),
        (
            {"AWS_ENDPOINT_URL_APIGATEWAYV2": LOCAL, "AWS_ENDPOINT_URL_API_GATEWAY": LOCAL},
            "AWS_ENDPOINT_URL_API_GATEWAY leads apigateway to 127.0.0.1, but acm stays on AWS",
        ),
        (
            {"AWS_ENDPOINT_URL": "https://dynamodb.us-east-2.amazonaws.com"},
            "AWS_ENDPOINT_URL leads the chat's own addresses to dynamodb.us-east-2.amazonaws.com, "
            "which does not serve them",
        ),
        # A host that only looks like one of AWS.
        (
            {"AWS_ENDPOINT_URL_SQS": "https://notamazonaws.com"},
            "AWS_ENDPOINT_URL_SQS leads sqs to notamazonaws.com, but acm stays on AWS",
        ),
    ],
)
def test_mixtures_are_refused(environ: Mapping[str, str], message: str) -> None:
    error = refusal(environ)
    assert error is not None
    assert (error.code, error.message) == ("endpoints_mixed", message)
    assert "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" in error.hint


def test_fips_and_an_endpoint_elsewhere_are_refused() -> None:
    error = refusal({"AWS_ENDPOINT_URL": LOCAL}, fips=True)
    assert error is not None
    assert error.message == "AWS_ENDPOINT_URL leads to 127.0.0.1, but FIPS endpoints are asked for"


@pytest.mark.parametrize("url", ["localhost:4566", "ftp://127.0.0.1", "http://", "http://a:b", "http://[::1"])
def test_what_is_no_url_is_refused(url: str) -> None:
    error = refusal({"AWS_ENDPOINT_URL": url})
    assert error is not None
    assert (error.code, error.message) == (
        "endpoint_invalid",
        "AWS_ENDPOINT_URL is not the URL of an endpoint",
    )


def test_the_chats_own_addresses_follow_the_endpoint() -> None:
    found = configured_endpoints({"AWS_ENDPOINT_URL": LOCAL + "/"}, {}, {})
    assert found.api_base == LOCAL
    assert configured_endpoints({"AWS_ENDPOINT_URL_DYNAMODB": VPC}, {}, {}).api_base == ""
    assert CONNECTIONS in found.by_service
