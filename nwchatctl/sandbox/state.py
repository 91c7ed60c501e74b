"""The directory of a sandbox and the small files in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nwchatctl import private_files
from nwchatctl.errors import ChatError, Exit
from nwchatctl.sandbox import file_lock

DEFAULT_PORT = 4566
DEFAULT_REGION = "us-east-2"
IDLE_STOP_SECONDS = 8 * 3600.0

# Exit statuses of the server that `process.up` explains.
ALREADY_RUNNING, NOT_INSTALLED, PORT_TAKEN = 96, 97, 98


@dataclass(frozen=True, slots=True)
class SandboxPaths:
    """The directory of one sandbox. Its two lock files outlive a reset, because others may wait on them."""

    root: Path

    @property
    def server_lock(self) -> Path:
        """Locked by the server as long as it lives: the only proof that it runs."""
        return self.root / "server.lock"

    @property
    def control_lock(self) -> Path:
        """Locked by a command that starts, stops or resets the sandbox."""
        return self.root / "control.lock"

    @property
    def info(self) -> Path:
        return self.root / "server.json"

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def credentials(self) -> Path:
        return self.root / "credentials.json"

    @property
    def log(self) -> Path:
        return self.root / "sandbox.log"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def scratch(self) -> Path:
        """Unpacked functions; useless once the server has stopped."""
        return self.root / "tmp"

    def make(self) -> None:
        """Creates the directory, readable by its owner only. Raises ChatError `sandbox_dir`."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.root.chmod(0o700)
        except OSError as error:
            raise ChatError(
                f"the sandbox directory {self.root} cannot be used: {error.strerror}",
                hint="set NWCHAT_SANDBOX_DIR to a directory of your own",
                code="sandbox_dir",
                exit_code=Exit.CONFIG,
            ) from error


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A running server's data; `python` is the interpreter of the server and its functions."""

    pid: int
    port: int
    region: str
    python: str = ""

    @property
    def endpoint(self) -> str:
        return endpoint(self.port)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key of the operator's IAM user in the emulator."""

    access_key_id: str
    secret_access_key: str


def locate(environ: Mapping[str, str]) -> SandboxPaths:
    """NWCHAT_SANDBOX_DIR, else $XDG_STATE_HOME/nwchatctl/sandbox, else ~/.local/state/nwchatctl/sandbox."""
    if own := environ.get("NWCHAT_SANDBOX_DIR"):
        root = Path(own).expanduser()
    elif home := environ.get("XDG_STATE_HOME"):
        root = Path(home) / "nwchatctl" / "sandbox"
    else:
        root = Path.home() / ".local" / "state" / "nwchatctl" / "sandbox"
    return SandboxPaths(Path(os.path.abspath(root)))  # noqa: PTH100 - resolve() would follow the user's symlinks


def endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def write_json(path: Path, data: Mapping[str, object]) -> None:
    """Replaces `path` in one step, with mode 0600."""
    private_files.replace(path, lambda file: file.write(json.dumps(data).encode()))


def _read(path: Path) -> Mapping[str, object]:
    """The JSON object in `path`; a missing, incomplete or unrelated file reads as an empty one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def read_info(paths: SandboxPaths) -> ServerInfo | None:
    match _read(paths.info):
        case {"pid": int(pid), "port": int(port), "region": str(region), **others}:
            return ServerInfo(pid, port, region, str(others.get("python", "")))
    return None


def running(paths: SandboxPaths) -> ServerInfo | None:
    """The data of the running server; None if none runs. Needs no network call."""
    return read_info(paths) if file_lock.is_locked(paths.server_lock) else None


def read_key(paths: SandboxPaths) -> AccessKey | None:
    match _read(paths.credentials):
        case {"access_key_id": str(key), "secret_access_key": str(secret)}:
            return AccessKey(key, secret)
    return None


def write_key(paths: SandboxPaths, key: AccessKey) -> None:
    write_json(
        paths.credentials,
        {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key},
    )


def read_port(paths: SandboxPaths) -> int:
    """The port of the last start."""
    match _read(paths.settings):
        case {"port": int(port)}:
            return port
    return DEFAULT_PORT
