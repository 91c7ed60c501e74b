"""The rows that remember announcements by their id, in the table of messages. Times are epoch ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nwchat.large_rooms import segments
from nwchat.model.ids import DEDUP_ID, dedup_room, is_expired
from nwchat.model.rows import expiry_of, message_row
from nwchat.storage.store import Dedup, dedup_put
from nwchatctl.chat.broadcast_progress import BroadcastLease, BroadcastRecord, Checkpoint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from nwchat.model.wire import Message


class NotSaved(Exception):
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

    def begin(self, state: BroadcastRecord, message: Message, expires_at: int | None, now_ms: int) -> bool:
        """Remembers `state` and stores `message` (unless `expires_at`, epoch seconds, is None), both or
        neither; False when the id was used before."""
        remember = dedup_put(
            self._table,
            self._dedup,
            state.message_id,
            now_ms,
            frame={"S": state.frame},
            to_user={"S": state.to_user},
            **_changing(state),
        )
        puts: list[Any] = [{"Put": remember}]
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
        answer = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        row: Any = answer.get("Item")
        if not row or is_expired(expiry_of(row), now_ms):
            return None
        progress = row.get("progress", {}).get("S")
        return BroadcastRecord(
            message_id=str(row["message_id"]["S"]),
            frame=str(row.get("frame", {}).get("S", "")),
            to_user=str(row.get("to_user", {}).get("S", "")),
            # An earlier release remembered the id alone, and sent at once.
            checkpoint=Checkpoint.from_json(progress) if progress is not None else Checkpoint((), ()),
            lease=_holder(row),
        )

    def done(self) -> segments.SegmentProgress:
        """What the function `fanout` says that it has done of it."""
        answer = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        return segments.progress_of(answer.get("Item", {}))

    def take_over(self, state: BroadcastRecord, holder: BroadcastLease) -> bool:
        """Makes `holder` the one who is at it, if the row is still as `state`; whether it is now."""
        values: dict[str, Any] = _values(
            BroadcastRecord(state.message_id, checkpoint=state.checkpoint, lease=holder)
        )
        condition = "attribute_exists(room) AND attribute_not_exists(holder)"
        if state.lease is not None:
            condition = "holder = :was AND held_until = :was_until"
            values[":was"] = {"S": state.lease.process}
            values[":was_until"] = {"N": str(state.lease.until)}
        return self._update(condition, values)

    def save(self, state: BroadcastRecord, holder: BroadcastLease) -> bool:
        """Writes how far `holder` has come; False when somebody else is at it by now.

        With `state.holder` None it is let go. Raises NotSaved when AWS cannot be reached, or says no.
        """
        try:
            return self._update("holder = :mine", {**_values(state), ":mine": {"S": holder.process}})
        except (BotoCoreError, ClientError) as error:
            raise NotSaved(str(error)) from error

    def _update(self, condition: str, values: dict[str, Any]) -> bool:
        kept = "holder = :holder, held_by = :owner, held_until = :until, " if ":holder" in values else ""
        dropped = "" if kept else " REMOVE holder, held_by, held_until"
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression=f"SET {kept}progress = :progress{dropped}",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _changing(state: BroadcastRecord) -> dict[str, Any]:
    """The attributes that change, of a row that is made."""
    names = {":progress": "progress", ":holder": "holder", ":owner": "held_by", ":until": "held_until"}
    return {names[name]: value for name, value in _values(state).items()}


def _values(state: BroadcastRecord) -> dict[str, Any]:
    values: dict[str, Any] = {":progress": {"S": state.checkpoint.to_json()}}
    if state.lease is not None:
        values |= {
            ":holder": {"S": state.lease.process},
            ":owner": {"S": state.lease.owner},
            ":until": {"N": str(state.lease.until)},
        }
    return values


def _holder(row: Any) -> BroadcastLease | None:
    if "holder" not in row:
        return None
    return BroadcastLease(row["holder"]["S"], row["held_by"]["S"], int(row["held_until"]["N"]))
