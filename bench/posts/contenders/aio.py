"""aiobotocore: boto3's client on asyncio and aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from bench.posts.contenders.common import PostTask, Send, main


def prepare(task: PostTask) -> Send:
    runner = asyncio.Runner()
    client_context = get_session().create_client(
        "apigatewaymanagementapi",
        endpoint_url=task.url,
        config=AioConfig(max_pool_connections=task.at_once),
    )
    client = runner.run(client_context.__aenter__())

    async def worker(ids: Sequence[str]) -> int:
        delivered = 0
        for connection_id in ids:
            try:
                await client.post_to_connection(ConnectionId=connection_id, Data=task.frame)
            except (ClientError, BotoCoreError):
                continue
            delivered += 1
        return delivered

    async def post_all(ids: Sequence[str]) -> int:
        return sum(
            await asyncio.gather(*(worker(ids[first :: task.at_once]) for first in range(task.at_once)))
        )

    def send(ids: Sequence[str]) -> int:
        delivered: int = runner.run(post_all(ids))
        runner.run(client_context.__aexit__(None, None, None))
        runner.close()
        return delivered

    return send


if __name__ == "__main__":
    main(prepare)
