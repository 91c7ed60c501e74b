"""A post by boto3, as both of its contenders make it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


def post_function(client: Any, frame: bytes) -> Callable[[str], bool]:
    """Posts `frame` to a connection id; whether that was taken."""

    def post(connection_id: str) -> bool:
        try:
            client.post_to_connection(ConnectionId=connection_id, Data=frame)
        except (ClientError, BotoCoreError):
            return False
        return True

    return post
