"""boto3 with one client and a thread pool, the usual optimization."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

from bench.posts.contenders.common import PostTask, Send, main
from bench.posts.contenders.loop import post_function


def prepare(task: PostTask) -> Send:
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=task.url,
        config=Config(max_pool_connections=task.at_once),
    )

    post = post_function(client, task.frame)

    def send(ids: Sequence[str]) -> int:
        with ThreadPoolExecutor(task.at_once) as pool:
            return sum(pool.map(post, ids))

    return send


if __name__ == "__main__":
    main(prepare)
