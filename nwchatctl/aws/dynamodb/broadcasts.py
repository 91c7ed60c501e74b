"""The rows that store broadcasts by their id, in the messages table. Times are epoch ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nwchat.large_rooms import segments
from nwchat.model.ids import DEDUP_ID, is_expired
from nwchat.model.rows import expiry_of, message_row
from nwchat.storage.store import Dedup, dedup_put
from nwchatctl.aws.core.retry import cancellation_codes, with_retries
from nwchatctl.chat.broadcast_progress import BroadcastLease, BroadcastRecord, Checkpoint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from nwchat.model.wire import Message


class CheckpointNotSaved(Exception):
    """The checkpoint of a broadcast could not be stored."""


class Broadcasts:
    """Reads and writes the row of one `dedup` in `table`. Each write is conditional on what was read.

    `client` sends each call once; what is transient (a transaction in flight, throttling, a lost answer) is
    retried here, within the bounds of `nwchatctl.aws.core.retry`. A write whose answer was lost may fail on
    its own success when it is repeated: the caller reads the row then, and finds its own lease or progress.
    """

    def __init__(self, client: DynamoDBClient, table: str, dedup: Dedup) -> None:
        self._client = client
        self._table = table
        self._dedup = dedup
        self.room = dedup.room
        """The row's partition key, where `fanout` writes what it has done."""
        self._key: Any = {"room": {"S": self.room}, "id": {"S": DEDUP_ID}}

    def begin(self, record: BroadcastRecord, message: Message, expires_at: int | None, now_ms: int) -> bool:
        """Stores the record and `message` (unless `expires_at`, epoch seconds, is None), both or neither;
        False if the id was used for an announcement before.

        A row that is no announcement is replaced: nobody else can keep an announcement from being sent.
        """
        put = dedup_put(
            self._table,
            self._dedup,
            record.message_id,
            now_ms,
            frame={"S": record.frame},
            to_user={"S": record.to_user},
            **_attributes(record),
        )
        put["ConditionExpression"] += f" OR attribute_not_exists({_KIND})"
        puts: list[Any] = [{"Put": put}]
        if expires_at is not None:
            puts.append({"Put": {"TableName": self._table, "Item": message_row(message, expires_at)}})
        try:
            with_retries(self._client.transact_write_items, TransactItems=puts)
        except self._client.exceptions.TransactionCanceledException as cancelled:
            if cancellation_codes(cancelled)[:1] == ["ConditionalCheckFailed"]:
                return False
            raise
        return True

    def read(self, now_ms: int) -> BroadcastRecord | None:
        """The announcement; None if there is none, if its row has expired (TTL may delete it later), or if
        the row is not an announcement."""
        row = self._get()
        if _KIND not in row or is_expired(expiry_of(row), now_ms):
            return None
        return BroadcastRecord(
            message_id=str(row["message_id"]["S"]),
            frame=str(row.get("frame", {}).get("S", "")),
            to_user=str(row.get("to_user", {}).get("S", "")),
            checkpoint=Checkpoint.from_json(row[_KIND]["S"]),
            lease=_lease_of(row),
        )

    def take_over(self, record: BroadcastRecord, lease: BroadcastLease) -> bool:
        """Makes `lease` the current one if the row has not changed since `record` was read, neither its lease
        nor its progress; whether it succeeded."""
        values = {**_lease_values(lease), ":id": {"S": record.message_id}}
        condition = f"message_id = :id AND {_KIND} = :read AND attribute_not_exists(holder)"
        values[":read"] = {"S": record.checkpoint.to_json()}
        if record.lease is not None:
            condition = f"message_id = :id AND {_KIND} = :read AND holder = :was AND held_until = :was_until"
            values[":was"] = {"S": record.lease.process}
            values[":was_until"] = {"N": str(record.lease.until)}
        return with_retries(self._update, _SET_LEASE, condition, values)

    def renew(self, record: BroadcastRecord, lease: BroadcastLease) -> bool:
        """Stores the checkpoint and the new end of `lease`, in one attempt; False if another process holds
        the lease now. Raises CheckpointNotSaved if AWS cannot be reached or refuses."""
        values = {**_lease_values(lease), **_progress(record), ":mine": {"S": lease.process}}
        try:
            return self._update(f"{_SET_LEASE}, {_KIND} = :progress", "holder = :mine", values)
        except (BotoCoreError, ClientError) as error:
            raise CheckpointNotSaved(str(error)) from error

    def finish(self, record: BroadcastRecord, lease: BroadcastLease) -> bool:
        """Stores the last checkpoint and releases `lease`; False if another process holds the lease now.
        Raises CheckpointNotSaved if AWS cannot be reached for too long or refuses."""
        values = {**_progress(record), ":mine": {"S": lease.process}}
        update = f"SET {_KIND} = :progress REMOVE holder, held_by, held_until"
        try:
            if with_retries(self._update, update, "holder = :mine", values):
                return True
            # If the answer was lost, the repeated write fails on the first one's success.
            row = with_retries(self._get)
        except (BotoCoreError, ClientError) as error:
            raise CheckpointNotSaved(str(error)) from error
        own = row.get("message_id") == {"S": record.message_id} and row.get(_KIND) == values[":progress"]
        return own and "holder" not in row

    def fanout_progress(self, message_id: str) -> segments.SegmentProgress:
        """The progress that the `fanout` function has stored: in rows of its own, or by an earlier release in
        the announcement's row."""
        request: Any = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "room = :room AND begins_with(id, :reports)",
            "ExpressionAttributeValues": {
                ":room": {"S": self.room},
                ":reports": {"S": segments.report_row_prefix(message_id)},
            },
        }
        reports = dict(self._get())
        while True:
            response = with_retries(self._client.query, **request)
            for row in response.get("Items", []):
                reports |= segments.reports_in(row)
            if not (last := response.get("LastEvaluatedKey")):
                return segments.progress_of(reports)
            request["ExclusiveStartKey"] = last

    def _get(self) -> Any:
        """The row as it is; {} if there is none."""
        response = with_retries(
            self._client.get_item, TableName=self._table, Key=self._key, ConsistentRead=True
        )
        return response.get("Item", {})

    def _update(self, update: str, condition: str, values: dict[str, Any]) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


_KIND = "progress"
"""The attribute that only the row of an announcement has."""

_SET_LEASE = "SET holder = :holder, held_by = :owner, held_until = :until"


def _attributes(record: BroadcastRecord) -> dict[str, Any]:
    """The attributes of a new row that later change."""
    values = _progress(record) | ({} if record.lease is None else _lease_values(record.lease))
    names = {":progress": _KIND, ":holder": "holder", ":owner": "held_by", ":until": "held_until"}
    return {names[name]: value for name, value in values.items()}


def _progress(record: BroadcastRecord) -> dict[str, Any]:
    return {":progress": {"S": record.checkpoint.to_json()}}


def _lease_values(lease: BroadcastLease) -> dict[str, Any]:
    return {
        ":holder": {"S": lease.process},
        ":owner": {"S": lease.owner},
        ":until": {"N": str(lease.until)},
    }


def _lease_of(row: Any) -> BroadcastLease | None:
    if "holder" not in row:
        return None
    return BroadcastLease(row["holder"]["S"], row["held_by"]["S"], int(row["held_until"]["N"]))
