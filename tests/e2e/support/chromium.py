"""A headless Chromium that is driven over the Chrome DevTools protocol."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

SECONDS = 60.0
"""Timeout of one step; on a busy machine a start takes ten seconds."""

_FLAGS = (
    *("--headless", "--disable-gpu", "--no-first-run", "--no-proxy-server", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--remote-debugging-port=0"),
    # So that all frames of a page report to one session.
    "--disable-site-isolation-trials",
)


def find() -> str | None:
    """The path of an installed Chromium or Chrome; None without one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


@dataclass
class Page:
    """One tab. `statuses` has the HTTP status of each response, by method and URL."""

    _connection: ClientConnection
    _session: str
    statuses: list[tuple[str, str, int]] = field(default_factory=list)
    _requests: dict[str, tuple[str, str]] = field(default_factory=dict)
    _early: dict[str, int] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(10))

    def call(self, method: str, **params: Any) -> Any:
        """Sends a command and returns its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params, "sessionId": self._session}
        self._connection.send(json.dumps(message))
        while True:
            message = self._next()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def open(self, url: str) -> None:
        """Navigates to `url` and waits until the page is loaded."""
        self.call("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, method: str, url: str) -> int:
        """The status of the first response to such a request."""
        while True:
            for seen, address, status in self.statuses:
                if (seen, address) == (method, url):
                    return status
            self._next()

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(SECONDS))
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                request = params["request"]
                self._requests[params["requestId"]] = (request["method"], request["url"])
                if (status := self._early.pop(params["requestId"], None)) is not None:
                    self.statuses.append((*self._requests[params["requestId"]], status))
            case "Network.responseReceivedExtraInfo":
                # Also of a response that the page may not read. It can arrive before the request's event.
                if request := self._requests.get(params["requestId"]):
                    self.statuses.append((*request, params["statusCode"]))
                else:
                    self._early[params["requestId"]] = params["statusCode"]
        return message


@contextmanager
def chromium(program: str, profile: Path, *domains: str) -> Iterator[Page]:
    """A started Chromium, for which the `domains` are at 127.0.0.1."""
    rules = ",".join(f"MAP {each} 127.0.0.1" for each in domains)
    # Chromium's own sandbox cannot be used by root; it opens only pages of these tests.
    as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    command = [program, *_FLAGS, *as_root, f"--user-data-dir={profile}", f"--host-resolver-rules={rules}"]
    environment = {**os.environ, "HOME": str(profile), "XDG_CONFIG_HOME": str(profile)}
    with subprocess.Popen(
        [*command, "about:blank"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            # It keeps the port of a browser that does not start from waiting for ever.
            timer = threading.Timer(SECONDS, process.kill)
            timer.start()
            try:
                url = _debugger_url(process)
            finally:
                timer.cancel()
            drain = threading.Thread(target=process.stderr.read if process.stderr else None, daemon=True)
            drain.start()
            with connect(url, proxy=None, max_size=None) as connection:
                yield _open_page(connection)
                connection.send(json.dumps({"id": 9, "method": "Browser.close"}))
            process.wait(10)
        finally:
            process.kill()


def _debugger_url(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        if found := re.search(r"DevTools listening on (ws://\S+)", line):
            return found[1]
        lines.append(line)
    raise AssertionError("Chromium did not start: " + "".join(lines[-20:]))


def _open_page(connection: ClientConnection) -> Page:
    def call(number: int, method: str, **params: Any) -> Any:
        connection.send(json.dumps({"id": number, "method": method, "params": params}))
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            message = json.loads(connection.recv(SECONDS))
            if message.get("id") == number:
                return message["result"]
        raise TimeoutError(method)

    target = call(1, "Target.createTarget", url="about:blank")["targetId"]
    session = call(2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page = Page(connection, session)
    for domain in ("Page", "Network", "Runtime"):
        page.call(f"{domain}.enable")
    return page
