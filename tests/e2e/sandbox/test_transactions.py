"""Transactions of the sandbox's DynamoDB meet other writes, as on AWS."""

from __future__ import annotations

import threading
from collections import Counter

from botocore.exceptions import ClientError

from nwchatctl.aws.core.retry import cancellation_codes, error_code
from tests.e2e.support.chat import Chat, unique


def test_writes_of_an_item_meet_its_transactions(chat: Chat) -> None:
    key = {"room": {"S": unique("sent#")}, "id": {"S": "-"}}
    ended, met = threading.Event(), Counter[str]()

    def update() -> None:
        while not ended.is_set():
            try:
                chat.dynamodb.update_item(
                    TableName=chat.messages_table,
                    Key=key,
                    UpdateExpression="SET x = :x",
                    ExpressionAttributeValues={":x": {"S": "1"}},
                )
            except ClientError as error:
                met[error_code(error)] += 1

    def transact() -> None:
        for _ in range(10):
            try:
                put = {"Put": {"TableName": chat.messages_table, "Item": key}}
                chat.dynamodb.transact_write_items(TransactItems=[put])
            except chat.dynamodb.exceptions.TransactionCanceledException as error:
                met.update(cancellation_codes(error))

    transactions = [threading.Thread(target=transact) for _ in range(2)]
    updates = threading.Thread(target=update)
    for each in (updates, *transactions):
        each.start()
    for each in transactions:
        each.join()
    ended.set()
    updates.join()
    assert set(met) == {"TransactionConflictException", "TransactionConflict"}
    chat.dynamodb.delete_item(TableName=chat.messages_table, Key=key)
