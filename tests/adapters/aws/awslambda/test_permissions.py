"""Permissions of functions, where Lambda loses a change that overlaps another one."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nwchatctl.aws.awslambda import permissions as subject
from nwchatctl.aws.awslambda.permissions import Permissions
from nwchatctl.deploy.model.functions import Permission, permission_name
from nwchatctl.errors import ChatError
from tests.adapters.aws.stubbed_clients import StubbedClients

PERMISSION = Permission("f:live nwchat-default", "f", "nwchat-default", "apigateway.amazonaws.com", "arn:new")
ADD = {
    "FunctionName": "f",
    "Qualifier": "live",
    "StatementId": "nwchat-default",
    "Action": "lambda:InvokeFunction",
    "Principal": "apigateway.amazonaws.com",
    "SourceArn": "arn:new",
}
NAMED = {"FunctionName": "f", "Qualifier": "live", "StatementId": "nwchat-default"}


def statement(permission: Permission = PERMISSION) -> dict[str, Any]:
    return {
        "Sid": permission.statement_id,
        "Principal": {"Service": permission.principal},
        "Condition": {"ArnLike": {"AWS:SourceArn": permission.source_arn}},
    }


def policy(*statements: dict[str, Any]) -> dict[str, str]:
    return {"Policy": json.dumps({"Statement": statements})}


def named(statement_id: str, function: str = "f") -> Permission:
    name = permission_name(function, statement_id)
    return replace(PERMISSION, name=name, function=function, statement_id=statement_id)


def test_a_statement_of_the_same_id_is_replaced(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    exists = "The statement id provided already exists"
    stub.add_client_error("add_permission", "ResourceConflictException", exists)
    stub.add_response("get_policy", policy(statement(replace(PERMISSION, source_arn="arn:old"))))
    stub.add_response("remove_permission", {}, NAMED)
    stub.add_response("add_permission", {"Statement": "{}"}, ADD)
    stub.add_response("get_policy", policy(statement()))
    Permissions(client).put(PERMISSION)


def test_a_statement_that_an_unanswered_call_added_stays(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    exists = "The statement id provided already exists"
    stub.add_client_error("add_permission", "ResourceConflictException", exists)
    stub.add_response("get_policy", policy(statement()))
    Permissions(client).put(PERMISSION)


def test_only_statements_of_ours_are_read(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    theirs = {"Sid": "s3-trigger", "Principal": {"Service": "s3.amazonaws.com"}}
    stub.add_response("get_policy", policy(statement(), theirs))
    assert Permissions(client).read("f") == [PERMISSION]


def test_no_policy_is_no_permission(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_client_error("get_policy", "ResourceNotFoundException")
    assert Permissions(client).read("f") == []


class FakeLambda:
    """The policies of functions as Lambda changes them: a call reads, takes a moment, and writes, so that of
    two that overlap one is lost. `loses` is how many further changes are lost."""

    class exceptions:
        ResourceConflictException = type("ResourceConflictException", (ClientError,), {})
        ResourceNotFoundException = type("ResourceNotFoundException", (ClientError,), {})

    def __init__(self, loses: int = 0, conflicts: int = 0) -> None:
        self.loses, self.conflicts = loses, conflicts
        self.policies: dict[str, dict[str, Any]] = {}
        self.running = self.most_at_once = 0

    def add_permission(self, **request: Any) -> dict[str, Any]:
        made = statement(
            replace(PERMISSION, statement_id=request["StatementId"], source_arn=request["SourceArn"])
        )
        sid = request["StatementId"]
        if self.conflicts:
            self.conflicts -= 1
            raise self.error("ResourceConflictException", "due to a concurrent update operation")
        if sid in self.policies.get(request["FunctionName"], {}):
            raise self.error("ResourceConflictException", f"The statement id ({sid}) already exists")
        return self.change(request["FunctionName"], lambda have: have | {sid: made})

    def remove_permission(self, **request: Any) -> dict[str, Any]:
        sid = request["StatementId"]
        if sid not in self.policies.get(request["FunctionName"], {}):
            raise self.error("ResourceNotFoundException", "no policy")
        return self.change(
            request["FunctionName"], lambda have: {key: each for key, each in have.items() if key != sid}
        )

    def get_policy(self, **request: Any) -> dict[str, Any]:
        return policy(*self.policies.get(request["FunctionName"], {}).values())

    def change(self, function: str, edit: Any) -> dict[str, Any]:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        have = self.policies.get(function, {})
        time.sleep(0.01)
        self.running -= 1
        if self.loses:
            self.loses -= 1
        else:
            self.policies[function] = edit(have)
        return {}

    def error(self, code: str, text: str) -> ClientError:
        kind = getattr(self.exceptions, code)
        made: ClientError = kind({"Error": {"Code": code, "Message": text}}, "AddPermission")
        return made


def test_permissions_of_one_function_are_changed_one_after_another() -> None:
    aws: Any = FakeLambda()
    adapter, ids = Permissions(aws), [f"nwchat-{number}" for number in range(6)]
    aws.policies["f"] = {f"nwchat-{each}": statement(named(f"nwchat-{each}")) for each in "ab"}
    with ThreadPoolExecutor(8) as pool:
        puts = [pool.submit(adapter.put, named(each)) for each in ids]
        deletes = [pool.submit(adapter.delete, named(f"nwchat-{each}")) for each in "ab"]
        for each in (*puts, *deletes):
            each.result()
    assert sorted(aws.policies["f"]) == ids
    assert aws.most_at_once == 1


def test_permissions_of_several_functions_do_not_wait_for_each_other() -> None:
    aws: Any = FakeLambda()
    adapter, meet = Permissions(aws), threading.Barrier(2, timeout=60)
    change = aws.change
    aws.change = lambda function, edit: (meet.wait(), change(function, edit))[1]
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(adapter.put, named("nwchat-x", function)) for function in "fg"]:
            each.result()
    assert set(aws.policies) == {"f", "g"}


def test_a_lost_change_is_made_again() -> None:
    aws: Any = FakeLambda(loses=2)
    adapter = Permissions(aws)
    adapter.put(PERMISSION)
    assert list(aws.policies["f"]) == ["nwchat-default"]
    aws.loses = 1
    adapter.delete(PERMISSION)
    assert aws.policies["f"] == {}


def test_a_refused_concurrent_update_is_repeated_and_replaces_nothing() -> None:
    aws: Any = FakeLambda(conflicts=1)
    Permissions(aws).put(PERMISSION)
    assert list(aws.policies["f"]) == ["nwchat-default"]


def test_changes_that_are_always_lost_end_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_WAIT_SECONDS", 0.0)
    aws: Any = FakeLambda(loses=99)
    with pytest.raises(ChatError) as raised:
        Permissions(aws).put(PERMISSION)
    assert (raised.value.code, "nwchat-default" in raised.value.message) == ("timeout", True)
