"""Functions whose role was created again, and their reserved concurrency, call by call."""

from __future__ import annotations

import dataclasses
from typing import Any

from nwchatctl.aws.awslambda.account import read_account_limits
from nwchatctl.deploy.desired.account_needs import AccountLimits
from nwchatctl.deploy.fingerprints import version_fingerprint
from nwchatctl.deploy.model.functions import Alias, Function
from nwchatctl.deploy.model.placeholders import ROLE_ID
from tests.adapters.aws.stubbed_clients import PLACE, TAGS, StubbedClients, functions

FUNCTION = Function(
    "f", "f", "h", "python3.13", "arm64", 256, 10, (("A", "b"),), "sha", "JSON", "INFO", "/aws/lambda/f",
    False, TAGS, f"Chat x. Role {ROLE_ID}.",
)  # fmt: skip
READY: Any = {"Configuration": {"State": "Active", "LastUpdateStatus": "Successful"}}
CONFIGURE, SET, UNSET = (
    "update_function_configuration",
    "put_function_concurrency",
    "delete_function_concurrency",
)


def expected(description: str) -> dict[str, Any]:
    return {
        "FunctionName": "f",
        "Description": description,
        "Role": PLACE.role_arn("f"),
        "Handler": "h",
        "Runtime": "python3.13",
        "MemorySize": 256,
        "Timeout": 10,
        "Environment": {"Variables": {"A": "b"}},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "LogGroup": "/aws/lambda/f"},
        "SnapStart": {"ApplyOn": "None"},
    }


def test_function_of_a_role_created_again_gets_another_role_and_then_its_own(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    other = {"FunctionName": "f", "Role": PLACE.role_arn("g")}
    stub.add_response(CONFIGURE, {}, other)
    stub.add_response("get_function", READY)
    stub.add_response(CONFIGURE, {}, expected("Chat x. Role AROANEW."))
    stub.add_response("get_function", READY)
    before = dataclasses.replace(FUNCTION, description="Chat x. Role AROAOLD.")
    functions(client, f="AROANEW", g="AROAOTHER").update(before, FUNCTION)


def test_function_of_an_earlier_tool_is_only_described(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    stub.add_response(CONFIGURE, {}, expected("Chat x. Role AROANEW."))
    stub.add_response("get_function", READY)
    before = dataclasses.replace(FUNCTION, description="")
    functions(client, f="AROANEW", g="AROAOTHER").update(before, FUNCTION)


def test_version_of_an_earlier_role_is_not_the_version_of_this_one(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    configuration = {**expected("Chat x. Role AROANEW."), "Architectures": ["arm64"], "CodeSha256": "sha"}
    configuration["Environment"] = {"Variables": {"A": "b"}}
    old = {**configuration, "Description": "Chat x. Role AROAOLD."}
    listed = [{**configuration, "Version": "$LATEST"}, {**old, "Version": "1"}]
    stub.add_response("list_versions_by_function", {"Versions": listed})
    stub.add_response("list_tags", {"Tags": dict(TAGS)})
    stub.add_response("list_aliases", {"Aliases": []})
    stub.add_response("get_function_concurrency", {})
    adapter = functions(client, f="AROANEW")
    read = adapter.read("f")
    assert read is not None
    known = read.with_role_placeholder(["AROANEW"])
    assert known.latest == FUNCTION
    runs = version_fingerprint(FUNCTION, "abc")
    assert known.newest_version(runs, "abc") is None
    # A new version is published then, and recognised as the wanted one.
    stub.add_response("publish_version", {**configuration, "Version": "2", "State": "Active"})
    stub.add_response("update_alias", {})
    adapter.move_alias(Alias("f:live", "f", runs, ()), None, "abc")


def test_reserved_concurrency_is_set_changed_and_removed(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    adapter = functions(client, f="AROA")
    five, six = (dataclasses.replace(FUNCTION, reserved_concurrency=count) for count in (5, 6))
    for count in (5, 6):
        stub.add_response(SET, {}, {"FunctionName": "f", "ReservedConcurrentExecutions": count})
    stub.add_response(UNSET, {}, {"FunctionName": "f"})
    for before, after in ((FUNCTION, five), (five, five), (five, six), (six, FUNCTION)):
        adapter.update(before, after)


def test_limits_of_the_account_are_unknown_without_permission(clients: StubbedClients) -> None:
    client, stub = clients.client("lambda")
    limits: Any = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 8}
    stub.add_response("get_account_settings", {"AccountLimit": limits})
    stub.add_client_error("get_account_settings", "AccessDeniedException", http_status_code=403)
    assert read_account_limits(client) == AccountLimits(10, 8)
    assert read_account_limits(client) is None
