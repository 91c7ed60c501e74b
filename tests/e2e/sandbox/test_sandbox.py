"""The life of the sandbox: started once, stopped whole, killed without loss, on loopback alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from nwchatctl.aws.core.session import StaticCredentials
from nwchatctl.aws.operator_user import ensure_operator
from nwchatctl.errors import ChatError
from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import file_lock, process, state
from tests.e2e.support.sandbox import Sandbox, echo_chat, free_port, invoke, make_function


def until(true: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def pid_of(sandbox: Sandbox) -> int:
    info = state.running(sandbox.state)
    assert info is not None
    return info.pid


def make_things(sandbox: Sandbox) -> str:
    """A table with an item, a function, an API; the API's id."""
    tables = sandbox.client("dynamodb", root=True)
    tables.create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tables.put_item(TableName="things", Item={"id": {"S": "before"}})
    return echo_chat(sandbox, "kept")


def check_things(sandbox: Sandbox, api_id: str, *items: str) -> None:
    tables = sandbox.client("dynamodb", root=True)
    assert {item["id"]["S"] for item in tables.scan(TableName="things")["Items"]} == set(items)
    assert sandbox.client("apigatewayv2", root=True).get_api(ApiId=api_id)["Name"] == "kept"
    assert invoke(sandbox, "kept", {"say": "boto3"})["boto3"]
    # The operator's key from before is the operator's key still.
    arn = sandbox.client("sts").get_caller_identity()["Arn"]
    assert arn.endswith(":user/nwchat-operator")


def test_state_survives_a_stop_and_a_kill(separate_sandbox: Sandbox) -> None:
    operations.start(separate_sandbox.state, separate_sandbox.port)
    key = separate_sandbox.target.access_key_id
    api_id = make_things(separate_sandbox)

    assert process.down(separate_sandbox.state)[1] is True
    assert process.down(separate_sandbox.state)[1] is False
    operations.start(separate_sandbox.state)
    check_things(separate_sandbox, api_id, "before")

    tables = separate_sandbox.client("dynamodb", root=True)
    tables.put_item(TableName="things", Item={"id": {"S": "after"}})
    saved = separate_sandbox.state.data / "dynamodb.json"
    until(lambda: '"after"' in saved.read_text(), seconds=60)
    os.kill(pid_of(separate_sandbox), signal.SIGKILL)
    assert file_lock.wait_until_free(separate_sandbox.state.server_lock, timeout=60)
    assert process.status(separate_sandbox.state).running is False

    status, started = operations.start(separate_sandbox.state)
    assert (started, status.endpoint) == (True, separate_sandbox.endpoint)
    check_things(separate_sandbox, api_id, "before", "after")
    assert separate_sandbox.target.access_key_id == key


def test_reset_empties_it_and_starts_it_again(separate_sandbox: Sandbox) -> None:
    operations.start(separate_sandbox.state, separate_sandbox.port)
    make_things(separate_sandbox)
    status, started = process.reset(separate_sandbox.state)
    assert (started, status.endpoint) == (True, separate_sandbox.endpoint)
    operations.start(separate_sandbox.state)
    assert separate_sandbox.client("dynamodb", root=True).list_tables()["TableNames"] == []
    process.down(separate_sandbox.state)
    assert process.reset(separate_sandbox.state)[1] is False
    assert process.status(separate_sandbox.state).running is False


