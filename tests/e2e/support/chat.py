"""A deployed chat: its sockets, its tables, and `nwchatctl` in a separate process."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError
from websockets.sync.client import ClientConnection, connect

from tests.e2e.support.sandbox import Sandbox

SECONDS = 60.0
"""Timeout of all waits; a cold start on a busy machine takes the longest."""

UNREACHABLE = "no\nbody"
"""A connection id to which every post is refused: in the sandbox's IAM a `*` does not match a newline."""

Frame = dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """The exit code and output of nwchatctl."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)


class Player:
    """One socket that is connected to the chat."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, frame: str | bytes | list[str] | Frame) -> None:
        """Sends one message: text, bytes, text in several frames, or an object as JSON."""
        self.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    def receive(self) -> Frame:
        """The next frame."""
        frame: Frame = json.loads(self.socket.recv(timeout=SECONDS))
        return frame

    def receive_until(self, wanted: Callable[[Frame], bool]) -> list[Frame]:
        """The frames up to and including the first that is `wanted`."""
        frames = [self.receive()]
        while not wanted(frames[-1]):
            frames.append(self.receive())
        return frames

    def receive_text(self, text: str) -> Frame:
        """The first message or announcement with that text. Earlier frames are dropped."""
        return self.receive_until(lambda frame: frame.get("message") == text)[-1]

    def history(self, limit: int = 5) -> list[Frame]:
        """The newest messages, oldest first."""
        self.send({"action": "history", "limit": limit})
        messages: list[Frame] = self.receive_type("history")["messages"]
        return messages

    def receive_type(self, kind: str) -> Frame:
        """The first frame of that type. Earlier frames are dropped."""
        return self.receive_until(lambda frame: frame.get("type") == kind)[-1]


def unique(text: str = "text") -> str:
    """A text that no other test sends."""
    return f"{text} {uuid.uuid4().hex}"


def gather(sender: Player, *others: Player) -> list[list[Frame]]:
    """The frames that each player has received until now. `sender` sends a marker that ends the lists: the
    sandbox handles the frames of one socket in order, so the results of earlier frames arrive before the
    marker."""
    marker = unique("marker")
    sender.send(marker)
    return [
        each.receive_until(lambda frame: frame.get("message") == marker)[:-1] for each in (sender, *others)
    ]


def eventually(check: Callable[[], object], wanted: object) -> None:
    """Asserts that `check()` returns `wanted` before the timeout."""
    deadline = time.monotonic() + SECONDS
    while (found := check()) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == wanted, f"{found!r} did not become {wanted!r}"


