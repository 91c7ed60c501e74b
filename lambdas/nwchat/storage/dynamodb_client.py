"""DynamoDB's low-level API, as far as the functions use it, with the names and values of boto3's client.

Items are DynamoDB's typed JSON in both directions. Attributes must not be binary: this chat stores none, and
they would be texts in base64.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nwchat.aws.errors import AwsError
from nwchat.aws.service_client import JsonService

if TYPE_CHECKING:
    from typing import Protocol

    class DynamoDb(Protocol):
        """What this package needs of a client, as boto3's has it. Each call raises the client's errors."""

        @property
        def exceptions(self) -> Any:
            """The classes of errors, by AWS's codes."""

        @property
        def put_item(self) -> Callable[..., Any]: ...
        @property
        def update_item(self) -> Callable[..., Any]: ...
        @property
        def delete_item(self) -> Callable[..., Any]: ...
        @property
        def query(self) -> Callable[..., Any]: ...
        @property
        def scan(self) -> Callable[..., Any]: ...
        @property
        def batch_get_item(self) -> Callable[..., Any]: ...
        @property
        def transact_write_items(self) -> Callable[..., Any]: ...
        @property
        def describe_table(self) -> Callable[..., Any]: ...


class ConditionalCheckFailedException(AwsError):
    """The condition of a write is not met. `response["Item"]` is the item, where the request asks for it."""


class TransactionCanceledException(AwsError):
    """A transaction was cancelled; `response["CancellationReasons"]` has a reason for each of its items."""


class DynamoDbErrors:
    """The errors that callers catch, by AWS's codes."""

    ConditionalCheckFailedException = ConditionalCheckFailedException
    TransactionCanceledException = TransactionCanceledException


class DynamoDbClient(JsonService):
    """A client of DynamoDB. Each method takes and returns what boto3's method of that name does.

    Thread-safe. Raises AwsError, NoAwsResponse, and LookupError without credentials.
    """

    service, target, version = "dynamodb", "DynamoDB_20120810", "1.0"
    exceptions = DynamoDbErrors
    error_types: Mapping[str, type[AwsError]] = MappingProxyType(
        {each.__name__: each for each in (ConditionalCheckFailedException, TransactionCanceledException)}
    )

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self.call("PutItem", request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        return self.call("UpdateItem", request)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        return self.call("DeleteItem", request)

    def query(self, **request: Any) -> dict[str, Any]:
        return self.call("Query", request)

    def scan(self, **request: Any) -> dict[str, Any]:
        return self.call("Scan", request)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        return self.call("BatchGetItem", request)

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        """All attempts have one token, so that an attempt whose response was lost is not done twice."""
        return self.call("TransactWriteItems", {"ClientRequestToken": os.urandom(16).hex(), **request})

    def describe_table(self, **request: Any) -> dict[str, Any]:
        return self.call("DescribeTable", request)