def test_up_twice_is_up_once(separate_sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(4) as pool:
        ups = [pool.submit(process.up, separate_sandbox.state, port=separate_sandbox.port) for _ in range(4)]
        results = [each.result() for each in ups]
    assert sorted(started for _, started in results) == [False, False, False, True]
    assert len({status.pid for status, _ in results}) == 1
    with pytest.raises(ChatError) as caught:
        process.up(separate_sandbox.state, port=free_port())
    assert caught.value.code == "port_differs"


def test_port_in_use_is_named(separate_sandbox: Sandbox) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", separate_sandbox.port))
        other.listen()
        with pytest.raises(ChatError) as caught:
            process.up(separate_sandbox.state, port=separate_sandbox.port)
    assert caught.value.code == "port_taken"
    assert caught.value.message == f"port {separate_sandbox.port} is taken by another process"
    assert caught.value.hint == f"nwchatctl sandbox up --port {separate_sandbox.port + 1}"
    assert process.status(separate_sandbox.state).running is False


def test_without_ministack_it_says_what_to_install(
    separate_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ministack", None)
    with pytest.raises(ChatError) as caught:
        process.up(separate_sandbox.state, port=separate_sandbox.port)
    assert (caught.value.code, caught.value.exit_code) == ("sandbox_missing", 3)
    assert caught.value.hint == "pip install 'nwchatctl[sandbox]'"


def test_a_start_that_fails_shows_the_log(separate_sandbox: Sandbox) -> None:
    separate_sandbox.state.make()
    separate_sandbox.state.data.write_text("not a directory")
    with pytest.raises(ChatError) as caught:
        process.up(separate_sandbox.state, port=separate_sandbox.port)
    assert caught.value.code == "sandbox_start"
    assert "FileExistsError" in caught.value.message
    assert str(separate_sandbox.state.log) in caught.value.hint


def test_sandbox_stops_when_idle(separate_sandbox: Sandbox) -> None:
    process.up(separate_sandbox.state, port=separate_sandbox.port, idle_stop=0.3)
    assert file_lock.wait_until_free(separate_sandbox.state.server_lock, timeout=60)
    assert not separate_sandbox.state.info.exists()
    assert "nobody was here" in separate_sandbox.state.log.read_text()


def test_its_files_are_the_owners_alone(sandbox: Sandbox) -> None:
    assert stat.S_IMODE(sandbox.state.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(sandbox.state.credentials.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_listens_on_loopback_alone(sandbox: Sandbox) -> None:
    make_function(sandbox, "listens", echo="")
    invoke(sandbox, "listens", {})
    pid = pid_of(sandbox)
    family = {pid}
    for stat_file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat_file.read_text().rpartition(")")[2].split()[1])
        except FileNotFoundError:
            continue
        if parent == pid:
            family.add(int(stat_file.parent.name))
    assert len(family) > 1, "the function's process is one of them"
    links = [str(link.readlink()) for each in family for link in Path(f"/proc/{each}/fd").iterdir()]
    sockets = {link.removeprefix("socket:[").removesuffix("]") for link in links}
    listening = [
        (name, fields[1])
        for name in ("tcp", "tcp6", "udp", "udp6")
        for fields in map(str.split, Path(f"/proc/net/{name}").read_text().splitlines()[1:])
        if fields[9] in sockets and (fields[3] == "0A" or name.startswith("udp"))
    ]
    assert listening == [("tcp", f"0100007F:{sandbox.port:04X}")]


def test_functions_run_with_current_python(separate_sandbox: Sandbox, tmp_path: Path) -> None:
    """In a virtual environment with a space in its path, beside a `python3` on PATH that is another one."""
    home = tmp_path / "virtual env"
    venv.create(home, with_pip=False, symlinks=True)
    library = next(home.glob("lib/python*/site-packages"))
    packages = [
        path for path in sys.path if path and Path(path).is_dir() and "python3" not in Path(path).name
    ]
    (library / "borrowed.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in packages)
    )
    wrong = tmp_path / "bin"
    wrong.mkdir()
    (wrong / "python3").write_text("#!/bin/sh\nexit 1\n")
    (wrong / "python3").chmod(0o755)
    code = (
        "from nwchatctl.operations import sandbox; from nwchatctl.sandbox.state import locate; "
        "import os, sys; "
        "print(sandbox.start(locate(os.environ), int(sys.argv[1])))"
    )
    environ = {**separate_sandbox.environ, "PATH": f"{wrong}:{os.environ['PATH']}", "PYTHONPATH": "/nowhere"}
    subprocess.run(
        [home / "bin" / "python", "-W", "error", "-c", code, str(separate_sandbox.port)],
        env=environ,
        check=True,
    )
    make_function(separate_sandbox, "where", echo="")
    answer = invoke(separate_sandbox, "where", {"say": "boto3"})
    assert answer["executable"] == str(home / "bin" / "python")
    assert answer["boto3"]
    assert answer["environ"] == {"TZ": "UTC"}


def test_the_operator_holds_its_policy_and_no_more(separate_sandbox: Sandbox) -> None:
    process.up(separate_sandbox.state, port=separate_sandbox.port)
    root = StaticCredentials(*astuple(separate_sandbox.root_key))

    def policy(*actions: str) -> str:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def operator(text: str, stored: StaticCredentials | None = None) -> StaticCredentials:
        key = ensure_operator(separate_sandbox.endpoint, state.DEFAULT_REGION, root, text, stored)
        state.write_key(separate_sandbox.state, state.AccessKey(key.access_key_id, key.secret_access_key))
        return key

    def refused(service: str, method: str) -> bool:
        try:
            getattr(separate_sandbox.client(service), method)()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return True
        return False

    first = operator(policy("dynamodb:ListTables"))
    assert not refused("dynamodb", "list_tables")
    assert refused("lambda", "list_functions")
    again = operator(policy("lambda:ListFunctions"), first)
    assert again == first
    assert refused("dynamodb", "list_tables")
    assert not refused("lambda", "list_functions")
    # More often than a managed policy may have versions, and with all else taken away.
    for _ in range(3):
        operator(policy("dynamodb:ListTables"), first)
        operator(policy("lambda:ListFunctions"), first)
    iam = separate_sandbox.client("iam", root=True)
    iam.put_user_policy(
        UserName="nwchat-operator", PolicyName="more", PolicyDocument=policy("dynamodb:ListTables")
    )
    assert not refused("dynamodb", "list_tables")
    other = iam.create_policy(PolicyName="other", PolicyDocument=policy("dynamodb:ListTables"))
    iam.attach_user_policy(UserName="nwchat-operator", PolicyArn=other["Policy"]["Arn"])
    operator(policy("lambda:ListFunctions"), first)
    assert refused("dynamodb", "list_tables")
    lost = operator(policy("lambda:ListFunctions"))
    assert lost != first
    assert not refused("lambda", "list_functions")


def test_role_is_passed_only_with_permission(separate_sandbox: Sandbox) -> None:
    process.up(separate_sandbox.state, port=separate_sandbox.port)
    arn = make_function(separate_sandbox, "passed", echo="")
    root = StaticCredentials(*astuple(separate_sandbox.root_key))

    def update(*actions: str, service: str = "lambda.amazonaws.com") -> str:
        statements = [
            {"Effect": "Allow", "Action": "lambda:UpdateFunctionConfiguration", "Resource": arn},
            *(
                {
                    "Effect": "Allow",
                    "Action": action,
                    "Resource": "arn:aws:iam::*:role/passed",
                    "Condition": {"StringEquals": {"iam:PassedToService": service}},
                }
                for action in actions
            ),
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        made = ensure_operator(separate_sandbox.endpoint, state.DEFAULT_REGION, root, policy)
        state.write_key(separate_sandbox.state, state.AccessKey(made.access_key_id, made.secret_access_key))
        try:
            separate_sandbox.client("lambda").update_function_configuration(
                FunctionName="passed", Role="arn:aws:iam::000000000000:role/passed"
            )
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "allowed"

    assert update() == "AccessDeniedException"
    assert update("iam:PassRole", service="ec2.amazonaws.com") == "AccessDeniedException"
    assert update("iam:PassRole") == "allowed"
