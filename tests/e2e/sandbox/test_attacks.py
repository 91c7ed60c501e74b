"""Calls to the sandbox that no key of it has signed are refused, whoever sends them."""

from __future__ import annotations

import datetime
import hashlib
import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import ministack
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from nwchatctl.sandbox.state import DEFAULT_REGION, AccessKey
from tests.e2e.support.sandbox import Sandbox, echo_chat, invoke, make_function, public_http_api

FORM = "application/x-www-form-urlencoded"
ACTION = urlencode({"Action": "CreateUser", "UserName": "evil", "Version": "2010-05-08"})


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    sandbox: Sandbox,
    method: str,
    path: str,
    body: str = "",
    headers: Mapping[str, str | None] | None = None,
) -> Answer:
    """Sends a request as it is. A header that is None is left out."""
    wanted = {"Host": f"127.0.0.1:{sandbox.port}", **(headers or {})}
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in wanted.items():
            if value is not None:
                connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() or None)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def sign(
    sandbox: Sandbox,
    key: AccessKey,
    *,
    body: str = ACTION,
    host: str = "",
    token: str | None = None,
    late: float = 0.0,
    path: str = "/",
    service: str = "iam",
) -> dict[str, str]:
    """The headers of a form POST to IAM or STS, signed with `key`, `late` seconds ago."""
    request = AWSRequest("POST", sandbox.endpoint + path, headers={"Content-Type": FORM}, data=body)
    request.headers["Host"] = host or f"127.0.0.1:{sandbox.port}"
    signer = SigV4Auth(Credentials(key.access_key_id, key.secret_access_key, token), service, "us-east-1")
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=late)
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    request.headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
        f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(request))}, "
        f"Signature={signer.signature(text, request)}"
    )
    return dict(request.headers.items())


def evil_exists(sandbox: Sandbox) -> bool:
    users = sandbox.client("iam", root=True).list_users()["Users"]
    return "evil" in {each["UserName"] for each in users}


def refused(sandbox: Sandbox, answer: Answer) -> None:
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "date" in answer.headers
    assert not evil_exists(sandbox)


def test_correctly_signed_call_is_accepted(sandbox: Sandbox) -> None:
    """What all the others of this file would be if they were let through."""
    for host in ("127.0.0.1", "localhost", "[::1]"):
        headers = sign(sandbox, sandbox.root_key, host=f"{host}:{sandbox.port}", late=200)
        answer = send(sandbox, "POST", "/", ACTION, headers)
        assert answer.status == 200, answer
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert evil_exists(sandbox)
        sandbox.client("iam", root=True).delete_user(UserName="evil")


@pytest.mark.parametrize("kind", [FORM, "text/plain", "multipart/form-data; boundary=x", None])
@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "GET", "HEAD", "DELETE"])
def test_unsigned_call_is_refused(sandbox: Sandbox, kind: str | None, method: str) -> None:
    refused(sandbox, send(sandbox, method, f"/?{ACTION}", ACTION, {"Content-Type": kind}))


KEYS = ("test", "123456789012", "000000000000", "", "operator", "root")


def access_key_id(sandbox: Sandbox, name: str) -> str:
    known = {"operator": sandbox.target.access_key_id, "root": sandbox.root_key.access_key_id}
    return known.get(name, name)


@pytest.mark.parametrize("name", KEYS)
def test_wrong_signature_is_refused(sandbox: Sandbox, name: str) -> None:
    headers = sign(sandbox, AccessKey("AKIDEXAMPLE", "wrong"))
    value = headers["Authorization"].replace("AKIDEXAMPLE", access_key_id(sandbox, name))
    for signature in ("00", "", "0" * 64, re.sub(".*Signature=", "", value)):
        changed = re.sub("Signature=.*", f"Signature={signature}", value)
        refused(sandbox, send(sandbox, "POST", "/", ACTION, {**headers, "Authorization": changed}))


@pytest.mark.parametrize("secret", ["test", ""])
@pytest.mark.parametrize("name", KEYS)
def test_public_secret_is_refused(sandbox: Sandbox, name: str, secret: str) -> None:
    if key := access_key_id(sandbox, name):
        headers = sign(sandbox, AccessKey(key, secret))
        refused(sandbox, send(sandbox, "POST", "/", ACTION, headers))


@pytest.mark.parametrize("late", [16 * 60.0, -16 * 60.0, 24 * 3600.0])
def test_old_and_future_signatures_are_refused(sandbox: Sandbox, late: float) -> None:
    headers = sign(sandbox, sandbox.root_key, late=late)
    refused(sandbox, send(sandbox, "POST", "/", ACTION, headers))


