"""The tool's own table: the deploy lock and the releases.

It has a single row, so that one read returns everything. The lock is one attribute, each release another, and
so is each name that a certificate was requested for: it has to be found once the name is no longer
configured. The same holds for the keys of tags from the settings: once they are no longer configured, the
tool removes these tags, and leaves alone those that were added by hand. After a release of the lock, the
row keeps the token of the last holder, so that a command that read the chat before it acquired the lock knows
whether another command ran in between. Times are epoch ms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nwchat.model.rows import number_in, text_in
from nwchatctl.aws.core.retry import FIRST_POLL, VISIBLE_SECONDS, error_code, repeat_while, with_retries
from nwchatctl.deploy.live import DeployRows
from nwchatctl.deploy.lock import LockHolder, LockState
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.string_map import string_map
from nwchatctl.deploy.releases import ReleaseRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY: Any = {"id": {"S": "deploys"}}

_RELEASE = "release."
"""The prefix of a release's attribute."""

_REQUESTED = "certificate."
"""The prefix of the attribute of a name that a certificate was requested for."""


_TAG = "tag."
"""The prefix of the attribute of a tag's key that the settings had."""


class DeployTable:
    """Reads and writes the table `table`. Each write of the lock is conditional on what was read."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self) -> DeployRows:
        """Everything in the table; nothing if there is no table."""
        try:
            row = self._client.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True).get("Item", {})
        except self._client.exceptions.ResourceNotFoundException:
            return DeployRows(False, LockState(), ())
        found = {
            name.removeprefix(_RELEASE): each.get("M", {})
            for name, each in row.items()
            if name.startswith(_RELEASE)
        }
        newest = sorted(found, key=lambda name: _number(found[name], "created_at"), reverse=True)
        records = (_record(name, found[name], latest=not at) for at, name in enumerate(newest))
        requested, tag_keys = (
            frozenset(name.removeprefix(prefix) for name in row if name.startswith(prefix))
            for prefix in (_REQUESTED, _TAG)
        )
        return DeployRows(True, _lock_state(row), tuple(records), requested, tag_keys)

    def acquire_lock(self, holder: LockHolder, lock: LockState) -> bool:
        """Acquires the lock if it is still as in `lock`; whether `holder` holds it now."""
        values: dict[str, Any] = {":lock": {"M": _holder_row(holder)}}
        if lock.holder is not None:
            # A holder that has renewed the lock meanwhile is alive.
            condition, token = "#lock.#token = :seen AND #lock.expires_at = :until", lock.holder.token
            values[":until"] = {"N": str(lock.holder.expires_at)}
        elif lock.last:
            condition, token = "#last = :seen AND attribute_not_exists(#lock)", lock.last
        else:
            condition, token = "attribute_not_exists(#last) AND attribute_not_exists(#lock)", ""
        if token:
            values[":seen"] = {"S": token}
        try:
            acquired = repeat_while(
                lambda: self._update("SET #lock = :lock", condition, values),
                # A table that was created a moment ago may not be found yet.
                lambda error: error_code(error) == "ResourceNotFoundException" and self._is_there(),
                VISIBLE_SECONDS,
                poll=FIRST_POLL,
            )
        except self._client.exceptions.ResourceNotFoundException:
            # Another command has destroyed the chat meanwhile.
            return False
        if acquired:
            return True
        # If a response was lost, the repeated write fails on the first one's success.
        now = self.read().lock.holder
        return now is not None and now.token == holder.token

    def renew_lock(self, holder: LockHolder) -> bool:
        """Extends the lock to `holder.expires_at`; False if another command holds it now."""
        expires = {":expires": {"N": str(holder.expires_at)}}
        try:
            return self._update(
                "SET #lock.expires_at = :expires", _HELD_BY_CALLER, {**expires, **_own_token(holder)}
            )
        except self._client.exceptions.ResourceNotFoundException:
            # The holder has destroyed the chat: there is no lock to renew.
            return True

    def release_lock(self, holder: LockHolder) -> None:
        """Releases the lock; a lock that another command holds, or that was deleted with its table, is no
        error."""
        try:
            self._update("REMOVE #lock SET #last = :mine", _HELD_BY_CALLER, _own_token(holder))
        except self._client.exceptions.ResourceNotFoundException:
            return

    def break_lock(self, lock: LockState) -> None:
        """Releases the lock of the holder in `lock`."""
        if lock.holder is not None:
            self.release_lock(lock.holder)

    def put_release(self, release: Release, created_at: int, by: str, before: str = "") -> None:
        """Stores a release as the one deployed last."""
        row: Any = {
            "created_at": {"N": str(created_at)},
            "by": {"S": by},
            "before": {"S": before},
            "code_sha256": {"S": release.code_sha256},
            "deployment": {"S": release.deployment},
            "functions": {"S": json.dumps(dict(release.functions))},
            "settings": {"S": json.dumps(dict(release.settings))},
        }
        self._set(_RELEASE + release.name, {"M": row})

    def delete_release(self, release: Release) -> None:
        """Deletes a release; a missing one is no error."""
        self._remove(_RELEASE + release.name)

    def put_requested(self, name: str) -> None:
        """Stores that a certificate is about to be requested for a name."""
        self._set(_REQUESTED + name, {"BOOL": True})

    def delete_requested(self, name: str) -> None:
        """Deletes a name whose certificate was deleted; a missing name or table is no error."""
        with suppress(self._client.exceptions.ResourceNotFoundException):
            self._remove(_REQUESTED + name)

    def _is_there(self) -> bool:
        """Whether the table exists and is not being deleted."""
        try:
            found = with_retries(self._client.describe_table, TableName=self._table)["Table"]
        except self._client.exceptions.ResourceNotFoundException:
            return False
        return found.get("TableStatus") != "DELETING"

    def put_tag_key(self, name: str) -> None:
        """Stores that the settings have a tag with this key: the tool puts it, and may remove it."""
        self._set(_TAG + name, {"BOOL": True})

    def _set(self, attribute: str, value: Any) -> None:
        with_retries(
            self._client.update_item,
            TableName=self._table,
            Key=_KEY,
            UpdateExpression="SET #attribute = :value",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues={":value": value},
        )

    def _remove(self, attribute: str) -> None:
        with_retries(
            self._client.update_item,
            TableName=self._table,
            Key=_KEY,
            UpdateExpression="REMOVE #attribute",
            ExpressionAttributeNames={"#attribute": attribute},
        )

    def _update(self, expression: str, condition: str, values: dict[str, Any]) -> bool:
        """Updates the row; whether the condition was met."""
        names = {"#lock": "lock", "#last": "last", "#token": "token"}
        expressions = expression + condition
        try:
            with_retries(
                self._client.update_item,
                TableName=self._table,
                Key=_KEY,
                UpdateExpression=expression,
                ConditionExpression=condition,
                # AWS refuses a name that no expression uses.
                ExpressionAttributeNames={name: full for name, full in names.items() if name in expressions},
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


_HELD_BY_CALLER = "#lock.#token = :mine"


def _own_token(holder: LockHolder) -> dict[str, Any]:
    return {":mine": {"S": holder.token}}


def _holder_row(holder: LockHolder) -> dict[str, Any]:
    texts = ("token", "owner", "host", "process", "command", "target")
    row: dict[str, Any] = {name: {"S": getattr(holder, name)} for name in texts}
    return row | {name: {"N": str(getattr(holder, name))} for name in ("started_at", "expires_at")}


def _lock_state(row: Mapping[str, Any]) -> LockState:
    lock = row.get("lock", {}).get("M", {})
    holder = LockHolder(
        token=text_in(lock, "token"),
        owner=text_in(lock, "owner"),
        host=text_in(lock, "host"),
        process=text_in(lock, "process"),
        command=text_in(lock, "command"),
        target=text_in(lock, "target"),
        started_at=_number(lock, "started_at"),
        expires_at=_number(lock, "expires_at"),
    )
    return LockState(holder if lock else None, text_in(row, "last"))


def _record(name: str, row: Mapping[str, Any], *, latest: bool) -> ReleaseRecord:
    release = Release(
        name=name,
        functions=string_map(_mapping(row, "functions")),
        deployment=text_in(row, "deployment"),
        code_sha256=text_in(row, "code_sha256"),
        latest=latest,
        settings=string_map(_mapping(row, "settings")),
    )
    return ReleaseRecord(release, _number(row, "created_at"), text_in(row, "by"), text_in(row, "before"))


def _number(row: Mapping[str, Any], name: str) -> int:
    """The number; 0 if it is missing or negative, which the tool never writes."""
    return max(number_in(row, name) or 0, 0)


def _mapping(row: Mapping[str, Any], name: str) -> dict[str, str]:
    """A JSON object of strings; anything else, edited by hand, reads as an empty one."""
    try:
        found = json.loads(text_in(row, name))
    except ValueError:
        return {}
    return {str(key): str(text) for key, text in found.items()} if isinstance(found, dict) else {}
