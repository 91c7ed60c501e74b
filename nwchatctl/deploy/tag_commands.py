"""The commands of the AWS CLI that put the chat's tags back on a resource that has lost them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.state import Key
from nwchatctl.deploy.model.storage import LogGroup, Queue, Table, TokenKeys


def tag_command(resource: Key, tags: Mapping[str, str], location: Location) -> str:
    """The command that adds `tags` to a resource in `location`; "" for a kind that has no tags."""
    kind, name = resource
    listed = [f"Key={key},Value={value}" for key, value in tags.items()]
    mapped = json.dumps(dict(tags))
    words: list[str]
    match kind:
        case Function.kind:
            arn = location.arn("lambda", f"function:{name}")
            words = ["lambda", "tag-resource", "--resource", arn, "--tags", mapped]
        case Role.kind:
            words = ["iam", "tag-role", "--role-name", name, "--tags", *listed]
        case Table.kind:
            arn = location.arn("dynamodb", f"table/{name}")
            words = ["dynamodb", "tag-resource", "--resource-arn", arn, "--tags", *listed]
        case LogGroup.kind:
            arn = location.arn("logs", f"log-group:{name}")
            words = ["logs", "tag-resource", "--resource-arn", arn, "--tags", mapped]
        case TokenKeys.kind:
            of_parameter = ["--resource-type", "Parameter", "--resource-id", name]
            words = ["ssm", "add-tags-to-resource", *of_parameter, "--tags", *listed]
        case Queue.kind:
            words = ["sqs", "tag-queue", "--queue-url", _queue_url(name, location), "--tags", mapped]
        case _:
            return ""
    return shlex.join(["aws", *_where(location), *words])


def _where(location: Location) -> list[str]:
    endpoint = ["--endpoint-url", location.sandbox_url] if location.sandbox_url else []
    return ["--region", location.region, *endpoint]


def _queue_url(name: str, location: Location) -> str:
    """SQS's address of a queue (SQS developer guide, "Queue and message identifiers")."""
    base = location.sandbox_url or f"https://sqs.{location.region}.{location.dns_suffix}"
    return f"{base}/{location.account}/{name}"
