"""boto3, one post after the other."""

from __future__ import annotations

from collections.abc import Sequence

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from bench.posts.contenders.common import Send, Task, main


def prepare(task: Task) -> Send:
    client = boto3.client("apigatewaymanagementapi", endpoint_url=task.url)

    def post(connection_id: str) -> bool:
        try:
            client.post_to_connection(ConnectionId=connection_id, Data=task.frame)
        except (ClientError, BotoCoreError):
            return False
        return True

    def send(ids: Sequence[str]) -> int:
        return sum(map(post, ids))

    return send


if __name__ == "__main__":
    main(prepare)
