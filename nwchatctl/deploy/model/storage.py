"""Tables and their recovery, log groups, the dead-letter queue, and the parameter with the token keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table, billed on demand. `sort_key` is "" if there is none; keys are strings.

    `items` is not compared: the number of items of a live one, which DynamoDB counts every six hours or so
    (DescribeTable, ItemCount).
    """

    kind: ClassVar[str] = "table"
    name: str
    partition_key: str
    sort_key: str
    ttl_attribute: str
    deletion_protection: bool
    billing: str
    tags: StringMap
    items: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Point-in-time recovery of the table of the same name. It exists while it is on.

    It is a resource of its own, because AWS offers it minutes after the table is there, and nothing else
    waits for it.
    """

    kind: ClassVar[str] = "recovery"
    name: str


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A CloudWatch log group; `retention_days` 0 keeps logs for ever."""

    kind: ClassVar[str] = "log-group"
    name: str
    retention_days: int
    tags: StringMap


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue. `encryption` is "sqs", the id of a KMS key, or "" for none.

    `policy` is canonical JSON, `redrive` the destination of its own failures; "" is desired for both. Fields
    that are not compared are those of live ones only: `url`, and `waiting`, the approximate number of
    messages.
    """

    kind: ClassVar[str] = "queue"
    name: str
    retention_seconds: int
    max_message_bytes: int
    delay_seconds: int
    visibility_seconds: int
    encryption: str
    policy: str
    redrive: str
    tags: StringMap
    url: str = field(default="", compare=False)
    waiting: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The parameter with the token signing keys. Its value is not part of the model.

    `type` is Parameter Store's; "SecureString" is desired.
    """

    kind: ClassVar[str] = "token-keys"
    name: str
    type: str
    tags: StringMap
