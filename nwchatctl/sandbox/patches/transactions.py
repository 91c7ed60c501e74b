"""DynamoDB's transactions as they meet other writes. ministack carries a transaction out at once.

On AWS a transaction takes some milliseconds (the rule `transaction_seconds`). A PutItem, UpdateItem or
DeleteItem of an item in it is answered meanwhile with TransactionConflictException, a second transaction with
that item is cancelled (`TransactionConflict`), and the same transaction sent again with its token is answered
with TransactionInProgressException (DynamoDB developer guide, "Transaction conflict handling in DynamoDB";
API reference, TransactWriteItems).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import dynamodb

from nwchatctl.sandbox import limits

ITEM_WRITES = ("PutItem", "UpdateItem", "DeleteItem")

Item = tuple[str, ...]

_handle = dynamodb.handle_request
_in_flight: set[Item] = set()
_tokens: set[Item] = set()


async def handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
    """ministack's handler, after the checks for conflicts. All requests run in one event loop."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    seconds = limits.current().value("transaction_seconds")
    if seconds is None:
        return await _handle(method, path, headers, body, query)
    if operation != "TransactWriteItems" and (operation not in ITEM_WRITES or not _in_flight):
        return await _handle(method, path, headers, body, query)
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return await _handle(method, path, headers, body, query)
    if operation in ITEM_WRITES:
        if item_of(request) in _in_flight:
            return _refusal("TransactionConflictException", "Transaction is ongoing for the item")
        return await _handle(method, path, headers, body, query)
    items = [item_of(write) for each in request.get("TransactItems", []) for write in each.values()]
    token = (get_account_id(), get_region(), str(request.get("ClientRequestToken")))
    if token in _tokens:
        return _refusal(
            "TransactionInProgressException", "The transaction with the given token is in progress"
        )
    if _in_flight.intersection(items):
        return cancelled([item in _in_flight for item in items])
    with _running(items, token):
        await asyncio.sleep(seconds)
        return await _handle(method, path, headers, body, query)


def item_of(write: dict[str, Any]) -> Item:
    """The item that one write is about: where it is, and its key; a table without a key has none."""
    name = str(dynamodb._normalize_table_name(write.get("TableName", "")))
    table = dynamodb._tables.get(name) or {}
    values = write.get("Item") or write.get("Key") or {}
    keys = (json.dumps(values.get(table.get(each) or ""), sort_keys=True) for each in ("pk_name", "sk_name"))
    return (get_account_id(), get_region(), name, *keys)


def cancelled(conflicts: list[bool]) -> Any:
    """The answer to a transaction of which some items conflict with another."""
    conflict = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
    reasons = [conflict if each else {"Code": "None"} for each in conflicts]
    codes = ", ".join(each["Code"] for each in reasons)
    status, headers, body = _refusal(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
    )
    return status, headers, json.dumps({**json.loads(body), "CancellationReasons": reasons}).encode()


@contextmanager
def _running(items: list[Item], token: Item) -> Iterator[None]:
    _in_flight.update(items)
    _tokens.add(token)
    try:
        yield
    finally:
        _in_flight.difference_update(items)
        _tokens.discard(token)


def _refusal(code: str, message: str) -> Any:
    return error_response_json(code, message, 400)


def install() -> None:
    dynamodb.handle_request = handle_request
