"""DynamoDB's control plane as AWS has it: tables that are not ready at once, and changes that it refuses.

ministack makes, changes and deletes a table at once, and takes any change at any time. The rules are
`table_ready`, `recovery_ready`, `ttl_change` and `table_changes_separate` (`sandbox/rules.py`). While a
table is CREATING, reads and writes of items answer ResourceNotFoundException, DescribeContinuousBackups
TableNotFoundException; a change of a table that is not ACTIVE answers ResourceInUseException (DynamoDB API
reference, CreateTable, UpdateTable, DeleteTable, UpdateContinuousBackups).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import dynamodb

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.patches.iam_checks import json_object

Place: TypeAlias = tuple[str, str, str]
"""Account, Region and name of a table."""

_ITEM_CALLS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
_CHANGES = ("UpdateTable", "DeleteTable", "UpdateTimeToLive", "TagResource", "UntagResource")

_STATUS_AFTER = {"CreateTable": "CREATING", "UpdateTable": "UPDATING", "DeleteTable": "DELETING"}

_KINDS_OF_CHANGE = (
    ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput"),
    ("GlobalSecondaryIndexUpdates",),
    ("StreamSpecification",),
    ("SSESpecification",),
    ("ReplicaUpdates",),
    ("TableClass",),
    ("DeletionProtectionEnabled",),
)
"""The parameters of UpdateTable; those of one kind may be changed in one call."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A table is in `status` until `until`, in monotonic seconds; `described` is what DescribeTable answers
    of one that is being deleted."""

    status: str
    until: float
    described: Any


_transitions: dict[Place, Transition] = {}
_active_since: dict[Place, float] = {}
_ttl_changed: dict[Place, float] = {}


def with_table_states(handle: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps the handler of DynamoDB's requests."""

    async def handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action in _ITEM_CALLS and not _transitions:
            # Most requests: nothing is to be checked.
            return await handle(method, path, headers, body, query)
        data = json_object(body)
        for place in _tables_of(action, data):
            if (refused := _refusal(action, place, data)) is not None:
                return refused
        response = await handle(method, path, headers, body, query)
        if response[0] != 200:
            return response
        place = _place(data.get("TableName"))
        _note_change(action, place, response)
        return _with_status(response, action, place)

    return handle_request


def _tables_of(action: str, data: Any) -> list[Place]:
    """The tables that a call is about."""
    if action in ("TransactWriteItems", "TransactGetItems"):
        entries = [each for item in data.get("TransactItems", []) for each in item.values()]
        return [_place(each.get("TableName")) for each in entries]
    if action in ("BatchGetItem", "BatchWriteItem"):
        return [_place(each) for each in data.get("RequestItems", {})]
    return [_place(data.get("TableName") or data.get("ResourceArn"))]


def _place(name: Any) -> Place:
    text = str(name or "")
    plain = text.rpartition(":table/")[2] if text.startswith("arn:") else text
    return (get_account_id(), get_region(), plain.partition("/")[0])


def _refusal(action: str, place: Place, data: Any) -> Any:
    """The error for a call that AWS refuses, or None."""
    status, name = status_of(place), place[2]
    if action == "CreateTable" and status == "DELETING":
        return _in_use(f"Table is being deleted: {name}")
    if status == "DELETING":
        return _deleting_answer(action, place)
    if status == "CREATING" and (action in _ITEM_CALLS or action.startswith(("Batch", "Transact"))):
        return _error("ResourceNotFoundException", "Requested resource not found")
    if status == "CREATING" and action == "DescribeContinuousBackups":
        return _error("TableNotFoundException", f"Table not found: {name}")
    if status and action in _CHANGES:
        words = {"CREATING": "created", "UPDATING": "updated"}
        return _in_use(f"Table is being {words[status]}: {name}")
    match action:
        case "UpdateTable":
            return _mixed_change(data)
        case "UpdateTimeToLive" if name in dynamodb._tables:
            return _repeated_ttl_change(place, data.get("TimeToLiveSpecification", {}))
        case "UpdateContinuousBackups" if name in dynamodb._tables:
            return _early_recovery(place)
    return None


def status_of(place: Place) -> str:
    """CREATING, UPDATING or DELETING; "" for a table that is ACTIVE or that does not exist."""
    found = _transitions.get(place)
    if found is None:
        return ""
    if time.monotonic() < found.until:
        return found.status
    del _transitions[place]
    return ""


def _deleting_answer(action: str, place: Place) -> Any:
    if action == "DescribeTable":
        return json_response({"Table": _transitions[place].described})
    if action in _CHANGES:
        return _in_use(f"Table is being deleted: {place[2]}")
    return None


def _mixed_change(data: Any) -> Any:
    kinds = [kind for kind in _KINDS_OF_CHANGE if any(each in data for each in kind)]
    if len(kinds) < 2 or not limits.current().on("table_changes_separate"):
        return None
    return _error(
        "ValidationException",
        "Only one type of change can be made to a table in one UpdateTable call: "
        + ", ".join(next(each for each in kind if each in data) for kind in kinds),
    )


def _repeated_ttl_change(place: Place, wanted: Any) -> Any:
    seconds = limits.current().value("ttl_change")
    if seconds is None:
        return None
    have = dynamodb._ttl_settings.get(place[2], {})
    enabled = have.get("TimeToLiveStatus") == "ENABLED"
    if enabled == wanted.get("Enabled") and (
        not enabled or have.get("AttributeName") == wanted.get("AttributeName")
    ):
        return _error("ValidationException", f"TimeToLive is already {'enabled' if enabled else 'disabled'}")
    if time.monotonic() < _ttl_changed.get(place, -seconds) + seconds:
        return _error(
            "ValidationException", "Time to live has been modified multiple times within a fixed interval"
        )
    return None


def _early_recovery(place: Place) -> Any:
    seconds = limits.current().value("recovery_ready")
    if seconds is None or time.monotonic() >= _active_since.get(place, -seconds) + seconds:
        return None
    return _error(
        "ContinuousBackupsUnavailableException",
        f"Backups are being enabled for the table: {place[2]}. Please retry later",
    )


def _note_change(action: str, place: Place, response: Any) -> None:
    now, seconds = time.monotonic(), limits.current().value("table_ready")
    match action:
        case "CreateTable":
            _active_since[place] = now + (seconds or 0.0)
            _ttl_changed.pop(place, None)
        case "UpdateTimeToLive":
            _ttl_changed[place] = now
    if seconds is not None and (status := _STATUS_AFTER.get(action)):
        described = json.loads(response[2])["TableDescription"]
        _transitions[place] = Transition(status, now + seconds, described)


def _with_status(response: Any, action: str, place: Place) -> Any:
    """The response with the status that the table has on AWS."""
    if action not in ("CreateTable", "UpdateTable", "DescribeTable") or not (status := status_of(place)):
        return response
    data = json.loads(response[2])
    for each in ("Table", "TableDescription"):
        if each in data:
            data[each]["TableStatus"] = status
    return json_response(data)


def _in_use(text: str) -> Any:
    return _error("ResourceInUseException", f"Attempt to change a resource which is still in use: {text}")


def _error(code: str, message: str) -> Any:
    return error_response_json(code, message, 400)


def install() -> None:
    dynamodb.handle_request = with_table_states(dynamodb.handle_request)
