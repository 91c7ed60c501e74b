"""A post with boto3, shared by both boto3 contenders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


def post_function(client: Any, frame: bytes) -> Callable[[str], bool]:
    """A function that posts `frame` to a connection id and returns whether it was delivered."""

    def post(connection_id: str) -> bool:
        try:
            client.post_to_connection(ConnectionId=connection_id, Data=frame)
        except (ClientError, BotoCoreError):
            return False
        return True

    return post