class RunningCommand:
    """A running `nwchatctl`, whose lines are read as it prints them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def line(self) -> str | None:
        """The next line of stdout; None at the end."""
        return self._lines.get(timeout=SECONDS)

    def message(self) -> Frame:
        """The next line, which is JSON."""
        frame: Frame = json.loads(self.line() or "null")
        return frame

    def wait(self, stop: int | None = None) -> Ran:
        """Waits until it ends, after the signal `stop` if given. The output is what follows the last
        `line`."""
        if stop is not None:
            self.process.send_signal(stop)
        code = self.process.wait(SECONDS)
        rest = "".join(iter(lambda: self.line() or "", ""))
        assert self.process.stderr is not None
        return Ran(code, rest, self.process.stderr.read())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@dataclass
class Chat:
    """A chat in a sandbox. `settings` are `NWCHAT_*` variables for all commands about it."""

    sandbox: Sandbox
    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    url: str = ""

    def deploy(self) -> None:
        done = self.nwchatctl("deploy", "--yes", "--json")
        assert (done.code, done.err) == (0, ""), done
        self.url = done.data["endpoints"]["websocket"]

    # nwchatctl --------------------------------------------------------------------------------

    @property
    def environ(self) -> dict[str, str]:
        return {**self.sandbox.environ, "TZ": "UTC", "NWCHAT_CHAT__NAME": self.name, **self.settings}

    def nwchatctl(self, *words: str, stdin: str = "", **environ: str) -> Ran:
        """Runs a command to its end, with pipes for its streams."""
        done = subprocess.run(
            self._command(words),
            cwd=self.sandbox.state.root,
            env={**self.environ, **environ},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def json(self, *words: str, code: int = 0) -> Any:
        """Runs a command with --json. Returns its JSON."""
        done = self.nwchatctl(*words, "--json")
        assert done.code == code, done
        return done.data

    @contextmanager
    def running(self, *words: str) -> Iterator[RunningCommand]:
        """Starts a command. It is killed at the end of the context if it still runs."""
        process = subprocess.Popen(
            self._command(words),
            cwd=self.sandbox.state.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        running = RunningCommand(process)
        try:
            yield running
        finally:
            running.close()

    def _command(self, words: Iterable[str]) -> list[str]:
        return [sys.executable, "-m", "nwchatctl", *words]

    # Sockets ----------------------------------------------------------------------------------

    @contextmanager
    def players(self, count: int = 2, **options: Any) -> Iterator[tuple[Player, ...]]:
        """`count` connected sockets with their rows. `options` are passed to the `connect` of websockets."""
        with ExitStack() as stack:
            yield tuple(
                Player(stack.enter_context(connect(self.url, proxy=None, open_timeout=SECONDS, **options)))
                for _ in range(count)
            )

    # Resources, with the root key -------------------------------------------------------------

    @cached_property
    def dynamodb(self) -> Any:
        return self.sandbox.client("dynamodb", root=True)

    @cached_property
    def functions(self) -> Any:
        return self.sandbox.client("lambda", root=True)

    def function(self, kind: str) -> str:
        """The name of the function `connect`, `disconnect` or `message`."""
        return f"nwchat-{self.name}-{kind}"

    @property
    def connections_table(self) -> str:
        return f"nwchat-{self.name}-connections"

    @property
    def messages_table(self) -> str:
        return f"nwchat-{self.name}-messages"

    def rows(self) -> dict[str, Frame]:
        """The rows of the connections table by their key."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.connections_table)
        return {row["connection_id"]["S"]: row for page in pages for row in page["Items"]}

    def put(self, table: str, rows: Iterable[Frame]) -> None:
        requests = [{"PutRequest": {"Item": row}} for row in rows]
        for start in range(0, len(requests), 25):
            batch = {table: requests[start : start + 25]}
            assert not self.dynamodb.batch_write_item(RequestItems=batch)["UnprocessedItems"]

    def put_connections(self, *rows: Frame) -> None:
        self.put(self.connections_table, rows)

    def delete_connections(self, *keys: str) -> None:
        for key in keys:
            self.dynamodb.delete_item(TableName=self.connections_table, Key={"connection_id": {"S": key}})

    @contextmanager
    def expiry_off(self) -> Iterator[None]:
        """In this context, rows of connections stay although they have expired. AWS deletes them within days,
        the sandbox at some moment of each minute."""
        self._set_expiry(enabled=False)
        try:
            yield
        finally:
            self._set_expiry(enabled=True)

    def _set_expiry(self, *, enabled: bool) -> None:
        """Repeated, because a second change is refused for a while (the rule `ttl_change`)."""

        def error() -> str:
            try:
                self.dynamodb.update_time_to_live(
                    TableName=self.connections_table,
                    TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": enabled},
                )
            except ClientError as refused:
                return str(refused)
            return ""

        eventually(error, "")

    def wait_until_empty(self) -> None:
        """Waits until the rows of earlier sockets are deleted, so that counts are exact."""
        eventually(lambda: list(self.rows()), [])


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def connection_row(connection_id: str, *, age_ms: int = 60_000, **texts: str) -> Frame:
    """A row without a socket; by default older than every grace period."""
    made = now_ms() - age_ms
    return {
        "connection_id": {"S": connection_id},
        "connected_at": {"N": str(made)},
        "expires_at": {"N": str(now_ms() // 1000 + 8100)},
        **{name: {"S": text} for name, text in texts.items()},
    }
