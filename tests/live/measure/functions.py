"""Questions about roles and functions. The probe function that results serves the sockets' questions too."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from botocore.exceptions import ClientError

from nwchatctl.deploy.desired.policies import lambda_trust
from tests.live.run import Run, error_code

CODE = '''
import os
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    """The probe. $connect?post=1 posts to its own connection and refuses the client with the status;
    the frame "id" is answered with the connection's id."""
    request = event["requestContext"]
    query = event.get("queryStringParameters") or {}
    if request["eventType"] == "CONNECT" and query.get("post"):
        return {"statusCode": post(request["connectionId"], "x")}
    if request["eventType"] == "MESSAGE" and event.get("body") == "id":
        post(request["connectionId"], request["connectionId"])
    return {"statusCode": 200, "body": "returned"}

def post(connection, data):
    client = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["ENDPOINT"])
    try:
        return client.post_to_connection(ConnectionId=connection, Data=data.encode()) and 200
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
'''

RUNTIME = "python3.13"

OVERLAPPING = 8
"""AddPermission calls at once."""

OVERLAP_ATTEMPTS = 3


def measure_function(run: Run) -> None:
    """A new role and a function with it: how long both take, and what overlapping AddPermission calls do."""
    role = _role(run)
    began = time.monotonic()
    functions, name = run.client("lambda", retries=False), run.making("function", run.name("probe"))
    wanted = {
        "FunctionName": name,
        "Runtime": RUNTIME,
        "Role": role,
        "Handler": "probe.handler",
        "Code": {"ZipFile": _archive()},
        "Timeout": 25,
        "Environment": {"Variables": {"ENDPOINT": "none"}},
        "Tags": run.tags,
    }

    def is_created() -> bool:
        code = error_code(lambda: functions.create_function(**wanted))
        if code and code != "InvalidParameterValueException":
            raise RuntimeError(f"CreateFunction: {code}")
        return not code

    run.until(is_created, seconds=90, every=1, what="the role of the probe function")
    run.answer("role-assumable", time.monotonic() - run.shared["role made at"])
    created = time.monotonic()
    _await_state(run, name, "State", "Active")
    run.answer("function-active", time.monotonic() - created)
    run.shared["function seconds"] = created - began
    _measure_overlap(run, functions, name)


def _role(run: Run) -> str:
    """A role that may post to connections of the run's APIs; its ARN."""
    iam, name = run.client("iam", retries=False), run.making("role", run.name("probe"))
    made = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=lambda_trust(run.target.location.account), Tags=run.tag_list
    )
    run.shared["role made at"] = time.monotonic()
    statement = {
        "Effect": "Allow",
        "Action": "execute-api:ManageConnections",
        "Resource": run.target.location.arn("execute-api", "*/*/*/@connections/*"),
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def is_visible() -> bool:
        code = error_code(
            lambda: iam.put_role_policy(RoleName=name, PolicyName="probe", PolicyDocument=policy)
        )
        if code and code != "NoSuchEntity":
            raise RuntimeError(f"PutRolePolicy: {code}")
        return not code

    run.answer("role-visible", run.until(is_visible, seconds=60, every=0.2, what="the new role"))
    return str(made["Role"]["Arn"])


def set_endpoint(run: Run, endpoint: str) -> None:
    """Gives the probe function the @connections address, and measures how long the update takes."""
    functions, name = run.client("lambda"), run.name("probe")
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"ENDPOINT": endpoint}}
    )
    updated = time.monotonic()
    _await_state(run, name, "LastUpdateStatus", "Successful")
    run.answer("function-updated", time.monotonic() - updated)


def _await_state(run: Run, name: str, attribute: str, wanted: str) -> None:
    functions = run.client("lambda")

    def is_there() -> bool:
        return bool(functions.get_function_configuration(FunctionName=name).get(attribute) == wanted)

    run.until(is_there, seconds=120, every=0.2, what=f"the probe function to be {wanted}")


def _measure_overlap(run: Run, functions: Any, name: str) -> None:
    """Several attempts: whether calls overlap on AWS's side is chance."""
    answer = "all kept"
    for attempt in range(OVERLAP_ATTEMPTS):
        answer = _overlap(run, functions, name, f"overlap{attempt}-")
        if answer != "all kept":
            break
    run.answer("permission-overlap", answer)


def _overlap(run: Run, functions: Any, name: str, prefix: str) -> str:
    """What becomes of the calls of one attempt, whose statements begin with `prefix`."""
    together = Barrier(OVERLAPPING)

    def add(number: int) -> str:
        together.wait(30)
        return error_code(
            lambda: functions.add_permission(
                FunctionName=name,
                StatementId=f"{prefix}{number}",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=run.target.location.arn("execute-api", f"overlap{number}/*"),
            )
        )

    with ThreadPoolExecutor(OVERLAPPING) as pool:
        codes = list(pool.map(add, range(OVERLAPPING)))
    try:
        policy = json.loads(run.client("lambda").get_policy(FunctionName=name)["Policy"])
    except ClientError:
        policy = {"Statement": []}
    return overlap_answer(codes, prefix, {each["Sid"] for each in policy["Statement"]})


def overlap_answer(codes: list[str], prefix: str, kept: set[str]) -> str:
    """What became of the calls. `codes` are their error codes by number, "" for none; `kept` the ids of the
    statements that the policy has afterwards, the prefix and the number. Pure.

    >>> overlap_answer(["", ""], "overlap-", {"overlap-0"})
    'some lost without an error'
    """
    lost = any(not code and f"{prefix}{number}" not in kept for number, code in enumerate(codes))
    refusals = Counter(code for code in codes if code)
    if set(refusals) - {"ResourceConflictException", "ConflictException"}:
        return ", ".join(sorted(refusals))
    if not refusals:
        return "some lost without an error" if lost else "all kept"
    return "some lost, some refused with 409" if lost else "some refused with 409"


def _archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("probe.py", CODE)
    return file.getvalue()
