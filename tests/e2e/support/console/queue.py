"""What somebody does to the queue of dead letters, and to what leads there."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.support.console.core import STRAY, Hand
from tests.e2e.support.operator import Operator


def url(chat: Operator) -> str:
    return str(chat.root("sqs").get_queue_url(QueueName=chat.called("dead-letters"))["QueueUrl"])


def queue(**attributes: str) -> Hand:
    return lambda chat: chat.root("sqs").set_queue_attributes(QueueUrl=url(chat), Attributes=attributes)


def opened(chat: Operator) -> None:
    """Anybody may read it."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    queue(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))(chat)


def tagged(chat: Operator) -> None:
    chat.root("sqs").tag_queue(QueueUrl=url(chat), Tags=STRAY)


def deleted(chat: Operator) -> None:
    chat.root("sqs").delete_queue(QueueUrl=url(chat))


def events(**settings: Any) -> Hand:
    """Sets these of the event's configuration, all others as Lambda has them by itself."""

    def hand(chat: Operator) -> None:
        chat.root("lambda").put_function_event_invoke_config(
            FunctionName=chat.called("fanout"), Qualifier="live", **settings
        )

    return hand


def events_unset(chat: Operator) -> None:
    chat.root("lambda").delete_function_event_invoke_config(
        FunctionName=chat.called("fanout"), Qualifier="live"
    )


def lone_queue(chat: Operator) -> None:
    chat.root("sqs").create_queue(QueueName=chat.called("dead-letters"), tags=chat.tags)
