"""What a deploy that was killed a moment ago has made is not ready at once, as the sandbox's tables are: a
deploy that follows waits for it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox


class _Raw(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


class Creating:
    """Has a table be CREATING for so many looks at it; until then nothing can be read from or written to it
    (DynamoDB developer guide, CreateTable)."""

    def __init__(self, client: Any, table: str, looks: int) -> None:
        self.table = table
        self.looks = looks
        events = client.meta.events
        for call in ("GetItem", "UpdateItem"):
            events.register(f"before-send.dynamodb.{call}", self._sending)
        events.register("before-parse.dynamodb.DescribeTable", self._described)

    def _sending(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        if not self.looks or json.loads(_text(request))["TableName"] != self.table:
            return None
        error = "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
        body = json.dumps({"__type": error, "message": "Requested resource not found"}).encode()
        return AWSResponse(request.url, 400, _headers(body), _Raw(body))

    def _described(self, response_dict: dict[str, Any], **_: object) -> None:
        answer = json.loads(response_dict["body"])
        if self.looks and answer.get("Table", {}).get("TableName") == self.table:
            answer["Table"]["TableStatus"] = "CREATING"
            response_dict["body"] = json.dumps(answer).encode()
            self.looks -= 1


def _text(request: AWSPreparedRequest) -> bytes:
    assert isinstance(request.body, bytes)
    return request.body


def _headers(body: bytes) -> HTTPHeaders:
    made = HTTPHeaders()
    made["Content-Length"] = str(len(body))
    return made


@pytest.fixture
def operator(sandbox: Sandbox, tmp_path: Path) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-killed-early", tmp_path, NWCHAT_HISTORY__ENABLED="false")
    yield made
    made.destroy()


def test_deploy_killed_while_creating_lock_table_is_resumed(operator: Operator) -> None:
    operator.deploy()
    table = operator.resource_name("deploys")
    operator.root("dynamodb").delete_item(TableName=table, Key={"id": {"S": "deploys"}})
    # One look by whoever reads, more by whoever waits.
    creating = Creating(operator.aws.client("dynamodb"), table, looks=3)
    ran = operator.run("deploy", "--yes", "--json")
    assert ran.error is None, ran
    assert creating.looks == 0
    assert operator.plan() == []
