"""A web page that the operator visits reaches the chat in the sandbox, and nothing else of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.support import chromium
from tests.e2e.support.chromium import Page
from tests.e2e.support.sandbox import Sandbox, echo_chat, public_http_api

PROGRAM = chromium.find()

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed (apt-get install chromium)")

EVIL = "evil.example"
"""The domain of the attacker's page, which is on this machine: a browser asks for permission before a page
of another network may call this machine, and no permission may be what protects the sandbox."""


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def blank_site() -> Iterator[str]:
    """A site with an empty page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://{EVIL}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with blank_site() as url:
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert PROGRAM is not None
    profile: Path = tmp_path_factory.mktemp("chromium")
    with chromium.chromium(PROGRAM, profile, EVIL) as page:
        yield page


@pytest.fixture
def page(browser: Page, site: str) -> Page:
    """The browser on the attacker's page."""
    browser.open(site)
    browser.statuses.clear()
    return browser


def attack(sandbox: Sandbox, user: str) -> str:
    """A URL that creates a user where the key `test` needs no signature."""
    query = {
        "Action": "CreateUser",
        "UserName": user,
        "Version": "2010-05-08",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "test/20260101/us-east-1/iam/aws4_request",
        "X-Amz-Signature": "00",
    }
    return f"{sandbox.endpoint}/?{urlencode(query)}"


def users(sandbox: Sandbox) -> set[str]:
    return {each["UserName"] for each in sandbox.client("iam", root=True).list_users()["Users"]}


SCRIPTS = {
    "fetch": "fetch(url).then(() => 'read', () => 'refused')",
    "post": "fetch(url, {method: 'POST', body: 'Action=ListUsers'}).then(() => 'read', () => 'refused')",
    "no-cors": "fetch(url, {method: 'POST', mode: 'no-cors', body: 'x'}).then(() => 'refused')",
    "beacon": "navigator.sendBeacon(url, 'x') && 'refused'",
    "image": "new Promise(done => Object.assign(new Image(), {src: url, onerror: () => done('refused')}))",
    "frame": "new Promise(done => { const frame = document.createElement('iframe'); frame.src = url; "
    "frame.onload = () => done('refused'); document.documentElement.append(frame) })",
}


@pytest.mark.parametrize("how", SCRIPTS)
def test_page_changes_and_reads_nothing(sandbox: Sandbox, page: Page, how: str) -> None:
    url = attack(sandbox, f"evil-{how}")
    assert page.run(f"(url => {SCRIPTS[how]})({url!r})") == "refused"
    method = "POST" if how in ("post", "no-cors", "beacon") else "GET"
    assert page.wait_for(method, url) == 403
    assert f"evil-{how}" not in users(sandbox)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
def test_form_changes_nothing(sandbox: Sandbox, page: Page, kind: str) -> None:
    reset = f"{sandbox.endpoint}/_ministack/reset"
    for url in (attack(sandbox, "evil-form"), reset):
        page.run(
            f"(() => {{ const form = document.createElement('form'); form.method = 'POST'; "
            f"form.enctype = {kind!r}; form.action = {url!r}; form.target = 'result'; "
            "const frame = document.createElement('iframe'); frame.name = 'result'; "
            "document.documentElement.append(frame, form); form.submit() })()"
        )
        assert page.wait_for("POST", url) == 403
    found = users(sandbox)
    assert "evil-form" not in found
    assert "nwchat-operator" in found


def test_top_level_form_and_navigation_change_nothing(sandbox: Sandbox, page: Page) -> None:
    url = attack(sandbox, "evil-top")
    page.run(
        "(() => { const form = document.createElement('form'); form.method = 'POST'; "
        f"form.action = {url!r}; document.documentElement.append(form); form.submit() }})()"
    )
    assert page.wait_for("POST", url) == 403
    page.open(url)
    assert page.wait_for("GET", url) == 403
    assert "evil-top" not in users(sandbox)


def test_preflight_is_refused(sandbox: Sandbox, page: Page) -> None:
    url = sandbox.endpoint + "/"
    options = "{method: 'PUT', headers: {'X-Amz-Target': 'DynamoDB_20120810.ListTables', Authorization: 'x'}}"
    assert page.run(f"fetch({url!r}, {options}).then(() => 'read', () => 'refused')") == "refused"
    assert page.wait_for("OPTIONS", url) == 403
    assert not [each for each in page.statuses if each[0] == "PUT"]


def test_rebound_domain_reads_nothing(sandbox: Sandbox, page: Page) -> None:
    """The attacker's domain leads to this machine, so that the page has the sandbox's origin."""
    api = public_http_api(sandbox, "rebound")
    origin = f"http://{EVIL}:{sandbox.port}"
    page.open(f"{origin}/_ministack/health")
    assert page.wait_for("GET", f"{origin}/_ministack/health") == 403
    paths = ["/", "/_ministack/health", "/_ministack/reset", f"/_aws/execute-api/{api}/"]
    script = "Promise.all({}.map(path => fetch(path, {{method: '{}'}}).then(answer => answer.status)))"
    for method in ("GET", "POST"):
        assert page.run(script.format(paths, method)) == [403] * len(paths)


def test_page_opens_the_chat_and_no_other_socket(sandbox: Sandbox, page: Page) -> None:
    chat = sandbox.socket_url(echo_chat(sandbox, "from-page"))
    script = (
        "new Promise(done => { const socket = new WebSocket(URL); "
        "socket.onopen = () => socket.send('hello'); "
        "socket.onmessage = message => done(message.data); socket.onerror = () => done('refused') })"
    )

    def answer(url: str) -> object:
        return page.run(script.replace("URL", repr(url)))

    assert answer(chat) == "5 by $default"
    base = f"ws://127.0.0.1:{sandbox.port}"
    for url in (
        f"{base}/",
        f"{base}/_aws/execute-api/none/production",
        f"{base}/_ministack/health",
        chat.replace("127.0.0.1", EVIL),
    ):
        assert answer(url) == "refused", url
