"""Tables, as DynamoDB spells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nwchatctl.aws.errors import patiently
from nwchatctl.aws.reading import Start, in_order
from nwchatctl.aws.tagging import changed, from_list, to_list
from nwchatctl.deploy.model import Pairs, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WAIT: Any = {"Delay": 1, "MaxAttempts": 180}
"""boto3's waiter asks every 20 s; a small table is ready within a few."""


class Tables:
    """Reads and changes DynamoDB tables. Each call is safe to repeat."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def read(self, name: str, start: Start = in_order) -> Table | None:
        """The table, or None where there is none."""
        try:
            described = self._client.describe_table(TableName=name)["Table"]
        except self._client.exceptions.ResourceNotFoundException:
            return None
        if described.get("TableStatus") == "DELETING":
            return None
        keys = {each["KeyType"]: each["AttributeName"] for each in described.get("KeySchema", [])}
        expiry = start(self._client.describe_time_to_live, TableName=name)
        continuous = start(self._client.describe_continuous_backups, TableName=name)
        tags = start(self._tags, described["TableArn"])
        ttl = expiry()["TimeToLiveDescription"]
        backups = continuous()["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
        return Table(
            name=name,
            partition_key=keys.get("HASH", ""),
            sort_key=keys.get("RANGE", ""),
            ttl_attribute=ttl.get("AttributeName", "")
            if ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
            else "",
            point_in_time_recovery=recovery == "ENABLED",
            deletion_protection=described.get("DeletionProtectionEnabled", False),
            # A table that was always provisioned has no summary (DescribeTable).
            billing=described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            tags=tags(),
        )

    def create(self, table: Table) -> None:
        """Makes the table with its tags, waits until it is active, then sets what CreateTable cannot."""
        key_schema: list[Any] = [{"AttributeName": table.partition_key, "KeyType": "HASH"}]
        if table.sort_key:
            key_schema.append({"AttributeName": table.sort_key, "KeyType": "RANGE"})
        attributes: list[Any] = [
            {"AttributeName": each, "AttributeType": "S"}
            for each in (table.partition_key, table.sort_key)
            if each
        ]
        patiently(
            self._client.create_table,
            TableName=table.name,
            KeySchema=key_schema,
            AttributeDefinitions=attributes,
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=table.deletion_protection,
            Tags=to_list(table.tags),
        )
        self._wait(table.name)
        self._set_expiry(table, "")
        if table.point_in_time_recovery:
            self._set_recovery(table)

    def update(self, before: Table, after: Table) -> None:
        """Changes what differs. The planner never asks for another key: that would be another table."""
        if before.deletion_protection != after.deletion_protection or before.billing != after.billing:
            settings: dict[str, Any] = {"DeletionProtectionEnabled": after.deletion_protection}
            if before.billing != after.billing:
                settings["BillingMode"] = after.billing
            patiently(self._client.update_table, TableName=after.name, **settings)
            self._wait(after.name)
        if before.ttl_attribute != after.ttl_attribute:
            self._set_expiry(after, before.ttl_attribute)
        if before.point_in_time_recovery != after.point_in_time_recovery:
            self._set_recovery(after)
        if before.tags != after.tags:
            self._retag(before, after)

    def delete(self, table: Table) -> None:
        """Removes the table and all its data; one that is gone already is fine."""
        try:
            if table.deletion_protection:
                patiently(self._client.update_table, TableName=table.name, DeletionProtectionEnabled=False)
                self._wait(table.name)
            patiently(self._client.delete_table, TableName=table.name)
        except self._client.exceptions.ResourceNotFoundException:
            return
        self._client.get_waiter("table_not_exists").wait(TableName=table.name, WaiterConfig=_WAIT)

    def _wait(self, name: str) -> None:
        self._client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=_WAIT)

    def _set_expiry(self, after: Table, before: str) -> None:
        # One attribute must be switched off before another is switched on (UpdateTimeToLive).
        for attribute, enabled in ((before, False), (after.ttl_attribute, True)):
            if attribute:
                patiently(
                    self._client.update_time_to_live,
                    TableName=after.name,
                    TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute},
                )

    def _set_recovery(self, table: Table) -> None:
        patiently(
            self._client.update_continuous_backups,
            TableName=table.name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": table.point_in_time_recovery},
        )

    def _retag(self, before: Table, after: Table) -> None:
        arn = self._client.describe_table(TableName=after.name)["Table"]["TableArn"]
        put, dropped = changed(before.tags, after.tags)
        if put:
            self._client.tag_resource(ResourceArn=arn, Tags=to_list(put))
        if dropped:
            self._client.untag_resource(ResourceArn=arn, TagKeys=dropped)

    def _tags(self, arn: str) -> Pairs:
        pages = self._client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
        return from_list([tag for page in pages for tag in page.get("Tags", [])])
