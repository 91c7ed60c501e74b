"""Credentials that will not do, an AWS that does not answer, and secrets that are said nowhere."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.support.error_cases import AWS, KEYS, SECRET, on_sandbox, refused
from tests.e2e.support.sandbox import Sandbox
from tests.unit.subprocesses import Ran, nwchatctl

CREDENTIALS_HINT = (
    "give --profile NAME, set AWS_PROFILE, or run `aws configure`; `--sandbox` needs no account"
)


def test_no_credentials(tmp_path: Path) -> None:
    for argv in (("deploy", "--yes"), ("history", "tail")):
        refused(
            tmp_path,
            argv,
            AWS,
            exit_code=3,
            code="no_credentials",
            message="there are no AWS credentials",
            hint=CREDENTIALS_HINT,
        )


def test_no_region(tmp_path: Path) -> None:
    environ = {**AWS, **KEYS}
    del environ["AWS_DEFAULT_REGION"]
    refused(
        tmp_path,
        ("plan",),
        environ,
        exit_code=3,
        code="no_region",
        message="there is no AWS region",
        hint="give --region, or set aws.region in nwchat.toml",
    )


def test_no_such_profile(tmp_path: Path) -> None:
    refused(
        tmp_path,
        ("plan",),
        {**AWS, "AWS_PROFILE": "nope"},
        exit_code=3,
        code="profile_unknown",
        message="The config profile (nope) could not be found",
        hint="`aws configure list-profiles` names those that exist",
    )


@pytest.mark.parametrize("argv", [("plan",), ("connections", "list")])
def test_credentials_that_aws_does_not_take(tmp_path: Path, sandbox: Sandbox, argv: tuple[str, ...]) -> None:
    environ = {**AWS, **KEYS, "AWS_ENDPOINT_URL": sandbox.endpoint}
    for key, message in (
        ("AKIDEXAMPLE", "AWS does not know these credentials"),
        (sandbox.target.access_key_id, "the secret key does not belong to the access key"),
    ):
        environ["AWS_ACCESS_KEY_ID"] = key
        refused(
            tmp_path,
            argv,
            environ,
            exit_code=3,
            code="credentials",
            message=message,
            hint=CREDENTIALS_HINT,
        )


_EXPIRED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error>
<RequestId>r</RequestId></ErrorResponse>"""


_SKEWED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>SignatureDoesNotMatch</Code><Message>Signature expired: it is</Message></Error>
<RequestId>r</RequestId></ErrorResponse>"""


class _Sts(BaseHTTPRequestHandler):
    answer = _EXPIRED
    ahead_seconds = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(403)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.ahead_seconds)

    def log_message(self, format: str, *args: object) -> None: ...


class _LaterSts(_Sts):
    answer = _SKEWED
    ahead_seconds = 1200


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server with this handler."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def expired() -> Iterator[str]:
    """The address of an STS to which every session is over."""
    with serving(_Sts) as url:
        yield url


def test_a_clock_that_is_off(tmp_path: Path) -> None:
    with serving(_LaterSts) as url:
        refused(
            tmp_path,
            ("status",),
            {**AWS, **KEYS, "AWS_ENDPOINT_URL": url},
            exit_code=3,
            code="clock",
            message="this machine's clock is 20 minutes off AWS's: it is behind",
            hint="set this machine's clock, for example `sudo timedatectl set-ntp true`, then run the "
            "command again",
        )


def test_a_broken_aws_configuration_stops_no_sandbox(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default\n")
    broken = {"AWS_DEFAULTS_MODE": "x", "AWS_REGION": "US East", "AWS_PROFILE": "nope"}
    ran = nwchatctl(tmp_path, "plan", "--json", environ={**on_sandbox(sandbox), **broken})
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["region"] == "us-east-2"
    ran = nwchatctl(tmp_path, "plan", "--json", environ={**AWS, "AWS_MAX_ATTEMPTS": "1"})
    assert (ran.code, json.loads(ran.err)["error"]["code"]) == (3, "aws_config")


def test_credentials_that_have_expired(tmp_path: Path, expired: str) -> None:
    refused(
        tmp_path,
        ("status",),
        {**AWS, **KEYS, "AWS_SESSION_TOKEN": "old", "AWS_ENDPOINT_URL": expired},
        exit_code=3,
        code="credentials",
        message="the credentials have expired",
        hint=CREDENTIALS_HINT,
    )


@contextmanager
def listener(welcome: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that accepts connections and passes each to `welcome`."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        stopped = threading.Event()

        def serve() -> None:
            while True:
                client, _ = server.accept()
                if stopped.is_set():
                    client.close()
                    return
                welcome(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stopped.set()
            socket.create_connection(server.getsockname()).close()
            thread.join()


def test_unresponsive_endpoint_fails_soon(tmp_path: Path) -> None:
    came: list[str] = []

    def welcome(client: socket.socket) -> None:
        asked = re.search(rb"/([a-z]+)/aws4_request", client.recv(65536))
        came.append(asked[1].decode() if asked else "")
        client.close()

    with listener(welcome) as url:
        ran = nwchatctl(tmp_path, "plan", "--json", environ={**AWS, **KEYS, "AWS_ENDPOINT_URL": url})
    assert (ran.code, ran.out) == (1, "")
    error = json.loads(ran.err)["error"]
    assert error["code"] == "unreachable"
    assert error["message"].startswith("AWS could not be reached: ")
    assert error["hint"] == "check the network and the region (--region), then run the command again"
    # A few attempts of each call, not the many that throttling is worth: they would take a minute.
    assert came.count("sts") == 4
    # The lock is looked at beside asking who we are, and nothing else.
    assert set(came) <= {"sts", "dynamodb"}


def test_timeout_ends_hanging_command(tmp_path: Path) -> None:
    held: list[socket.socket] = []
    with listener(held.append) as url:
        began = time.monotonic()
        ran = nwchatctl(tmp_path, "--timeout", "1s", "plan", environ={**AWS, **KEYS, "AWS_ENDPOINT_URL": url})
        took = time.monotonic() - began
        for each in held:
            each.close()
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == ("error: timed out after 1 s\nhint: give a longer --timeout, or none\n")
    # boto3 itself would have waited for a minute.
    assert 1 <= took < 40


def test_output_contains_no_secret(tmp_path: Path, sandbox: Sandbox, expired: str) -> None:
    """Not even by --debug, which says each call, its errors and where they came from."""
    operators = sandbox.target.secret_access_key
    on_aws = {**AWS, **KEYS, "AWS_SESSION_TOKEN": SECRET}
    in_sandbox = {**on_sandbox(sandbox), **KEYS}
    runs: list[Ran] = [
        nwchatctl(tmp_path, "--debug", "-v", *argv, environ=environ)
        for argv, environ in (
            (("plan", "--json"), in_sandbox),
            (("connections", "list"), in_sandbox),
            (("config", "show"), in_sandbox),
            (("sandbox", "status", "--json"), in_sandbox),
            (("plan",), {**on_aws, "AWS_ENDPOINT_URL": expired}),
            (("plan",), {**on_aws, "AWS_ENDPOINT_URL": sandbox.endpoint}),
        )
    ]
    assert [each.code for each in runs] == [0, 4, 0, 0, 3, 3]
    assert "aws: sts GetCallerIdentity: 200" in runs[0].err
    assert "Traceback" in runs[1].err
    for each in runs:
        assert SECRET not in each.out + each.err
        assert operators not in each.out + each.err
