"""Probes of what Lambda refuses of functions and invocations, and of how long its changes take."""

from __future__ import annotations

import io
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from nwchatctl.deploy.desired.policies import lambda_trust
from tests.e2e.sandbox.rules.registry import SHORTENED, Probe, probe, unthrottled

CODE = """
import time

def handler(event, context):
    time.sleep(event.get("seconds", 0))
    return "x" * event.get("size", 0)
"""
MAX_WAIT_SECONDS = 20.0


def refusal(call: Any, **request: Any) -> tuple[int, str]:
    """HTTP status and error code of the answer; (0, "") for success."""
    try:
        answer = unthrottled(call, **request)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    if "Payload" in answer:
        answer["Payload"].read()
    return 0, ""


def wait_until_accepted(call: Any, **request: Any) -> None:
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while refused := refusal(call, **request)[1]:
        assert time.monotonic() < deadline, refused
        time.sleep(0.05)


def new_role(probe: Probe, name: str = "") -> str:
    answer = probe.client("iam").create_role(
        RoleName=name or probe.name(), AssumeRolePolicyDocument=lambda_trust()
    )
    return str(answer["Role"]["Arn"])


def function_request(name: str, role: str, **settings: Any) -> dict[str, Any]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("code_of_function.py", CODE)
    made: dict[str, Any] = {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Role": role,
        "Handler": "code_of_function.handler",
        "Code": {"ZipFile": archive.getvalue()},
        "Timeout": 20,
    }
    return made | settings


_functions: dict[int, tuple[str, str]] = {}


def ready_function(probe: Probe) -> str:
    """The name of a function that can be changed and invoked; one for all probes of a sandbox."""
    found = _functions.get(probe.sandbox.port)
    functions = probe.client("lambda")
    if found is None:
        name, role = probe.name(), new_role(probe)
        wait_until_accepted(functions.create_function, **function_request(name, role))
        found = _functions[probe.sandbox.port] = (name, role)
    wait_until_accepted(functions.update_function_configuration, FunctionName=found[0], Description="ready")
    wait_until_accepted(functions.publish_version, FunctionName=found[0])
    return found[0]


def invocation(name: str, **event: Any) -> dict[str, Any]:
    return {"FunctionName": name, "Payload": json.dumps(event).encode()}


@probe("permission_overlap")
def overlapping_permission_changes_lose_one(probe: Probe) -> bool:
    name, functions = ready_function(probe), probe.client("lambda")
    statement = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    ids = [probe.name() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for each in ids:
            pool.submit(
                unthrottled, functions.add_permission, FunctionName=name, StatementId=each, **statement
            )
    stored = json.loads(unthrottled(functions.get_policy, FunctionName=name)["Policy"])["Statement"]
    return not {each["Sid"] for each in stored} >= set(ids)


@probe("function_environment")
def large_environment_is_refused_and_repeated(probe: Probe) -> bool:
    name, functions = ready_function(probe), probe.client("lambda")
    large = {"Variables": {"NAME": "b" * 4096}}
    return refusal(functions.update_function_configuration, FunctionName=name, Environment=large) == (
        400,
        "InvalidParameterValueException",
    )


@probe("function_memory")
def more_memory_than_the_account_has_is_refused(probe: Probe) -> bool:
    name, functions = ready_function(probe), probe.client("lambda")
    return refusal(functions.update_function_configuration, FunctionName=name, MemorySize=10_241) in (
        (400, "InvalidParameterValueException"),
        (400, "ValidationException"),
    )


@probe("function_network")
def vpc_that_the_role_may_not_connect_to_is_refused(probe: Probe) -> bool:
    name, functions = ready_function(probe), probe.client("lambda")
    network = {"SubnetIds": ["subnet-00000001"], "SecurityGroupIds": ["sg-00000001"]}
    return refusal(functions.update_function_configuration, FunctionName=name, VpcConfig=network) == (
        400,
        "InvalidParameterValueException",
    )


@probe("payload_synchronous")
def large_request_and_response_are_refused(probe: Probe) -> bool:
    name, functions = ready_function(probe), probe.client("lambda")
    large = functions.invoke(**invocation(name, size=6 << 20))
    request = refusal(functions.invoke, **invocation(name, padding="x" * (6 << 20)))
    return (large.get("FunctionError"), request) == ("Unhandled", (413, "RequestTooLargeException"))


@probe("payload_asynchronous")
def large_event_is_refused(probe: Probe) -> bool:
    name, functions = ready_function(probe), probe.client("lambda")
    large = invocation(name, padding="x" * (1 << 20))
    return refusal(functions.invoke, InvocationType="Event", **large) == (413, "RequestTooLargeException")


@probe("concurrent_executions")
def more_executions_than_the_account_has_are_throttled(probe: Probe) -> bool:
    name, functions, limit = ready_function(probe), probe.client("lambda"), SHORTENED["concurrent_executions"]
    assert limit
    more = int(limit) + 1
    with ThreadPoolExecutor(more) as pool:
        slow = invocation(name, seconds=0.7)
        answers = [pool.submit(refusal, functions.invoke, **slow) for _ in range(more)]
    allowed = unthrottled(functions.get_account_settings)["AccountLimit"]["ConcurrentExecutions"]
    throttled = (429, "TooManyRequestsException") in [each.result() for each in answers]
    return throttled and allowed == limit


@probe("reserved_concurrency")
def reserved_concurrency_of_zero_stops_the_function(probe: Probe) -> bool:
    name, functions = ready_function(probe), probe.client("lambda")
    unthrottled(functions.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=0)
    stopped = refusal(functions.invoke, **invocation(name))
    # Too little would remain for other functions.
    beyond = refusal(
        functions.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=10**6
    )
    unthrottled(functions.delete_function_concurrency, FunctionName=name)
    return (stopped, beyond) == (
        (429, "TooManyRequestsException"),
        (400, "InvalidParameterValueException"),
    )


@probe("function_role_grant")
def function_of_a_role_created_again_cannot_be_invoked(probe: Probe) -> bool:
    ready_function(probe)
    name, role = _functions[probe.sandbox.port]
    functions, role_name = probe.client("lambda"), role.rpartition("/")[2]
    before = refusal(functions.invoke, **invocation(name))
    probe.client("iam").delete_role(RoleName=role_name)
    new_role(probe, role_name)
    stale = refusal(functions.invoke, **invocation(name))
    # As after the fix: another role, and then its own.
    for each in (new_role(probe), role):
        wait_until_accepted(functions.update_function_configuration, FunctionName=name, Role=each)
    after = refusal(functions.invoke, **invocation(name))
    return (before, stale, after) == ((0, ""), (502, "KMSAccessDeniedException"), (0, ""))


@probe("function_ready")
def second_update_meanwhile_is_refused(probe: Probe) -> bool:
    name, functions = ready_function(probe), probe.client("lambda")
    unthrottled(functions.update_function_configuration, FunctionName=name, Description="first")
    second = refusal(functions.update_function_configuration, FunctionName=name, Description="second")
    state = unthrottled(functions.get_function_configuration, FunctionName=name)["LastUpdateStatus"]
    return (second, state) == ((409, "ResourceConflictException"), "InProgress")


@probe("role_assumable")
def new_role_cannot_be_assumed(probe: Probe) -> bool:
    role = new_role(probe)
    new = function_request(probe.name(), role)
    return refusal(probe.client("lambda").create_function, **new) == (400, "InvalidParameterValueException")
