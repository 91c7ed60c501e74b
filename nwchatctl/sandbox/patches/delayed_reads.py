"""Tags, queue attributes and log retention that reads show some time after they were changed.

ministack shows a change at once. On AWS these reads are eventually consistent (SQS API reference,
SetQueueAttributes; DynamoDB API reference, TagResource). The rule is `attributes_visible`
(`sandbox/rules.py`). What a resource is created with is visible at once.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from ministack.services import cloudwatch_logs, dynamodb, iam, sqs, ssm

from nwchatctl.sandbox import limits

Slot: TypeAlias = tuple[Any, str]
"""Where ministack stores a value: a mapping and a key of it."""

Find: TypeAlias = Callable[..., list[Slot]]
"""The slots that a request is about."""

_MISSING = object()

_earlier: dict[tuple[int, str], list[tuple[float, Any, Any]]] = {}
"""By slot: when each recent change was made (monotonic seconds), the mapping, and the value before."""


def changing(find: Find, change: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps `change`, which changes the values of the slots."""

    def wrapped(*request: Any) -> Any:
        slots = find(*request) if limits.current().on("attributes_visible") else []
        before = [copy.deepcopy(mapping.get(key, _MISSING)) for mapping, key in slots]
        response = change(*request)
        for (mapping, key), value in zip(slots, before, strict=True):
            if mapping.get(key, _MISSING) != value:
                changes = _earlier.setdefault((id(mapping), key), [])
                changes.append((time.monotonic(), mapping, value))
        return response

    return wrapped


def reading(find: Find, read: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps `read`, so that it finds the values of the slots as they were."""

    def wrapped(*request: Any) -> Any:
        with _as_before(find(*request)):
            return read(*request)

    return wrapped


@contextmanager
def _as_before(slots: list[Slot]) -> Iterator[None]:
    """Within, the slots have their earlier values. All requests run in one event loop, and reads do not
    wait."""
    now = [(mapping, key, mapping.get(key, _MISSING), _visible(mapping, key)) for mapping, key in slots]
    hidden = [each for each in now if each[3] is not each[0]]
    try:
        for mapping, key, _, earlier in hidden:
            _set(mapping, key, copy.deepcopy(earlier))
        yield
    finally:
        for mapping, key, value, _ in hidden:
            _set(mapping, key, value)


def _visible(mapping: Any, key: str) -> Any:
    """The value that reads show; `mapping` itself stands for the present value."""
    seconds, changes = limits.current().value("attributes_visible"), _earlier.get((id(mapping), key), [])
    if seconds is None or not changes:
        return mapping
    recent = [each for each in changes if time.monotonic() < each[0] + seconds and each[1] is mapping]
    _earlier[id(mapping), key] = recent
    return recent[0][2] if recent else mapping


def _set(mapping: Any, key: str, value: Any) -> None:
    if value is _MISSING:
        mapping.pop(key, None)
    else:
        mapping[key] = value


def _table_tags(data: Any) -> list[Slot]:
    return [(dynamodb._tags, str(data.get("ResourceArn", "")))]


def _parameter_tags(data: Any) -> list[Slot]:
    arn = ssm._parameter_tag_arn(data.get("ResourceType", "Parameter"), data.get("ResourceId", ""))
    return [(ssm._tags, arn)] if arn else []


def _queue_part(part: str) -> Find:
    def find(data: Any, url: str) -> list[Slot]:
        queue = sqs._queues.get(sqs._queue_url(str(data.get("QueueUrl", url)).rpartition("/")[2]))
        return [(queue, part)] if queue is not None else []

    return find


def _role_tags(request: Any) -> list[Slot]:
    role = iam._roles.get(iam._p(request, "RoleName"))
    return [(role, "Tags")] if role is not None else []


def _group_retention(data: Any) -> list[Slot]:
    groups, name = cloudwatch_logs._log_groups, data.get("logGroupName")
    if name is None:
        return [(each, "retentionInDays") for each in groups.values()]
    return [(groups[name], "retentionInDays")] if name in groups else []


def _group_tags(data: Any) -> list[Slot]:
    record = cloudwatch_logs.resolve_tag_resource(data.get("resourceArn", ""))
    return [(record, "tags")] if record is not None else []


_MODULE_FUNCTIONS: tuple[tuple[Any, Find, str, tuple[str, ...]], ...] = (
    (dynamodb, _table_tags, "_list_tags", ("_tag_resource", "_untag_resource")),
    (
        ssm,
        _parameter_tags,
        "_list_tags_for_resource",
        ("_add_tags_to_resource", "_remove_tags_from_resource"),
    ),
    (cloudwatch_logs, _group_tags, "_list_tags_for_resource", ("_tag_resource", "_untag_resource")),
    (
        cloudwatch_logs,
        _group_retention,
        "_describe_log_groups",
        ("_put_retention_policy", "_delete_retention_policy"),
    ),
)
"""Module, slots, the function that reads them, and those that change them."""

_HANDLERS: tuple[tuple[Any, Find, str, tuple[str, ...]], ...] = (
    (sqs._HANDLERS, _queue_part("attributes"), "GetQueueAttributes", ("SetQueueAttributes",)),
    (sqs._HANDLERS, _queue_part("tags"), "ListQueueTags", ("TagQueue", "UntagQueue")),
    (iam._IAM_HANDLERS, _role_tags, "GetRole", ("TagRole", "UntagRole")),
    (iam._IAM_HANDLERS, _role_tags, "ListRoleTags", ()),
)
"""The same of handlers that are found in a mapping."""


def install() -> None:
    for module, find, read, changes in _MODULE_FUNCTIONS:
        setattr(module, read, reading(find, getattr(module, read)))
        for name in changes:
            setattr(module, name, changing(find, getattr(module, name)))
    for handlers, find, read, changes in _HANDLERS:
        handlers[read] = reading(find, handlers[read])
        for name in changes:
            handlers[name] = changing(find, handlers[name])
