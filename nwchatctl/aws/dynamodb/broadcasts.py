"""The rows that store broadcasts by their id, in the messages table. Times are epoch ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nwchat.large_rooms import segments
from nwchat.model.ids import DEDUP_ID, is_expired
from nwchat.model.rows import expiry_of, message_row
from nwchat.storage.store import Dedup, dedup_put
from nwchatctl.chat.broadcast_progress import BroadcastLease, BroadcastRecord, Checkpoint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from nwchat.model.wire import Message


class CheckpointNotSaved(Exception):
    """The checkpoint of a broadcast could not be stored."""


class Broadcasts:
    """Reads and writes the row of one `dedup` in `table`. Each write is conditional on what was read."""

    def __init__(self, client: DynamoDBClient, table: str, dedup: Dedup) -> None:
        self._client = client
        self._table = table
        self._dedup = dedup
        self.room = dedup.room
        """The row's partition key, where `fanout` writes what it has done."""
        self._key: Any = {"room": {"S": self.room}, "id": {"S": DEDUP_ID}}

    def begin(self, record: BroadcastRecord, message: Message, expires_at: int | None, now_ms: int) -> bool:
        """Stores the record and `message` (unless `expires_at`, epoch seconds, is None), both or neither;
        False if the id was used before."""
        put = dedup_put(
            self._table,
            self._dedup,
            record.message_id,
            now_ms,
            frame={"S": record.frame},
            to_user={"S": record.to_user},
            **_attributes(record),
        )
        puts: list[Any] = [{"Put": put}]
        if expires_at is not None:
            puts.append({"Put": {"TableName": self._table, "Item": message_row(message, expires_at)}})
        try:
            self._client.transact_write_items(TransactItems=puts)
        except self._client.exceptions.TransactionCanceledException as cancelled:
            response: Any = cancelled.response
            codes = [each.get("Code") for each in response.get("CancellationReasons", [])]
            if codes[:1] == ["ConditionalCheckFailed"] or "TransactionConflict" in codes:
                # A conflict means that another process is creating the row.
                return False
            raise
        return True

    def read(self, now_ms: int) -> BroadcastRecord | None:
        """The row; None if there is none or it has expired: TTL may delete it later."""
        response = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        row: Any = response.get("Item")
        if not row or is_expired(expiry_of(row), now_ms):
            return None
        progress = row.get("progress", {}).get("S")
        return BroadcastRecord(
            message_id=str(row["message_id"]["S"]),
            frame=str(row.get("frame", {}).get("S", "")),
            to_user=str(row.get("to_user", {}).get("S", "")),
            # An earlier release stored only the id, and sent at once.
            checkpoint=Checkpoint.from_json(progress) if progress is not None else Checkpoint((), ()),
            lease=_lease_of(row),
        )

    def fanout_progress(self) -> segments.SegmentProgress:
        """The progress that the `fanout` function has stored."""
        response = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        return segments.progress_of(response.get("Item", {}))

    def take_over(self, record: BroadcastRecord, lease: BroadcastLease) -> bool:
        """Makes `lease` the current one if the row has not changed since `record`; whether it succeeded."""
        values: dict[str, Any] = _values(
            BroadcastRecord(record.message_id, checkpoint=record.checkpoint, lease=lease)
        )
        condition = "attribute_exists(room) AND attribute_not_exists(holder)"
        if record.lease is not None:
            condition = "holder = :was AND held_until = :was_until"
            values[":was"] = {"S": record.lease.process}
            values[":was_until"] = {"N": str(record.lease.until)}
        return self._update(condition, values)

    def save(self, record: BroadcastRecord, lease: BroadcastLease) -> bool:
        """Stores the checkpoint as the holder of `lease`; False if another process holds the lease now.

        If `record.lease` is None, the lease is released. Raises CheckpointNotSaved if AWS cannot be reached
        or refuses.
        """
        try:
            return self._update("holder = :mine", {**_values(record), ":mine": {"S": lease.process}})
        except (BotoCoreError, ClientError) as error:
            raise CheckpointNotSaved(str(error)) from error

    def _update(self, condition: str, values: dict[str, Any]) -> bool:
        lease_update = (
            "holder = :holder, held_by = :owner, held_until = :until, " if ":holder" in values else ""
        )
        lease_removal = "" if lease_update else " REMOVE holder, held_by, held_until"
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression=f"SET {lease_update}progress = :progress{lease_removal}",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _attributes(record: BroadcastRecord) -> dict[str, Any]:
    """The attributes of a new row that later change."""
    names = {":progress": "progress", ":holder": "holder", ":owner": "held_by", ":until": "held_until"}
    return {names[name]: value for name, value in _values(record).items()}


def _values(record: BroadcastRecord) -> dict[str, Any]:
    values: dict[str, Any] = {":progress": {"S": record.checkpoint.to_json()}}
    if record.lease is not None:
        values |= {
            ":holder": {"S": record.lease.process},
            ":owner": {"S": record.lease.owner},
            ":until": {"N": str(record.lease.until)},
        }
    return values


def _lease_of(row: Any) -> BroadcastLease | None:
    if "holder" not in row:
        return None
    return BroadcastLease(row["holder"]["S"], row["held_by"]["S"], int(row["held_until"]["N"]))
