"""boto3, one post after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from bench.posts.contenders.common import PostTask, Send, main


def post_function(client: Any, frame: bytes) -> Callable[[str], bool]:
    """A function that posts `frame` to a connection id and returns whether it was delivered."""

    def post(connection_id: str) -> bool:
        try:
            client.post_to_connection(ConnectionId=connection_id, Data=frame)
        except (ClientError, BotoCoreError):
            return False
        return True

    return post


def prepare(task: PostTask) -> Send:
    post = post_function(boto3.client("apigatewaymanagementapi", endpoint_url=task.url), task.frame)

    def send(ids: Sequence[str]) -> int:
        return sum(map(post, ids))

    return send


if __name__ == "__main__":
    main(prepare)
