"""Names of parameters and queues that AWS does not give again at once after a deletion; ministack does.

The rules are `parameter_recreation` (SSM service model, DeleteParameter: wait at least 30 seconds) and
`queue_recreation` (SQS API reference, DeleteQueue: 60 seconds), both in `sandbox/rules.py`.
"""

from __future__ import annotations

import time
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import sqs, ssm

from nwchatctl.sandbox import limits

_deleted: dict[tuple[str, str, str, str], float] = {}
"""When each parameter and queue was deleted, in monotonic seconds, by rule, account, Region and name."""

_put_parameter = ssm._put_parameter
_delete_parameter = ssm._delete_parameter
_delete_parameters = ssm._delete_parameters
_create_queue = sqs._act_create_queue
_delete_queue = sqs._act_delete_queue


def _seconds_left(rule: str, name: str) -> float:
    """How long a name is not given yet; 0 or less if it is free."""
    seconds, deleted = limits.current().value(rule), _deleted.get(_key(rule, name))
    if seconds is None or deleted is None:
        return 0.0
    return deleted + seconds - time.monotonic()


def _key(rule: str, name: str) -> tuple[str, str, str, str]:
    return (rule, get_account_id(), get_region(), name)


def _note_deletion(rule: str, name: str) -> None:
    _deleted[_key(rule, name)] = time.monotonic()


def put_parameter(data: Any) -> Any:
    """PutParameter."""
    name = str(data.get("Name", ""))
    if name not in ssm._parameters and _seconds_left("parameter_recreation", name) > 0:
        return error_response_json(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request "
            "to true.",
            400,
        )
    return _put_parameter(data)


def delete_parameter(data: Any) -> Any:
    """DeleteParameter."""
    response = _delete_parameter(data)
    if response[0] == 200:
        _note_deletion("parameter_recreation", str(data.get("Name")))
    return response


def delete_parameters(data: Any) -> Any:
    """DeleteParameters."""
    names = [str(each) for each in data.get("Names", []) if each in ssm._parameters]
    response = _delete_parameters(data)
    for name in names:
        _note_deletion("parameter_recreation", name)
    return response


def create_queue(data: Any, url: str) -> Any:
    """CreateQueue."""
    name = str(data.get("QueueName", ""))
    if sqs._queue_url(name) not in sqs._queues and _seconds_left("queue_recreation", name) > 0:
        seconds = limits.current().value("queue_recreation") or 0.0
        raise sqs._Err(
            "QueueDeletedRecently",
            f"You must wait {seconds:.0f} seconds after deleting a queue before you can create another with "
            "the same name.",
        )
    return _create_queue(data, url)


def delete_queue(data: Any, url: str) -> Any:
    """DeleteQueue."""
    response = _delete_queue(data, url)
    _note_deletion("queue_recreation", str(data.get("QueueUrl", url)).rpartition("/")[2])
    return response


def install() -> None:
    ssm._put_parameter = put_parameter
    ssm._delete_parameter = delete_parameter
    ssm._delete_parameters = delete_parameters
    sqs._HANDLERS["CreateQueue"] = create_queue
    sqs._HANDLERS["DeleteQueue"] = delete_queue
