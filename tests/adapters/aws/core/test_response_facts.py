"""Failed calls carry what explains them: service, Region, resource, and how far the clock is off."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from nwchatctl.aws.core.error_context import RefusalFacts, facts_of
from nwchatctl.aws.core.errors import refusal_of
from nwchatctl.aws.core.response_facts import record_facts, resource_text
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials

SANDBOX = Access("", "us-east-2", "http://127.0.0.1:1", StaticCredentials("AKIDEXAMPLE", "x"))
LATER_MS = 1_450_729_190_000 + 600_000


def test_an_error_has_its_facts() -> None:
    client = Aws(SANDBOX).client("dynamodb")
    record_facts(client, lambda: LATER_MS)
    headers = {"HTTPHeaders": {"date": "Mon, 21 Dec 2015 20:19:50 GMT"}}
    with Stubber(client) as stub, pytest.raises(ClientError) as caught:
        stub.add_client_error("scan", "ResourceNotFoundException", "no", 400, response_meta=headers)
        client.scan(TableName="nwchat-x-messages")
    wanted = RefusalFacts("dynamodb", "us-east-2", "table nwchat-x-messages", 600)
    assert facts_of(caught.value.response) == refusal_of(caught.value).facts == wanted


def test_every_client_of_the_tool_records_them() -> None:
    client = Aws(SANDBOX).client("sts")
    with Stubber(client) as stub, pytest.raises(ClientError) as caught:
        stub.add_client_error("get_caller_identity", "InvalidClientTokenId", "no", 403)
        client.get_caller_identity()
    assert facts_of(caught.value.response) == RefusalFacts("sts", "us-east-2", "", None)


def test_errors_of_other_clients_have_none() -> None:
    assert facts_of({}) == facts_of({"ResponseMetadata": {"nwchatctl": "x"}}) == RefusalFacts()


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"TableName": "t"}, "table t"),
        ({"RequestItems": {"t": [{}]}}, "table t"),
        ({"TransactItems": [{"Put": {"TableName": "t"}}]}, "table t"),
        ({"FunctionName": "f", "Qualifier": "live"}, "function f"),
        ({"FunctionName": "f:live"}, "function f"),
        ({"FunctionName": "arn:aws:lambda:us-east-2:1:function:f:live"}, "function f"),
        ({"RoleName": "r"}, ""),
        ({"TransactItems": []}, ""),
        ({}, ""),
    ],
)
def test_resources(params: dict[str, Any], text: str) -> None:
    assert resource_text(params) == text
