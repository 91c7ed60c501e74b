"""The part of AWS that one event of each function needs: DynamoDB and @connections, on one port."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.posts.contenders.common import connection_ids
from nwchat.model.rows import Connection, connection_row

CONNECTIONS = 10
_ROWS = [connection_row(Connection(each, 1_681_948_677_627)) for each in connection_ids(CONNECTIONS)]
_ANSWERS: dict[str, dict[str, Any]] = {
    "Scan": {"Items": _ROWS, "Count": len(_ROWS), "ScannedCount": len(_ROWS)},
    "UpdateItem": {"Attributes": {"spent": {"N": "1"}}},
    "BatchGetItem": {"Responses": {}, "UnprocessedKeys": {}},
    "Query": {"Items": []},
}


class AwsStub(ThreadingHTTPServer):
    """Counts the calls of each operation; a post to a connection is `Post`."""

    daemon_threads = True
    # A function opens many connections at once.
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The headers and the body are two writes, which must not wait for an acknowledgement in between.
    disable_nagle_algorithm = True
    server: AwsStub

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", ".Post").rpartition(".")[2]
        self.server.calls.append(operation)
        body = b"" if operation == "Post" else json.dumps(_ANSWERS.get(operation, {})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


@contextmanager
def run_aws_stub() -> Iterator[AwsStub]:
    """Starts the stub on a free port of 127.0.0.1."""
    with AwsStub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
