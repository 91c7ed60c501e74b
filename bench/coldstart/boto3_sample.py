"""The handlers of AWS's sample chat with boto3, as a Python developer would write them."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3

TABLE = os.environ["NWCHAT_CONNECTIONS_TABLE"]
dynamodb = boto3.client("dynamodb")
api = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["NWCHAT_ENDPOINT"])


def onconnect(event: Any, _: object) -> dict[str, int]:
    dynamodb.put_item(TableName=TABLE, Item={"connection_id": {"S": event["requestContext"]["connectionId"]}})
    return {"statusCode": 200}


def sendmessage(event: Any, _: object) -> dict[str, int]:
    rows = dynamodb.scan(TableName=TABLE, ProjectionExpression="connection_id")["Items"]
    for row in rows:
        api.post_to_connection(
            ConnectionId=row["connection_id"]["S"], Data=json.loads(event["body"])["message"]
        )
    return {"statusCode": 200}
