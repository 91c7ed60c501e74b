"""boto3 with one client and a pool of threads: the way it is usually made faster."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bench.posts.contenders.common import Send, Task, main


def prepare(task: Task) -> Send:
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=task.url,
        config=Config(max_pool_connections=task.at_once),
    )

    def post(connection_id: str) -> bool:
        try:
            client.post_to_connection(ConnectionId=connection_id, Data=task.frame)
        except (ClientError, BotoCoreError):
            return False
        return True

    def send(ids: Sequence[str]) -> int:
        with ThreadPoolExecutor(task.at_once) as pool:
            return sum(pool.map(post, ids))

    return send


if __name__ == "__main__":
    main(prepare)
