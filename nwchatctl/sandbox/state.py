"""The directory of a sandbox and the small files in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nwchatctl import private_files
from nwchatctl.errors import ChatError, Exit
from nwchatctl.sandbox import directory, file_lock
from nwchatctl.sandbox.limits import RuleValues, limits_from_data

DEFAULT_PORT = 4566
DEFAULT_REGION = "us-east-2"
IDLE_STOP_SECONDS = 8 * 3600.0

# In server.json. `process.up` restarts a server of another version: an earlier one has a public root key.
SERVER_VERSION = 3

_KEY_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

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

    @property
    def proxies(self) -> Path:
        """One empty file per port of a proxy in front of the sandbox; see `announce_proxy`."""
        return self.root / "proxies"

    def make(self) -> None:
        """Creates the directory, readable by its owner only. Raises ChatError `sandbox_dir`, also if it
        belongs to something else."""
        directory.claim(self.root)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A running server's data; `python` is the interpreter of the server and its functions."""

    pid: int
    port: int
    region: str
    python: str = ""
    version: int = 0
    limits: RuleValues = field(default_factory=RuleValues)

    @property
    def endpoint(self) -> str:
        return endpoint(self.port)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key in the emulator, of the operator's IAM user or of the root user."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def locate(environ: Mapping[str, str]) -> SandboxPaths:
    """NWCHAT_SANDBOX_DIR, else $XDG_STATE_HOME/nwchatctl/sandbox, else ~/.local/state/nwchatctl/sandbox.

    Raises ChatError `no_home`, exit 3.
    """
    if own := environ.get("NWCHAT_SANDBOX_DIR"):
        root = private_files.expanded(Path(own))
    elif home := environ.get("XDG_STATE_HOME"):
        root = Path(home) / "nwchatctl" / "sandbox"
    else:
        root = private_files.expanded(Path("~/.local/state/nwchatctl/sandbox"))
        if not root.is_absolute():
            raise ChatError(
                "the sandbox has no place for its state: this user has no home directory",
                hint="set HOME, or NWCHAT_SANDBOX_DIR",
                code="no_home",
                exit_code=Exit.CONFIG,
            )
    return SandboxPaths(Path(os.path.abspath(root)))  # noqa: PTH100 - resolve() would follow the user's symlinks


def endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def write_json(path: Path, data: Mapping[str, object]) -> None:
    """Replaces `path` in one step, with mode 0600."""
    private_files.replace(path, lambda file: file.write(json.dumps(data).encode()))


def _read(path: Path) -> Mapping[str, object]:
    """The JSON object in `path`; a missing, incomplete or unrelated file reads as an empty one.

    Raises ChatError `sandbox_unreadable`, exit 3.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    except OSError as error:
        raise ChatError(
            f"the state of the sandbox cannot be read: {path}: {error.strerror}",
            hint="set NWCHAT_SANDBOX_DIR to a directory of yours",
            code="sandbox_unreadable",
            exit_code=Exit.CONFIG,
        ) from error
    return data if isinstance(data, dict) else {}


def read_info(paths: SandboxPaths) -> ServerInfo | None:
    match _read(paths.info):
        case {"pid": int(pid), "port": int(port), "region": str(region), **others}:
            version = others.get("version")
            return ServerInfo(
                pid,
                port,
                region,
                str(others.get("python", "")),
                version if isinstance(version, int) else 0,
                limits_from_data(others),
            )
    return None


def running(paths: SandboxPaths) -> ServerInfo | None:
    """The data of the running server; None if none runs. Needs no network call."""
    if not directory.is_own(paths.root) or not file_lock.is_locked(paths.server_lock):
        return None
    return read_info(paths)


def read_key(paths: SandboxPaths) -> AccessKey | None:
    """The operator's access key."""
    data = _read(paths.credentials)
    # A sandbox of an earlier version has the operator's key without a name.
    return _access_key(data.get("operator", data))


def read_root(paths: SandboxPaths) -> AccessKey | None:
    """The access key of the emulator's root user."""
    return _access_key(_read(paths.credentials).get("root"))


def _access_key(data: object) -> AccessKey | None:
    match data:
        case {"access_key_id": str(key), "secret_access_key": str(secret)}:
            return AccessKey(key, secret)
    return None


def write_key(paths: SandboxPaths, key: AccessKey) -> None:
    """Stores the operator's access key."""
    _write_keys(paths, read_root(paths), key)


def write_root(paths: SandboxPaths, key: AccessKey) -> None:
    _write_keys(paths, key, read_key(paths))


def _write_keys(paths: SandboxPaths, root: AccessKey | None, operator: AccessKey | None) -> None:
    keys = {"root": root, "operator": operator}
    write_json(paths.credentials, {name: asdict(key) for name, key in keys.items() if key is not None})


def ensure_root(paths: SandboxPaths) -> AccessKey:
    """The root user's access key; a random one if the sandbox has none yet."""
    if root := read_root(paths):
        return root
    # Not the module `secrets`, which every command would take longer to import.
    key_id = "AKIA" + "".join(_KEY_CHARACTERS[byte % 32] for byte in os.urandom(16))
    root = AccessKey(key_id, os.urandom(20).hex())
    write_root(paths, root)
    return root


@contextmanager
def announce_proxy(paths: SandboxPaths, port: int) -> Iterator[None]:
    """Within the context the server also accepts requests that were sent to `port` of this machine.

    For proxies of benchmarks and tests: they cannot change the Host header, because the signature covers it.
    """
    paths.proxies.mkdir(mode=0o700, exist_ok=True)
    announced = paths.proxies / str(port)
    announced.touch(mode=0o600)
    try:
        yield
    finally:
        announced.unlink(missing_ok=True)


def is_proxy(paths: SandboxPaths, port: int) -> bool:
    return (paths.proxies / str(port)).exists()


def read_port(paths: SandboxPaths) -> int:
    """The port of the last start."""
    match _read(paths.settings):
        case {"port": int(port)}:
            return port
    return DEFAULT_PORT
