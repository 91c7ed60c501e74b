"""The part of DynamoDB that `connections list` needs: a Scan that returns three connections."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nwchat.model.rows import Connection, connection_row

CONNECTIONS = tuple(
    Connection(f"L0SM9cOFvHcCIh{each}=", 1_681_948_677_627 + each, source_ip="192.0.2.7", user_agent="wscat")
    for each in range(3)
)


class _ScanHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The headers and the body are two writes, which must not wait for an acknowledgement in between.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_scan = self.headers["X-Amz-Target"] == "DynamoDB_20120810.Scan"
        # The first segment of a parallel scan returns all of them.
        rows = [connection_row(each) for each in CONNECTIONS] if not request.get("Segment") else []
        response: dict[str, object] = {"Items": rows, "Count": len(rows), "ScannedCount": len(rows)}
        body = json.dumps(response if is_scan else {"__type": "com.amazon.coral#UnknownOperation"}).encode()
        self.send_response(200 if is_scan else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amz-crc32", str(zlib.crc32(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


@contextmanager
def run_dynamodb_stub() -> Iterator[str]:
    """Starts the stub on a free port of 127.0.0.1; yields its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _ScanHandler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