@pytest.mark.parametrize(
    "changed",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:PORT"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "0.0.0.0:PORT"},
        {"Host": None},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:PORT"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Mode": "no-cors"},
    ],
    ids=str,
)
def test_signed_call_of_a_browser_or_to_another_host_is_refused(
    sandbox: Sandbox, changed: dict[str, str | None]
) -> None:
    port = str(sandbox.port)
    shown = {name: value and value.replace("PORT", port) for name, value in changed.items()}
    headers = sign(sandbox, sandbox.root_key, host=shown.get("Host") or "")
    answer = send(sandbox, "POST", "/", ACTION, {**headers, **shown})
    if "Host" in changed and changed["Host"] is None:
        # HTTP/1.1 requires the header; hypercorn answers before the sandbox does.
        assert answer.status == 400
    else:
        refused(sandbox, answer)


def test_signature_of_another_body_is_refused(sandbox: Sandbox) -> None:
    other = "Action=ListUsers&Version=2010-05-08"
    headers = sign(sandbox, sandbox.root_key, body=other)
    digest = {"X-Amz-Content-SHA256": hashlib.sha256(other.encode()).hexdigest()}
    for more in ({}, digest):
        refused(sandbox, send(sandbox, "POST", "/", ACTION, {**headers, **more}))


def test_presigned_url_is_refused(sandbox: Sandbox) -> None:
    """No program of the chat sends one, and a page can."""
    key = Credentials(sandbox.root_key.access_key_id, sandbox.root_key.secret_access_key)
    request = AWSRequest("GET", f"{sandbox.endpoint}/?{ACTION}", headers={})
    SigV4QueryAuth(key, "iam", "us-east-1").add_auth(request)
    path = str(request.url).removeprefix(sandbox.endpoint)
    refused(sandbox, send(sandbox, "GET", path))
    old = urlencode({"AWSAccessKeyId": "test", "Signature": "00", "Expires": "4000000000"})
    refused(sandbox, send(sandbox, "POST", f"/?{old}", ACTION))
    for query in ("X-Amz-Credential=test", "awsaccesskeyid=test", "x-amz-algorithm=", "unrelated="):
        path = f"/?{query}"
        answer = send(sandbox, "POST", path, ACTION, sign(sandbox, sandbox.root_key, path=path))
        if query != "unrelated=":
            refused(sandbox, answer)
    assert answer.status == 200
    sandbox.client("iam", root=True).delete_user(UserName="evil")


