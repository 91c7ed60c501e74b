"""boto3 with one client and a pool of threads: the way it is usually made faster."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

from bench.posts.contenders.boto3_post import posting
from bench.posts.contenders.common import Send, Task, main


def prepare(task: Task) -> Send:
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=task.url,
        config=Config(max_pool_connections=task.at_once),
    )

    post = posting(client, task.frame)

    def send(ids: Sequence[str]) -> int:
        with ThreadPoolExecutor(task.at_once) as pool:
            return sum(pool.map(post, ids))

    return send


if __name__ == "__main__":
    main(prepare)
