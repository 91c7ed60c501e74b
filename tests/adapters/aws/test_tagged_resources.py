"""Resources by their tags, in several Regions: pages, and Regions that do not answer."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.aws.tagged_resources import read_regions, read_tagged, tagging_regions
from nwchatctl.deploy.account_chats import TaggedResource
from tests.adapters.aws.stubbed_clients import StubbedClients

TAGS = {"nwchat:managed-by": "nwchatctl"}


class Regions:
    """An `Aws` whose tagging client answers by Region: with resources, or with an error."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def tagging_client(self, region: str) -> Any:
        self_ = self

        class Client:
            def get_paginator(self, name: str) -> Any:
                assert name == "get_resources"
                return self

            def paginate(self, **_: Any) -> Any:
                answer = self_.answers[region]
                if isinstance(answer, Exception):
                    raise answer
                return [{"ResourceTagMappingList": answer}]

        return Client()


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "x"}}, "GetResources")


def test_all_pages_are_read(clients: StubbedClients) -> None:
    client, stub = clients.client("resourcegroupstaggingapi")
    wanted = {"TagFilters": [{"Key": "nwchat:managed-by", "Values": ["nwchatctl"]}], "ResourcesPerPage": 100}
    mapped = [{"ResourceARN": arn, "Tags": [{"Key": "a", "Value": "b"}]} for arn in ("arn:1", "arn:2")]
    stub.add_response("get_resources", {"ResourceTagMappingList": mapped[:1], "PaginationToken": "t"}, wanted)
    rest = {**wanted, "PaginationToken": "t"}
    stub.add_response("get_resources", {"ResourceTagMappingList": mapped[1:], "PaginationToken": ""}, rest)

    class One:
        def tagging_client(self, region: str) -> Any:
            return client

    found = read_tagged(cast(Aws, One()), "us-east-2", TAGS)
    assert found == (TaggedResource("arn:1", {"a": "b"}), TaggedResource("arn:2", {"a": "b"}))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        *((error(code), "not enabled") for code in ("UnrecognizedClientException", "InvalidClientTokenId")),
        *((error(code), "not enabled") for code in ("OptInRequired", "RegionDisabledException")),
        (error("AccessDeniedException"), "denied"),
        (error("InternalServiceException"), "failed"),
        (EndpointConnectionError(endpoint_url="https://tagging"), "failed"),
    ],
)
def test_region_without_an_answer_is_skipped_with_the_reason(answer: Exception, problem: str) -> None:
    there = [{"ResourceARN": "arn:1", "Tags": []}]
    aws = cast(Aws, Regions(here=there, there=answer))
    here, other = read_regions(aws, ["here", "there"], TAGS)
    assert (here.region, here.resources, here.problem) == ("here", (TaggedResource("arn:1", {}),), "")
    assert (other.region, other.resources, other.problem, other.error) == ("there", (), problem, answer)


def test_each_region_is_asked_at_its_own_address() -> None:
    aws = Aws(Access(region="us-east-2", credentials=StaticCredentials("AKIA", "secret")))
    assert {"us-east-2", "eu-west-1", "ap-southeast-2"} <= {*tagging_regions(aws, "aws")}
    assert {*tagging_regions(aws, "aws-us-gov")} == {"us-gov-east-1", "us-gov-west-1"}
    assert aws.tagging_client("eu-west-1").meta.endpoint_url == "https://tagging.eu-west-1.amazonaws.com"
