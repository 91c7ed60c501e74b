"""boto3, one post after the other."""

from __future__ import annotations

from collections.abc import Sequence

import boto3

from bench.posts.contenders.boto3_post import posting
from bench.posts.contenders.common import Send, Task, main


def prepare(task: Task) -> Send:
    client = boto3.client("apigatewaymanagementapi", endpoint_url=task.url)

    post = posting(client, task.frame)

    def send(ids: Sequence[str]) -> int:
        return sum(map(post, ids))

    return send


if __name__ == "__main__":
    main(prepare)
