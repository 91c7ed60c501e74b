"""Queues and where failed events go, in SQS's and Lambda's own spelling."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nwchat.large_rooms.segments import Segment
from nwchatctl.aws import sqs
from nwchatctl.aws.awslambda.event_invoke import AsyncInvokes
from nwchatctl.aws.awslambda.invoke import invoke_segments, require_function
from nwchatctl.aws.core.retry import is_transient
from nwchatctl.aws.sqs import Queues
from nwchatctl.deploy.desired.dead_letters import async_invoke, queue
from nwchatctl.errors import ChatError
from tests.adapters.aws.stubbed_clients import TAGS, StubbedClients

pytestmark = pytest.mark.usefixtures("no_waiting")

URL = "https://sqs.us-east-2.amazonaws.com/123456789012/x-dead-letters"
ARN = "arn:aws:sqs:us-east-2:123456789012:x-dead-letters"
GONE = "AWS.SimpleQueueService.NonExistentQueue"
WANTED = dataclasses.replace(queue("x-dead-letters", TAGS), url=URL)
SET = {
    "MessageRetentionPeriod": "1209600",
    "MaximumMessageSize": "1048576",
    "DelaySeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}


def existing(stub: Any, tags: Any = TAGS, **attributes: str) -> None:
    stub.add_response("get_queue_url", {"QueueUrl": URL}, {"QueueName": "x-dead-letters"})
    stub.add_response("get_queue_attributes", {"Attributes": {**SET, **attributes}})
    stub.add_response("list_queue_tags", {"Tags": dict(tags)}, {"QueueUrl": URL})


def test_a_queue_as_it_is_read(clients: StubbedClients) -> None:
    client, stub = clients.client("sqs")
    existing(
        stub,
        ApproximateNumberOfMessages="1",
        ApproximateNumberOfMessagesNotVisible="2",
        ApproximateNumberOfMessagesDelayed="4",
    )
    found = Queues(client).read("x-dead-letters")
    assert found == WANTED
    assert found is not None
    assert (found.url, found.waiting) == (URL, 7)


RECENTLY = "AWS.SimpleQueueService.QueueDeletedRecently"


def test_name_of_a_deleted_queue_is_awaited(clients: StubbedClients) -> None:
    client, stub = clients.client("sqs")
    for _ in range(3):
        stub.add_client_error("create_queue", RECENTLY)
    stub.add_response("create_queue", {"QueueUrl": URL})
    Queues(client).create(WANTED)


def test_wait_for_the_name_of_a_queue_is_bounded(
    clients: StubbedClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs, "RECREATION_SECONDS", 0.0)
    client, stub = clients.client("sqs")
    stub.add_client_error("create_queue", RECENTLY)
    with pytest.raises(ChatError, match="was deleted a moment ago") as raised:
        Queues(client).create(WANTED)
    assert raised.value.code == "queue_deleted_recently"


def test_other_attributes_are_read(clients: StubbedClients) -> None:
    client, stub = clients.client("sqs")
    existing(
        stub,
        SqsManagedSseEnabled="false",
        KmsMasterKeyId="key",
        Policy='{"Version": "2012-10-17", "Statement": []}',
        RedrivePolicy='{"maxReceiveCount": 3}',
    )
    found = Queues(client).read("x-dead-letters")
    assert found is not None
    assert (found.encryption, found.policy, found.redrive) == (
        "key",
        '{"Statement":[],"Version":"2012-10-17"}',
        '{"maxReceiveCount":3}',
    )


@pytest.mark.parametrize("call", ["get_queue_url", "get_queue_attributes"])
def test_a_queue_that_is_not_there(clients: StubbedClients, call: str) -> None:
    """Or that goes between one call and the next."""
    client, stub = clients.client("sqs")
    if call != "get_queue_url":
        stub.add_response("get_queue_url", {"QueueUrl": URL})
    stub.add_client_error(call, GONE, "The specified queue does not exist.", 400)
    assert Queues(client).read("x-dead-letters") is None


def test_denied_read_is_an_error(clients: StubbedClients) -> None:
    client, stub = clients.client("sqs")
    stub.add_client_error("get_queue_url", "AccessDenied", "no", 403)
    with pytest.raises(ClientError):
        Queues(client).read("x-dead-letters")


def test_queue_is_created_with_tags(clients: StubbedClients) -> None:
    client, stub = clients.client("sqs")
    made = {"QueueName": "x-dead-letters", "Attributes": SET, "tags": dict(TAGS)}
    # Its name is free again a minute after a queue of that name was deleted.
    stub.add_client_error("create_queue", "AWS.SimpleQueueService.QueueDeletedRecently", "wait 60 seconds")
    stub.add_response("create_queue", {"QueueUrl": URL}, made)
    Queues(client).create(WANTED)


def test_existing_queue_is_completed_or_refused(clients: StubbedClients) -> None:
    client, stub = clients.client("sqs")
    stub.add_client_error("create_queue", "QueueAlreadyExists", "already exists")
    existing(stub, DelaySeconds="9")
    stub.add_response("set_queue_attributes", {}, {"QueueUrl": URL, "Attributes": {"DelaySeconds": "0"}})
    Queues(client).create(WANTED)
    stub.add_client_error("create_queue", "QueueAlreadyExists", "already exists")
    existing(stub, (("nwchat:chat", "another"),))
    with pytest.raises(ChatError, match="not this chat's, and in its way: queue x-dead-letters"):
        Queues(client).create(WANTED)


def test_only_what_differs_is_set(clients: StubbedClients) -> None:
    client, stub = clients.client("sqs")
    before = dataclasses.replace(
        WANTED, encryption="key", policy="{}", tags=(("stray", "x"), *TAGS[:1]), retention_seconds=60
    )
    changed = {
        "MessageRetentionPeriod": "1209600",
        "SqsManagedSseEnabled": "true",
        "KmsMasterKeyId": "",
        "Policy": "",
    }
    stub.add_response("set_queue_attributes", {}, {"QueueUrl": URL, "Attributes": changed})
    stub.add_response("tag_queue", {}, {"QueueUrl": URL, "Tags": dict(TAGS[1:])})
    stub.add_response("untag_queue", {}, {"QueueUrl": URL, "TagKeys": ["stray"]})
    Queues(client).update(before, WANTED)


def test_deleting_absent_queue_succeeds(clients: StubbedClients) -> None:
    client, stub = clients.client("sqs")
    stub.add_response("delete_queue", {}, {"QueueUrl": URL})
    stub.add_client_error("delete_queue", GONE, "The specified queue does not exist.")
    Queues(client).delete(WANTED)
    Queues(client).delete(WANTED)


# Events ---------------------------------------------------------------------------------------


def test_failure_destination_is_set(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    wanted = async_invoke("f", ARN)
    where = {"FunctionName": "f", "Qualifier": "live"}
    set_up = {
        "MaximumRetryAttempts": 2,
        "MaximumEventAgeInSeconds": 3600,
        "DestinationConfig": {"OnFailure": {"Destination": ARN}, "OnSuccess": {}},
    }
    # A queue made a moment ago is not known to Lambda yet.
    stub.add_client_error(
        "put_function_event_invoke_config",
        "InvalidParameterValueException",
        f"The destination ARN {ARN} is invalid.",
    )
    stub.add_response("put_function_event_invoke_config", {}, {**where, **set_up})
    stub.add_response("get_function_event_invoke_config", set_up, where)
    stub.add_response("get_function_event_invoke_config", {}, where)
    stub.add_client_error("get_function_event_invoke_config", "ResourceNotFoundException", "none", 404)
    events = AsyncInvokes(client)
    events.put(wanted)
    assert events.read("f") == wanted
    # Set without anything: as Lambda does it by itself.
    assert events.read("f") == dataclasses.replace(wanted, max_age_seconds=21_600, on_failure="")
    assert events.read("f") is None


def test_a_role_that_may_not_write_to_the_queue_yet() -> None:
    message = "The function's execution role does not have permissions to call SendMessage on SQS"
    error: Any = {"Error": {"Code": "InvalidParameterValueException", "Message": message}}
    assert is_transient(ClientError(error, "PutFunctionEventInvokeConfig"))


# A message to all, by the operator ------------------------------------------------------------


def test_segments_are_invoked_only_if_fanout_function_exists(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    segment = Segment("{}", "id", 0, 1, 1.0)
    stub.add_response("invoke", {"StatusCode": 204}, {"FunctionName": "f:live", "InvocationType": "DryRun"})
    stub.add_response("invoke", {"StatusCode": 202})
    require_function(client, "f")
    assert invoke_segments(client, "f", [segment]) == []
    stub.add_client_error("invoke", "ResourceNotFoundException", "Function not found", 404)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        require_function(client, "f")
