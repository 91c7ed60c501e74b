"""Reads, tags and copies the functions and the table of a chat that was made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from nwchat.model.ids import is_expired
from nwchat.model.rows import connection_row
from nwchatctl.aws.core.errors import is_denied
from nwchatctl.aws.core.tags import from_list
from nwchatctl.deploy.adoption import ADOPTED_BY, CopyCounts, LegacyFunction, LegacyTable, connection_from
from nwchatctl.errors import ChatError, Exit

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

WRITERS = 16
"""Rows written concurrently: below the 4,000 a second that a new table takes (aws-facts: DynamoDB)."""

PAGE = 1000
"""Rows per page, which bounds the memory."""


class LegacyResources:
    """Reads and tags the old resources, and copies the old rows into the new table. Changes nothing else of
    them."""

    def __init__(self, dynamodb: DynamoDBClient, functions: LambdaClient) -> None:
        self._dynamodb = dynamodb
        self._functions = functions

    def table(self, name: str) -> LegacyTable | None:
        """The old table; None if it does not exist. Raises ChatError `access_denied`."""
        with _explain_denial():
            try:
                found = self._dynamodb.describe_table(TableName=name)["Table"]
            except self._dynamodb.exceptions.ResourceNotFoundException:
                return None
            arn = found["TableArn"]
            pages = self._dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
            tags = from_list([tag for page in pages for tag in page.get("Tags", [])])
        keys = {each["KeyType"]: each["AttributeName"] for each in found.get("KeySchema", [])}
        return LegacyTable(name, arn, keys.get("HASH", ""), dict(tags))

    def function(self, name: str) -> LegacyFunction | None:
        """An old function; None if it does not exist. Raises ChatError `access_denied`."""
        with _explain_denial():
            try:
                arn = self._functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
            except self._functions.exceptions.ResourceNotFoundException:
                return None
            return LegacyFunction(name, arn, self._functions.list_tags(Resource=arn).get("Tags", {}))

    def tag(self, old: LegacyTable | LegacyFunction, chat: str) -> None:
        """Tags the resource as adopted by the chat. Raises ChatError `access_denied`."""
        with _explain_denial():
            match old:
                case LegacyTable():
                    tags: list[Any] = [{"Key": ADOPTED_BY, "Value": chat}]
                    self._dynamodb.tag_resource(ResourceArn=old.arn, Tags=tags)
                case LegacyFunction():
                    self._functions.tag_resource(Resource=old.arn, Tags={ADOPTED_BY: chat})

    def count(self, table: LegacyTable) -> int:
        """The number of rows. DescribeTable's ItemCount may be six hours old (API reference)."""
        return sum(response["Count"] for response in self._pages(table, Select="COUNT"))

    def copy(
        self, table: LegacyTable, into: str, now_ms: int, progress: Callable[[int], None] = lambda count: None
    ) -> CopyCounts:
        """Copies the table's rows into the table `into`, page by page. An existing row is not overwritten.

        `progress` receives the number of rows read. Throttled writes are retried as every call is (session:
        ATTEMPTS), then raise. It is safe to run again: rows that were copied are skipped.
        """
        total = CopyCounts()
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="copy") as pool:
            for response in self._pages(table, Limit=PAGE, ConsistentRead=True):
                rows = response.get("Items", [])
                for one in pool.map(lambda row: self._copy_row(row, table.partition_key, into, now_ms), rows):
                    total += one
                progress(total.read)
        return total

    def _copy_row(self, row: Any, key: str, into: str, now_ms: int) -> CopyCounts:
        connection = connection_from(row, key, now_ms)
        if connection is None:
            return CopyCounts(unusable=1)
        if is_expired(connection.expires_at, now_ms):
            return CopyCounts(expired=1)
        try:
            self._dynamodb.put_item(
                TableName=into,
                Item=connection_row(connection),
                ConditionExpression="attribute_not_exists(connection_id)",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return CopyCounts(present=1)
        return CopyCounts(copied=1)

    def _pages(self, table: LegacyTable, **parameters: Any) -> Iterator[Any]:
        start: dict[str, Any] = {}
        while True:
            with _explain_denial():
                response: Any = self._dynamodb.scan(TableName=table.name, **parameters, **start)
            yield response
            if not (last := response.get("LastEvaluatedKey")):
                return
            start = {"ExclusiveStartKey": last}


@contextmanager
def _explain_denial() -> Iterator[None]:
    """Turns a denied call into a ChatError that names the policy for adoptions."""
    try:
        yield
    except ClientError as error:
        if not is_denied(error):
            raise
        text = error.response.get("Error", {}).get("Message", "")
        raise ChatError(
            f"AWS refuses {error.operation_name}: {text}",
            hint="attach the policy that `nwchatctl policy adopt` prints to this user or role for the "
            "adoption, and detach it after",
            code="access_denied",
            exit_code=Exit.CONFIG,
        ) from error
