"""A chat on moto for the fuzzing of commands: its tables and its API, and an API Gateway without clients.

Of all services only DynamoDB and the list of APIs answer; every other call is denied.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws

from nwchat.aws.signing import Credentials
from nwchat.delivery.scheduler import RequestScheduler
from nwchat.model.ids import ROOM
from nwchatctl.aws import management_api
from nwchatctl.aws.core import retry
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.context import App
from nwchatctl.deploy.names import ResourceNames

NAMES = ResourceNames("ninjawars")
REGION = "us-east-2"

_KEYS = {NAMES.connections: ("connection_id",), NAMES.messages: ("room", "id"), NAMES.deploys: ("id",)}

_ANSWERED = frozenset({"GetCallerIdentity", "GetApis", "CreateApi"})

_call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]


def _answered_call(client: Any, operation: str, parameters: Any) -> Any:
    if client.meta.service_model.service_name == "dynamodb" or operation in _ANSWERED:
        return _call(client, operation, parameters)
    denied = f"User: arn:aws:iam::123456789012:user/x is not authorized to perform: {operation}"
    response: Any = {"Error": {"Code": "AccessDeniedException", "Message": denied}, "ResponseMetadata": {}}
    raise ClientError(response, operation)


class GoneConnections:
    """A transport to an API Gateway whose connections are all closed."""

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        while not scheduler.done:
            call = scheduler.next_call(time.monotonic())
            if call is None:
                time.sleep(min(scheduler.wait_seconds(time.monotonic()), 0.1))
            else:
                scheduler.record_response(call, 410, b"{}", time.monotonic())

    def close(self) -> None: ...


@contextmanager
def moto_chat() -> Iterator[None]:
    """Within the block every command reads and writes a chat on moto, by clients that are made once."""
    access = Access(region=REGION, credentials=StaticCredentials("AKIDEXAMPLE", "secret"))
    with mock_aws():
        aws = Aws(access)
        _make_tables(aws)
        aws.client("apigatewayv2").create_api(
            Name=NAMES.api,
            ProtocolType="WEBSOCKET",
            RouteSelectionExpression="$request.body.action",
            Tags=NAMES.tags,
        )

        def shared(app: App) -> Aws:
            app.require_config()
            return aws

        with (
            mock.patch.object(App, "aws", property(shared)),
            mock.patch.object(BaseClient, "_make_api_call", _answered_call),
            mock.patch.object(management_api, "transport", lambda _: GoneConnections()),
            mock.patch.object(
                management_api, "credentials", lambda _: Credentials("AKIDEXAMPLE", "secret", "")
            ),
        ):
            yield
            retry._stop.clear()


def _make_tables(aws: Aws) -> None:
    for name, keys in _KEYS.items():
        aws.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": "RANGE" if at else "HASH"} for at, key in enumerate(keys)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    aws.client("dynamodb").put_item(
        TableName=NAMES.messages,
        Item={
            "room": {"S": ROOM},
            "id": {"S": "01J00000000000000000000000"},
            "message": {"S": "hi \x1b[2J"},
            "uname": {"S": "a\u202eb"},
            "sender_id": {"S": "1"},
        },
    )
    aws.client("dynamodb").put_item(
        TableName=NAMES.connections,
        Item={"connection_id": {"S": "-0SM9c="}, "connected_at": {"N": "1700000000000"}},
    )
