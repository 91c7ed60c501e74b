"""A sandbox whose state directory points to a proxy, for processes that are started with `--sandbox`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nwchatctl.sandbox import file_lock
from nwchatctl.sandbox.state import (
    DEFAULT_REGION,
    SandboxPaths,
    announce_proxy,
    read_key,
    write_json,
    write_key,
    write_root,
)
from tests.e2e.support.fault_proxy import Proxy
from tests.e2e.support.sandbox import Sandbox


@contextmanager
def proxied_sandbox(proxy: Proxy, real: Sandbox, root: Path) -> Iterator[Sandbox]:
    """`real`, reached through `proxy`."""
    shown, key = SandboxPaths(root), read_key(real.state)
    assert key is not None, "a running sandbox has an operator key"
    shown.make()
    write_root(shown, real.root_key)
    write_json(shown.info, {"pid": os.getpid(), "port": proxy.server_port, "region": DEFAULT_REGION})
    write_key(shown, key)
    # The process that holds this lock counts as the running server.
    with file_lock.exclusive(shown.server_lock, timeout=1), announce_proxy(real.state, proxy.server_port):
        yield Sandbox(shown, proxy.server_port)
