"""Changes to the dead-letter queue and its event invoke config that are made in the console."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.support.console.core import STRAY, ConsoleChange
from tests.e2e.support.operator import Operator


def url(chat: Operator) -> str:
    return str(chat.root("sqs").get_queue_url(QueueName=chat.resource_name("dead-letters"))["QueueUrl"])


def queue(**attributes: str) -> ConsoleChange:
    return lambda chat: chat.root("sqs").set_queue_attributes(QueueUrl=url(chat), Attributes=attributes)


def opened(chat: Operator) -> None:
    """Anybody may read it."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    queue(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))(chat)


def tagged(chat: Operator) -> None:
    chat.root("sqs").tag_queue(QueueUrl=url(chat), Tags=STRAY)


def deleted(chat: Operator) -> None:
    chat.root("sqs").delete_queue(QueueUrl=url(chat))


def events(**settings: Any) -> ConsoleChange:
    """Sets these of the event's configuration, all others as Lambda has them by itself."""

    def apply(chat: Operator) -> None:
        chat.root("lambda").put_function_event_invoke_config(
            FunctionName=chat.resource_name("fanout"), Qualifier="live", **settings
        )

    return apply


def events_unset(chat: Operator) -> None:
    chat.root("lambda").delete_function_event_invoke_config(
        FunctionName=chat.resource_name("fanout"), Qualifier="live"
    )


def orphan_queue(chat: Operator) -> None:
    chat.root("sqs").create_queue(QueueName=chat.resource_name("dead-letters"), tags=chat.tags)
