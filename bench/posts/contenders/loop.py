"""boto3, one post after another."""

from __future__ import annotations

from collections.abc import Sequence

import boto3

from bench.posts.contenders.boto3_post import post_function
from bench.posts.contenders.common import PostTask, Send, main


def prepare(task: PostTask) -> Send:
    client = boto3.client("apigatewaymanagementapi", endpoint_url=task.url)

    post = post_function(client, task.frame)

    def send(ids: Sequence[str]) -> int:
        return sum(map(post, ids))

    return send


if __name__ == "__main__":
    main(prepare)
