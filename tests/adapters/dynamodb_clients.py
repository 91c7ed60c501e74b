"""The functions' client of DynamoDB, against moto within `mock_aws` or against a server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.models import botocore_stubber

from nwchat.aws.endpoints import AwsEndpoint
from nwchat.aws.http_client import HttpAnswer
from nwchat.aws.signing import Credentials
from nwchat.storage.dynamodb_client import DynamoDbClient

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "us-east-2"
MOTO_URL = f"https://dynamodb.{REGION}.amazonaws.com"


class MotoHttp:
    """In place of an HttpClient: moto answers."""

    def send(self, request: bytes) -> HttpAnswer:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = HTTPHeaders()
        for line in lines:
            name, _, value = line.partition(": ")
            headers[name] = value
        answer = botocore_stubber.process_request(
            AWSPreparedRequest(method, f"{MOTO_URL}{path}", headers, body, False)
        )
        assert answer is not None
        status, received, text = answer
        found = "".join(f"\r\n{name}: {value}" for name, value in received.items())
        return HttpAnswer(
            int(status), found.encode("latin-1"), text if isinstance(text, bytes) else text.encode()
        )


class FunctionsClient(DynamoDbClient):
    """The functions' client; with `others` for what only tests call, as the creation of tables."""

    def __init__(self, others: DynamoDBClient, url: str = MOTO_URL) -> None:
        super().__init__(AwsEndpoint(url, REGION), lambda: Credentials("a", "b"), self._no_tls)
        self.others = others
        if url == MOTO_URL:
            moto: Any = MotoHttp()
            self._http = moto

    def __getattr__(self, name: str) -> Any:
        return getattr(self.others, name)

    @staticmethod
    def _no_tls() -> Any:
        raise AssertionError("these tests use no TLS")


class Atomic:
    """Passes on to a client, one call at a time: DynamoDB's writes are atomic, those of moto are not."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.lock = threading.Lock()
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def call(**request: Any) -> Any:
            with self.lock:
                return method(**request)

        return call
