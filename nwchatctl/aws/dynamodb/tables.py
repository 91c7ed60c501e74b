"""Tables, as DynamoDB spells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from nwchatctl.aws.core.errors import is_denied
from nwchatctl.aws.core.parallel import StartRead, run_inline
from nwchatctl.aws.core.retry import error_code, wait_until, with_retries
from nwchatctl.aws.core.tags import from_list, tag_changes, to_list
from nwchatctl.aws.core.update_existing import update_existing
from nwchatctl.deploy.model.storage import Table
from nwchatctl.deploy.model.string_map import StringMap
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

_WAIT_SECONDS = 180.0
"""boto3's waiters poll every 20 s; a small table is ready within a few."""


_NOT_THERE = ("ResourceNotFoundException", "ResourceInUseException")
"""What reads may answer of a table that is being created or deleted."""


_CREATE_ATTEMPTS = 3
"""How often a table is created that is deleted meanwhile."""


class Tables:
    """Reads and changes DynamoDB tables. Each call is safe to repeat."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def read(self, name: str, start: StartRead = run_inline) -> Table | None:
        """The table; None if it does not exist, is being deleted, or is so new that AWS does not show its
        tags: `create` waits for that one and sees whose it is."""
        try:
            described = self._client.describe_table(TableName=name)["Table"]
        except self._client.exceptions.ResourceNotFoundException:
            return None
        if described.get("TableStatus") == "DELETING":
            return None
        try:
            found = self._table(described, start)
        except ClientError as error:
            # Of a table that was deleted meanwhile, ListTagsOfResource answers that access is denied.
            if is_denied(error) and self._status(name) == "ACTIVE":
                raise
            if not is_denied(error) and error_code(error) not in _NOT_THERE:
                raise
            return None
        return None if described.get("TableStatus") == "CREATING" and not found.tags else found

    def _table(self, described: TableDescriptionTypeDef, start: StartRead) -> Table:
        name = described.get("TableName", "")
        expiry = start(self._expiry, name)
        tags = start(self._tags, described.get("TableArn", ""))
        keys = {each["KeyType"]: each["AttributeName"] for each in described.get("KeySchema", [])}
        return Table(
            name=name,
            partition_key=keys.get("HASH", ""),
            sort_key=keys.get("RANGE", ""),
            ttl_attribute=expiry(),
            deletion_protection=described.get("DeletionProtectionEnabled", False),
            # A table that was always provisioned has no summary (DescribeTable).
            billing=described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            tags=tags(),
            items=described.get("ItemCount"),
        )

    def create(self, table: Table) -> None:
        """Creates the table with its tags, waits until it is active, then sets what CreateTable cannot.

        Updates an existing table of the chat; waits for a table that is being deleted. Raises ChatError
        `not_ours` if the existing table is not the chat's, and `timeout`.
        """
        attempts = 1
        while not self._created_or_updated(table, last=attempts == _CREATE_ATTEMPTS):
            attempts += 1

    def _created_or_updated(self, table: Table, *, last: bool) -> bool:
        """Whether the table is as wanted: False if an existing one was or is being deleted, unless this is
        the `last` attempt, which raises the error."""
        try:
            self._make(table)
        except self._client.exceptions.ResourceInUseException as error:
            return self._updated(table, error, last=last)
        self._wait(table.name, "ACTIVE")
        self._set_expiry(table, "")
        return True

    def _updated(self, table: Table, error: Exception, *, last: bool) -> bool:
        self._wait(table.name, "ACTIVE", "")
        if not with_retries(self._status, table.name) and not last:
            return False
        try:
            update_existing(table, self.read, self.update, error)
        except ClientError as failed:
            # Another command deletes it meanwhile.
            if last or error_code(failed) not in _NOT_THERE:
                raise
            return False
        return True

    def _make(self, table: Table) -> None:
        key_schema: list[Any] = [{"AttributeName": table.partition_key, "KeyType": "HASH"}]
        if table.sort_key:
            key_schema.append({"AttributeName": table.sort_key, "KeyType": "RANGE"})
        attributes: list[Any] = [
            {"AttributeName": each, "AttributeType": "S"}
            for each in (table.partition_key, table.sort_key)
            if each
        ]
        with_retries(
            self._client.create_table,
            TableName=table.name,
            KeySchema=key_schema,
            AttributeDefinitions=attributes,
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=table.deletion_protection,
            Tags=to_list(table.tags),
        )

    def wait(self, name: str) -> None:
        """Waits until an existing table is active, or deleted by another command. Raises ChatError
        `timeout`."""
        self._wait(name, "ACTIVE", "")

    def update(self, before: Table, after: Table) -> None:
        """Updates what differs. The planner never changes a key: that would be another table."""
        if before.deletion_protection != after.deletion_protection:
            self._change(after.name, DeletionProtectionEnabled=after.deletion_protection)
        if before.billing != after.billing:
            self._change(after.name, BillingMode=after.billing)
        if before.ttl_attribute != after.ttl_attribute:
            self._set_expiry(after, before.ttl_attribute)
        if before.tags != after.tags:
            self._retag(before, after)

    def delete(self, table: Table) -> None:
        """Deletes the table and all its data; a missing table is no error."""
        try:
            if table.deletion_protection:
                self._change(table.name, "", DeletionProtectionEnabled=False)
            with_retries(self._client.delete_table, TableName=table.name)
        except self._client.exceptions.ResourceNotFoundException:
            return
        except self._client.exceptions.ResourceInUseException as error:
            if "being deleted" not in str(error):
                raise
        self._wait(table.name, "")

    def _change(self, name: str, *gone: str, **change: Any) -> None:
        """Makes one kind of change, which is all that UpdateTable takes at once, and waits until the table is
        ACTIVE again; with "" also if it was deleted meanwhile."""
        with_retries(self._client.update_table, TableName=name, **change)
        self._wait(name, "ACTIVE", *gone)

    def _wait(self, name: str, *states: str) -> None:
        """Waits until the table is in one of `states`; "" is the state of a table that does not exist."""
        wanted = " or ".join(each.lower() or "gone" for each in states)
        wait_until(lambda: self._status(name) in states, f"table {name} is not {wanted}", _WAIT_SECONDS)

    def _status(self, name: str) -> str:
        try:
            return str(self._client.describe_table(TableName=name)["Table"].get("TableStatus", ""))
        except self._client.exceptions.ResourceNotFoundException:
            return ""

    def _set_expiry(self, after: Table, before: str) -> None:
        # One attribute must be switched off before another is switched on (UpdateTimeToLive).
        for attribute, enabled in ((before, False), (after.ttl_attribute, True)):
            if attribute:
                self._expire(after.name, attribute, enabled)

    def _expire(self, name: str, attribute: str, enabled: bool) -> None:
        try:
            with_retries(
                self._client.update_time_to_live,
                TableName=name,
                TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute},
            )
        except self._client.exceptions.ClientError as error:
            # "TimeToLive is already enabled", "… modified multiple times": sent again after a lost answer.
            if error_code(error) == "ValidationException" and self._expiry(name) == (attribute * enabled):
                return
            if "modified multiple times" in str(error):
                raise ChatError(
                    f"the expiry of table {name} was changed within the hour, which AWS takes once",
                    hint="run the command again in an hour; nothing is lost until then",
                    code="ttl_too_soon",
                ) from error
            raise

    def _expiry(self, name: str) -> str:
        """The TTL attribute, "" if TTL is off."""
        found = with_retries(self._client.describe_time_to_live, TableName=name)["TimeToLiveDescription"]
        enabled = found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
        return found.get("AttributeName", "") if enabled else ""

    def _retag(self, before: Table, after: Table) -> None:
        arn = with_retries(self._client.describe_table, TableName=after.name)["Table"]["TableArn"]
        put, dropped = tag_changes(before.tags, after.tags)
        if put:
            with_retries(self._client.tag_resource, ResourceArn=arn, Tags=to_list(put))
        if dropped:
            with_retries(self._client.untag_resource, ResourceArn=arn, TagKeys=dropped)

    def _tags(self, arn: str) -> StringMap:
        pages = self._client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
        return from_list([tag for page in pages for tag in page.get("Tags", [])])
