"""Waits of boto3's clients and of libcurl's requests are announced, and so is their end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nwchat.aws.signing import Credentials
from nwchat.delivery.outcome import Outcome
from nwchat.delivery.poster import ListSource
from nwchat.delivery.scheduler import RequestScheduler
from nwchat.delivery.targets import ConnectionRequests
from nwchat.model.rows import Recipient
from nwchatctl import wait_notices
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.net.curl_transport import CurlTransport

IDENTITY = b"""<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Said(list[str]):
    """The notices; `any` is set with the first."""

    def __init__(self) -> None:
        self.any = threading.Event()

    def __call__(self, text: str) -> None:
        self.append(text)
        self.any.set()


@contextmanager
def server(said: Said, *, status: int) -> Iterator[str]:
    """The address of a server that answers `status` until something was said, and 200 from then on; a status
    of 0 is no answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if not status:
                said.any.wait(60)
            self.send_response(200 if said.any.is_set() else status)
            self.send_header("Content-Length", str(len(IDENTITY)))
            self.end_headers()
            self.wfile.write(IDENTITY)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_port}"
        finally:
            httpd.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_notices, "NOTICE_SECONDS", 0.3)
    monkeypatch.setattr("nwchatctl.net.curl_transport.NOTICE_SECONDS", 0.3)


@pytest.mark.parametrize(
    ("status", "notice"),
    [
        (0, "AWS has not answered GetCallerIdentity for N s; waiting"),
        (503, "AWS fails GetCallerIdentity for now; waiting until this has passed"),
    ],
)
def test_a_call_of_boto3(status: int, notice: str) -> None:
    said = Said()
    with server(said, status=status) as endpoint, wait_notices.announced(said, watched=not status):
        aws = Aws(Access("", "us-east-2", endpoint, StaticCredentials("AK", "secret")))
        assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert [re.sub(r"for \d+ s", "for N s", each) for each in said] == [notice, "AWS answers again"]


@pytest.mark.parametrize(
    ("status", "notice"),
    [
        (0, "AWS has not answered a request for N s; waiting"),
        (503, "AWS could not be reached: status 503; waiting until this has passed"),
    ],
)
def test_requests_of_libcurl(status: int, notice: str) -> None:
    said = Said()
    outcomes: list[Outcome] = []
    with server(said, status=status) as endpoint, wait_notices.announced(said, watched=not status):
        target = ConnectionRequests("POST", endpoint, "us-east-2", lambda: Credentials("AK", "s"), b"hi")
        source = ListSource([Recipient("a")])
        # Backoff of 0.1 s, doubled each time.
        scheduler = RequestScheduler(
            source, target, lambda _, each: outcomes.append(each), jitter=lambda: 1.0
        )
        CurlTransport().run(scheduler, lambda: "")
    assert [re.sub(r"for \d+ s", "for N s", each) for each in said] == [notice, "AWS answers again"]
    assert len(outcomes) == 1
