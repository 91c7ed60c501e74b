"""The rows that remember announcements by their id, in the table of messages. Times are epoch ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nwchat.large_rooms import segments
from nwchat.model.ids import DEDUP_ID, dedup_room, is_expired
from nwchat.model.rows import expiry_of, message_row
from nwchat.storage.store import Dedup, remembering
from nwchatctl.chat.broadcast_progress import BroadcastLease, BroadcastRecord, Checkpoint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from nwchat.model.wire import Message


class CheckpointNotSaved(Exception):
    """How far an announcement came could not be written down."""


class Broadcasts:
    """Reads and writes the row of one `dedup` in `table`. Each write says what it expects to find."""

    def __init__(self, client: DynamoDBClient, table: str, dedup: Dedup) -> None:
        self._client = client
        self._table = table
        self._dedup = dedup
        self.room = dedup_room(dedup.scope, dedup.key)
        """The row's partition key, where `fanout` writes what it has done."""
        self._key: Any = {"room": {"S": self.room}, "id": {"S": DEDUP_ID}}

    def begin(self, record: BroadcastRecord, message: Message, expires_at: int | None, now_ms: int) -> bool:
        """Remembers `record` and stores `message` (unless `expires_at`, epoch seconds, is None), both or
        neither; False when the id was used before."""
        dedup_put = remembering(
            self._table,
            self._dedup,
            record.message_id,
            now_ms,
            frame={"S": record.frame},
            to_user={"S": record.to_user},
            **_attributes(record),
        )
        puts: list[Any] = [{"Put": dedup_put}]
        if expires_at is not None:
            puts.append({"Put": {"TableName": self._table, "Item": message_row(message, expires_at)}})
        try:
            self._client.transact_write_items(TransactItems=puts)
        except self._client.exceptions.TransactionCanceledException as cancelled:
            response: Any = cancelled.response
            codes = [each.get("Code") for each in response.get("CancellationReasons", [])]
            if codes[:1] == ["ConditionalCheckFailed"] or "TransactionConflict" in codes:
                # In a conflict the other one is just beginning.
                return False
            raise
        return True

    def read(self, now_ms: int) -> BroadcastRecord | None:
        """The row as it is; None for none, and for one whose day is over, which TTL may leave for a while."""
        response = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        row: Any = response.get("Item")
        if not row or is_expired(expiry_of(row), now_ms):
            return None
        progress = row.get("progress", {}).get("S")
        return BroadcastRecord(
            message_id=str(row["message_id"]["S"]),
            frame=str(row.get("frame", {}).get("S", "")),
            to_user=str(row.get("to_user", {}).get("S", "")),
            # An earlier release remembered the id alone, and sent at once.
            checkpoint=Checkpoint.from_json(progress) if progress is not None else Checkpoint((), ()),
            lease=_lease_of(row),
        )

    def fanout_progress(self) -> segments.Progress:
        """What the function `fanout` says that it has done of it."""
        response = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        return segments.progress_of(response.get("Item", {}))

    def take_over(self, record: BroadcastRecord, lease: BroadcastLease) -> bool:
        """Makes `lease` the one who is at it, if the row is still as `record`; whether it is now."""
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
        """Writes how far `lease` has come; False when somebody else is at it by now.

        With `state.holder` None it is let go. Raises NotSaved when AWS cannot be reached, or says no.
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
    """The attributes that change, of a row that is made."""
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
