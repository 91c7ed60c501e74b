"""Answers that are not AWS's end in an error that says so, for every service and every kind of answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from nwchatctl.aws.core import session
from nwchatctl.aws.core.answers import Answer, MissingField, UnreadableAnswer
from nwchatctl.aws.core.caller import identify_caller
from nwchatctl.aws.core.errors import to_chat_error
from nwchatctl.aws.core.retry import is_transient, is_unanswered
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials

PAGE = b"<!DOCTYPE html><html><body>Sign in, hunter2</body></html>"


@dataclass(frozen=True)
class Odd:
    """An HTTP response that AWS does not send."""

    status: int
    body: bytes
    content_type: str = "application/json"


Call = Callable[[Any], object]

CALLS: dict[str, Call] = {
    "acm": lambda client: client.list_certificates(),
    "apigateway": lambda client: client.get_account(),
    "apigatewayv2": lambda client: client.get_apis(),
    "dynamodb": lambda client: client.describe_table(TableName="table"),
    "iam": lambda client: client.get_role(RoleName="role"),
    "lambda": lambda client: client.get_function(FunctionName="function"),
    "logs": lambda client: client.describe_log_groups(),
    "route53": lambda client: client.list_hosted_zones(),
    "sqs": lambda client: client.get_queue_url(QueueName="queue"),
    "ssm": lambda client: client.get_parameter(Name="/parameter"),
    "sts": lambda client: client.get_caller_identity(),
}
WITHOUT_BODY: dict[str, Call] = {
    "apigatewayv2": lambda client: client.delete_api(ApiId="api"),
    "iam": lambda client: client.delete_role(RoleName="role"),
    "logs": lambda client: client.put_retention_policy(logGroupName="group", retentionInDays=1),
    "lambda": lambda client: client.delete_alias(FunctionName="function", Name="live"),
    "sqs": lambda client: client.delete_queue(QueueUrl="https://sqs.eu-west-1.amazonaws.com/1/queue"),
}
"""Calls whose response has no fields: a page must not look like success."""

FOREIGN = {
    "page": Odd(200, PAGE, "text/html; charset=utf-8"),
    "page without a type": Odd(200, b"\n<html>hunter2</html>"),
    "refusing page": Odd(403, PAGE, "text/html"),
    "missing page": Odd(404, PAGE, "text/html"),
    "redirect": Odd(302, b""),
    "proxy": Odd(407, b""),
    "portal": Odd(511, PAGE, "text/html"),
}
UNREADABLE = {
    "empty": Odd(200, b""),
    "cut": Odd(200, b'{"Secret": "hunter2", "Name": "n'),
    "text": Odd(200, b"hunter2"),
    "list": Odd(200, b'["hunter2"]'),
    "null": Odd(200, b"null"),
}


@dataclass
class OddAws:
    """Clients of a server that gives one response to everything."""

    aws: Aws
    odd: Odd = Odd(200, b"")

    def errors(self, odd: Odd, *all_calls: Mapping[str, Call]) -> Iterator[tuple[str, Exception]]:
        """What each call raises when it gets this response."""
        self.odd = odd
        for calls in all_calls:
            for service, call in calls.items():
                client = self.client(service)
                yield service, error_of(partial(call, client))

    def client(self, service: str) -> Any:
        return self.aws.client(cast("Any", service))


@pytest.fixture(scope="module")
def odd_aws() -> Iterator[OddAws]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            odd = made.odd
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(odd.status)
            self.send_header("Content-Type", odd.content_type)
            self.send_header("Content-Length", str(len(odd.body)))
            if odd.status == 302:
                self.send_header("Location", "http://127.0.0.1:9/login")
            self.end_headers()
            self.wfile.write(odd.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

        def log_message(self, format: str, *args: object) -> None: ...

    with pytest.MonkeyPatch.context() as patch, ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        patch.setattr(session, "ATTEMPTS", 1)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        key = StaticCredentials("AKID", "secret")
        made = OddAws(Aws(Access(region="eu-west-1", endpoint=endpoint, credentials=key)))
        yield made
        server.shutdown()
        thread.join()


def error_of(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("kind", FOREIGN)
def test_an_answer_of_a_proxy_is_named_and_not_repeated(odd_aws: OddAws, kind: str) -> None:
    for service, error in odd_aws.errors(FOREIGN[kind], CALLS, WITHOUT_BODY):
        known = to_chat_error(error)
        assert known is not None and known.code == "unreadable_answer", (service, error)
        assert "is not AWS's" in known.message and "HTTPS_PROXY" in known.hint
        assert "hunter2" not in known.message
        assert not is_transient(error)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_answer_that_cannot_be_read_may_have_been_carried_out(odd_aws: OddAws, kind: str) -> None:
    for service, error in odd_aws.errors(UNREADABLE[kind], CALLS):
        known = to_chat_error(error)
        assert known is not None and known.code == "unreadable_answer", (service, error)
        assert "cannot be read" in known.message and "hunter2" not in known.message
        assert is_unanswered(error)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_page_of_a_load_balancer_is_transient(odd_aws: OddAws, status: int) -> None:
    for service, error in odd_aws.errors(Odd(status, PAGE, "text/html"), CALLS):
        known = to_chat_error(error)
        assert is_transient(error), (service, error)
        assert known is not None and "hunter2" not in known.message


def test_calls_without_an_answer_succeed_without_one(odd_aws: OddAws) -> None:
    odd_aws.odd = Odd(200, b"")
    for service in ("apigatewayv2", "logs", "sqs"):
        WITHOUT_BODY[service](odd_aws.client(service))
    odd_aws.odd = Odd(204, b"")
    WITHOUT_BODY["lambda"](odd_aws.client("lambda"))


@pytest.mark.parametrize("body", [b"{}", b'{"Other": {}}'])
def test_a_missing_field_is_named(odd_aws: OddAws, body: bytes) -> None:
    odd_aws.odd = Odd(200, body)
    table = odd_aws.client("dynamodb").describe_table(TableName="table")
    error = error_of(lambda: table["Table"])
    known = to_chat_error(error)
    assert isinstance(error, MissingField)
    assert known is not None and known.message == "the answer to DescribeTable has no Table"
    assert not is_transient(error)


def test_missing_fields_of_parts_are_named_too(odd_aws: OddAws) -> None:
    odd_aws.odd = Odd(200, b'{"items": [{"name": "chat"}]}')
    (api,) = odd_aws.client("apigatewayv2").get_apis()["Items"]
    assert isinstance(api, Answer) and (api["Name"], api.get("ApiId")) == ("chat", None)
    with pytest.raises(MissingField, match="the answer to GetApis has no ApiId"):
        api["ApiId"]


def test_a_caller_without_an_arn(odd_aws: OddAws) -> None:
    odd_aws.odd = Odd(
        200,
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        b"<GetCallerIdentityResult><Arn>nothing</Arn><Account>1</Account></GetCallerIdentityResult>"
        b"</GetCallerIdentityResponse>",
        "text/xml",
    )
    with pytest.raises(UnreadableAnswer):
        identify_caller(odd_aws.aws)
