"""moto's server as a process, behind a proxy that answers the calls which moto does not implement."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.free_port import free_port

Answer = tuple[int, Any]


FUNCTION_FIELDS = "fields of functions"
"""The name of a gap: fields that moto forgets of a function, which has others."""


@dataclass
class Moto:
    """The running server. `gaps` are the answers to the calls that moto fails, by method and path, and
    `function_fields` what it forgets of functions; `used` are the gaps that were needed."""

    port: int
    gaps: Mapping[str, Answer]
    function_fields: Mapping[str, Any]
    used: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    """Calls that moto failed and that are no gap."""

    def answer(self, call: str, status: int, body: bytes) -> Answer | None:
        """The answer in moto's place; None if moto's own counts."""
        if status < 500 and not (status in (404, 405) and body.lstrip().startswith(b"<!doctype html")):
            return None
        gap = next((each for each in self.gaps if re.fullmatch(each, call)), None)
        if gap is None:
            self.failed.add(call)
            return None
        self.used.add(gap)
        return self.gaps[gap]

    def completed(self, body: bytes) -> bytes:
        """A response of Lambda with the fields that moto forgets."""
        try:
            value = json.loads(body)
        except ValueError:
            return body
        configurations = [value, *value.get("Versions", [])] if isinstance(value, dict) else []
        for each in configurations:
            if "Handler" in each and not self.function_fields.keys() <= each.keys():
                each.update(self.function_fields)
                self.used.add(FUNCTION_FIELDS)
        return json.dumps(value).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    moto: Moto

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection("127.0.0.1", self.moto.port, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        upstream.request(self.command, self.path, body, headers)
        response = upstream.getresponse()
        content, status = response.read(), response.status
        kept = dict(response.getheaders())
        upstream.close()
        gap = self.moto.answer(f"{self.command} {self.path.partition('?')[0]}", status, content)
        if gap is not None:
            status, kept = gap[0], {"Content-Type": "application/json"}
            content = b"" if gap[1] is None else json.dumps(gap[1]).encode()
        elif "/functions/" in self.path and status < 300:
            content = self.moto.completed(content)
        self.send_response_only(status)
        for name, value in kept.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def moto_server(gaps: Mapping[str, Answer], function_fields: Mapping[str, Any]) -> Iterator[tuple[Moto, str]]:
    """A running server, and the address of the proxy before it."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    # Without these Lambda functions would be run, in containers.
    environ = {**os.environ, "MOTO_DOCKER_LAMBDA_IMAGE": "", "PYTHONWARNINGS": "ignore"}
    server = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(server, port)
        moto = Moto(port, gaps, function_fields)
        handler = type("Handler", (_Handler,), {"moto": moto})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
            proxy.daemon_threads = True
            thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield moto, f"http://127.0.0.1:{proxy.server_port}"
            proxy.shutdown()
            thread.join()
    finally:
        server.terminate()
        server.wait(60)


def _await(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("moto's server does not start")