def test_key_of_a_function_cannot_be_computed(sandbox: Sandbox) -> None:
    """ministack derives it from the function's ARN."""
    arn = make_function(sandbox, "computed", echo="")
    own = invoke(sandbox, "computed", {"say": "environment"})["environ"]
    body = "Action=GetCallerIdentity&Version=2011-06-15"

    def status(key: AccessKey, token: str) -> int:
        headers = sign(sandbox, key, body=body, token=token, service="sts")
        return send(sandbox, "POST", "/", body, headers).status

    key = AccessKey(own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"])
    assert status(key, own["AWS_SESSION_TOKEN"]) == 200
    role = f"arn:aws:iam::{arn.split(':')[4]}:role/computed"
    for name in (arn, f"{arn}:$LATEST"):
        digest = hashlib.sha256(f"{name}:{role}".encode()).hexdigest()
        secret, token = (
            hashlib.sha256(f"{kind}:{digest}".encode()).hexdigest() for kind in ("secret", "token")
        )
        computed = AccessKey(f"ASIA{digest[:16].upper()}", secret)
        assert status(computed, token) == 403
        assert status(AccessKey(key.access_key_id, secret), token) == 403


def management_paths() -> list[str]:
    """All paths of the emulator's own in its source, and the paths that it serves without a signature."""
    source = "".join(each.read_text() for each in Path(ministack.__file__).parent.rglob("*.py"))
    found = re.findall(r"""["'](/_(?:ministack|localstack|aws|alb)/[\w./-]*)""", source)
    return sorted(
        {
            *found,
            *("/", "/health", "/ready", "/graphql", "/v2/", "/v2/_catalog", "/login", "/logout"),
            *("/oauth2/authorize", "/oauth2/token", "/oauth2/userInfo", "/pool/.well-known/jwks.json"),
            *("/latest/meta-data/", "/latest/api/token", "/iceberg/v1/config", "/v20180820/tags/x"),
            *("/Execute", "/BatchExecute", "/v2/email/identities", "/WriteGetObjectResponse"),
            *("/bucket", "/bucket/key", "/_aws/execute-api/none/x", "/restapis/x/y/_user_request_/z"),
            *("/_aws/lambda-url/x/", "/_alb/x/", "/2015-03-31/functions/", "/v2/apis", "/@connections/x"),
            *("/_ministack/lambda-code/x", "/_ministack/lambda-layers/x/1/content"),
            *("//_ministack/health", "/_ministack/health/", "/_ministack/%68ealth/"),
            *("/_ministack/eks-auth/x", "/_ministack/cfn-response/x", "/_ministack/ui/", "/_ministack/state"),
        }
        - {"/_ministack/health"}
    )


def test_management_paths_are_those_of_the_installed_emulator() -> None:
    assert {
        "/_ministack/reset",
        "/_ministack/config",
        "/_ministack/ready",
        "/_ministack/ses/messages",
        "/_ministack/transfer/sftp-ports",
        "/_ministack/rds/iam-auth",
        "/_localstack/health",
    } <= set(management_paths())


def test_unsigned_management_paths_are_closed(sandbox: Sandbox) -> None:
    answered = {
        (method, path): answer.status
        for path in management_paths()
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS")
        if (answer := send(sandbox, method, path, "" if method == "GET" else "{}")).status != 403
    }
    assert answered == {}
    assert sandbox.client("sts").get_caller_identity()["Arn"].endswith(":user/nwchat-operator")


def test_health_is_open_to_programs_only(sandbox: Sandbox) -> None:
    path = "/_ministack/health"
    answer = send(sandbox, "GET", path)
    assert (answer.status, json.loads(answer.body)["auth"]) == (200, "enabled")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    for headers in ({"Origin": "null"}, {"Sec-Fetch-Site": "none"}, {"Host": f"evil.example:{sandbox.port}"}):
        assert send(sandbox, "GET", path, headers=headers).status == 403


def test_history_address_is_public_on_this_machine_only(sandbox: Sandbox) -> None:
    api = public_http_api(sandbox, "public")
    path = f"/_aws/execute-api/{api}/"
    answer = send(sandbox, "GET", path, headers={"Origin": "https://game.example", "Sec-Fetch-Site": "x"})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert send(sandbox, "GET", path + "nothing").status == 404
    # No key and no account follows from what a public request claims.
    claim = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=123456789012/20260101/x/iam/aws4_request, Signature=0"
    }
    assert send(sandbox, "GET", path, headers=claim).status == 200
    refused(sandbox, send(sandbox, "GET", path, headers={"Host": f"evil.example:{sandbox.port}"}))
    refused(sandbox, send(sandbox, "GET", path, headers={"Host": "chat.unmapped.example"}))
    refused(sandbox, send(sandbox, "POST", f"{path}x/@connections/x", "hello"))
    refused(sandbox, send(sandbox, "POST", f"{path}x/%40connections/x", "hello"))


def test_connections_are_addresses_of_aws(sandbox: Sandbox) -> None:
    api = echo_chat(sandbox, "attacked")
    path = f"/_aws/execute-api/{api}/production"
    with connect(sandbox.socket_url(api), proxy=None, origin=Origin("https://game.example")) as socket:
        socket.send("hello")
        assert socket.recv(20) == "5 by $default"
        refused(sandbox, send(sandbox, "POST", f"{path}/@connections/x", "hello"))
        refused(sandbox, send(sandbox, "GET", path))
        management = sandbox.client("apigatewaymanagementapi", root=True, url=sandbox.endpoint + path)
        with pytest.raises(management.exceptions.GoneException):
            management.post_to_connection(ConnectionId="x", Data=b"hello")


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/", ""),
        ("/_aws/execute-api/none/production", ""),
        ("/_ministack/health", ""),
        ("/mqtt", f"x.iot.{DEFAULT_REGION}.amazonaws.com"),
        ("CHAT", "evil.example:PORT"),
        ("CHAT", "chat.unmapped.example"),
    ],
)
def test_socket_elsewhere_is_refused(sandbox: Sandbox, path: str, host: str) -> None:
    chat = path == "CHAT"
    url = sandbox.socket_url(_attacked(sandbox)) if chat else f"ws://127.0.0.1:{sandbox.port}{path}"
    shown: Any = {"Host": host.replace("PORT", str(sandbox.port))} if host else {}
    if not host:
        with pytest.raises(InvalidStatus) as caught:
            connect(url, proxy=None).close()
        assert caught.value.response.status_code == 403
        return
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
    }
    address = url.removeprefix(f"ws://127.0.0.1:{sandbox.port}")
    assert send(sandbox, "GET", address, headers={**upgrade, **shown}).status == 403


def _attacked(sandbox: Sandbox) -> str:
    apis = sandbox.client("apigatewayv2", root=True).get_apis()["Items"]
    return str(next(each["ApiId"] for each in apis if each["Name"] == "attacked"))
