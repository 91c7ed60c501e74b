"""Runs the `message` function with one message in a separate process.

    python -m bench.message.contender before|now URL ROWS

handles the message twice, as a function does that is warm the second time, and prints a line of JSON about
the second. DynamoDB is where AWS_ENDPOINT_URL_DYNAMODB says, @connections at URL.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from dataclasses import replace
from typing import Any, cast

import boto3
from botocore.config import Config

from bench.message.boto3_poster import WORKERS, Boto3Poster
from bench.posts.contenders.common import process_cpu_seconds, report
from nwchat import message, runtime
from nwchat.delivery.poster import Poster
from nwchat.runtime import Event
from nwchat.storage.store import Store


def main() -> int:
    variant, url, rows = sys.argv[1:]
    os.environ |= {
        "NWCHAT_ENDPOINT": url,
        "NWCHAT_CONNECTIONS_TABLE": f"rows-{rows}",
        "NWCHAT_MESSAGES_TABLE": "messages",
        "NWCHAT_LOG_LEVEL": "ERROR",
    }
    handle = _boto3_handler() if variant == "before" else _handle
    _require_success(handle(_event("warm up")))
    started, cpu_before = time.perf_counter(), process_cpu_seconds()
    _require_success(handle(_event("Hello, everybody")))
    seconds, cpu_seconds = time.perf_counter() - started, process_cpu_seconds() - cpu_before
    # The stub counts the posts; the response only says that the function succeeded.
    posts = int(rows) + 1
    report(posts=posts, seconds=seconds, cpu_seconds=cpu_seconds, delivered=posts)
    return 0


def _handle(event: Event) -> Any:
    return message.handler(event, None)


def _boto3_handler() -> Any:
    client_config = Config(
        max_pool_connections=WORKERS, retries={"mode": "standard", "total_max_attempts": 2}
    )
    client = boto3.client(
        "apigatewaymanagementapi", endpoint_url=os.environ["NWCHAT_ENDPOINT"], config=client_config
    )
    config = runtime.config()
    store = Store(boto3.client("dynamodb"), config.connections_table, config.messages_table)
    services = replace(runtime.services(), config=config, store=store)
    poster = cast(Poster, Boto3Poster(client))

    def handle(event: Event) -> Any:
        return message.message(event, services, poster, math.inf, runtime.log_for(event, None))

    return handle


def _event(text: str) -> Event:
    """The event of a frame from a connection that is not in the table yet."""
    return {
        "requestContext": {
            "connectionId": "L0SM9cOFvHcCIhw=",
            "connectedAt": runtime.now_ms(),
            "routeKey": "onMessage",
            "requestId": "bench",
        },
        "body": json.dumps({"action": "onMessage", "message": text, "uname": "bench"}),
    }


def _require_success(answer: Any) -> None:
    if answer.get("statusCode") != 200:
        raise SystemExit(f"the function answered {answer}")


if __name__ == "__main__":
    sys.exit(main())
