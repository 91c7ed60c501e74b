"""Queues, as SQS spells them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from nwchatctl.aws.core.retry import error_code, repeat_while, with_retries
from nwchatctl.aws.core.tags import from_mapping, tag_changes
from nwchatctl.aws.core.update_existing import update_existing
from nwchatctl.deploy.desired.policies import canonical
from nwchatctl.deploy.model.storage import Queue
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_NOT_FOUND = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
"""The codes of one error in SQS's older protocol and in the newer one."""

_NAME_TAKEN = ("QueueAlreadyExists", "QueueNameExists")

_DELETED_RECENTLY = ("AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently")

RECREATION_SECONDS = 120.0
"""A name is free again 60 seconds after its queue was deleted (SQS API reference, DeleteQueue)."""

_READ_ATTRIBUTES: list[Any] = [
    "MessageRetentionPeriod",
    "MaximumMessageSize",
    "DelaySeconds",
    "VisibilityTimeout",
    "SqsManagedSseEnabled",
    "KmsMasterKeyId",
    "Policy",
    "RedrivePolicy",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]
_COUNT_ATTRIBUTES = [each for each in _READ_ATTRIBUTES if each.startswith("Approximate")]


class Queues:
    """Reads and changes queues, by name. `notify` tells the operator what is waited for."""

    def __init__(self, client: SQSClient, notify: Callable[[str], None] = lambda text: None) -> None:
        self._client = client
        self._notify = notify

    def read(self, name: str) -> Queue | None:
        """The queue; None if it does not exist."""
        try:
            url = self._client.get_queue_url(QueueName=name)["QueueUrl"]
            found: Any = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=_READ_ATTRIBUTES)
            tags = self._client.list_queue_tags(QueueUrl=url).get("Tags", {})
        except ClientError as error:
            if error_code(error) in _NOT_FOUND:
                return None
            raise
        return _queue(name, url, found.get("Attributes", {}), tags)

    def create(self, queue: Queue) -> None:
        """Creates the queue with its tags, once its name is free; updates an existing queue of the chat.

        Raises ChatError `not_ours` if the existing queue is not the chat's, and `queue_deleted_recently`.
        """
        try:
            repeat_while(
                lambda: self._client.create_queue(
                    QueueName=queue.name,
                    Attributes={name: value for name, value in _attributes(queue).items() if value},
                    tags=dict(queue.tags),
                ),
                lambda error: error_code(error) in _DELETED_RECENTLY,
                RECREATION_SECONDS,
                notice=lambda _: self._notify(
                    f"waiting until the name of queue {queue.name} is free again: AWS keeps it for a minute "
                    "after a deletion"
                ),
            )
        except ClientError as error:
            if error_code(error) in _DELETED_RECENTLY:
                raise ChatError(
                    f"AWS does not free the name of queue {queue.name}, which was deleted a moment ago",
                    hint="run the command again in a minute",
                    code="queue_deleted_recently",
                ) from error
            if error_code(error) not in _NAME_TAKEN:
                raise
            update_existing(queue, self.read, self.update, error)

    def update(self, before: Queue, after: Queue) -> None:
        """Updates what differs."""
        url = before.url or self._client.get_queue_url(QueueName=after.name)["QueueUrl"]
        have, want = _attributes(before), _attributes(after)
        changes: Any = {name: value for name, value in want.items() if have[name] != value}
        if changes.get("SqsManagedSseEnabled") == "true" and before.encryption:
            # A queue has one kind of encryption at a time.
            changes["KmsMasterKeyId"] = ""
        if changes:
            with_retries(self._client.set_queue_attributes, QueueUrl=url, Attributes=changes)
        put, dropped = tag_changes(before.tags, after.tags)
        if put:
            with_retries(self._client.tag_queue, QueueUrl=url, Tags=dict(put))
        if dropped:
            with_retries(self._client.untag_queue, QueueUrl=url, TagKeys=dropped)

    def delete(self, queue: Queue) -> None:
        """Deletes the queue with its messages; a missing queue is no error."""
        try:
            url = queue.url or self._client.get_queue_url(QueueName=queue.name)["QueueUrl"]
            with_retries(self._client.delete_queue, QueueUrl=url)
        except ClientError as error:
            if error_code(error) not in _NOT_FOUND:
                raise


def _attributes(queue: Queue) -> dict[Any, str]:
    return {
        "MessageRetentionPeriod": str(queue.retention_seconds),
        "MaximumMessageSize": str(queue.max_message_bytes),
        "DelaySeconds": str(queue.delay_seconds),
        "VisibilityTimeout": str(queue.visibility_seconds),
        "SqsManagedSseEnabled": "true" if queue.encryption == "sqs" else "false",
        # "" removes these attributes (SetQueueAttributes).
        "Policy": queue.policy,
        "RedrivePolicy": queue.redrive,
    }


def _queue(name: str, url: str, found: Any, tags: Any) -> Queue:
    managed = found.get("SqsManagedSseEnabled", "").lower() == "true"
    return Queue(
        name=name,
        retention_seconds=int(found.get("MessageRetentionPeriod", 0)),
        max_message_bytes=int(found.get("MaximumMessageSize", 0)),
        delay_seconds=int(found.get("DelaySeconds", 0)),
        visibility_seconds=int(found.get("VisibilityTimeout", 0)),
        encryption=found.get("KmsMasterKeyId", "") or ("sqs" if managed else ""),
        policy=_canonical(found.get("Policy", "")),
        redrive=_canonical(found.get("RedrivePolicy", "")),
        tags=from_mapping(tags),
        url=url,
        waiting=sum(int(found.get(each, 0)) for each in _COUNT_ATTRIBUTES),
    )


def _canonical(document: str) -> str:
    return canonical(json.loads(document)) if document else ""
