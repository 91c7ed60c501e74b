"""The running sandbox's endpoint and its operator's access key, for commands with `--sandbox`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nwchatctl.errors import ChatError, Exit
from nwchatctl.sandbox import state


@dataclass(frozen=True, slots=True)
class SandboxEndpoint:
    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


def load_endpoint(environ: Mapping[str, str]) -> SandboxEndpoint:
    """The endpoint of this environment's sandbox, from its files only: the server is not called.

    Raises ChatError `sandbox_not_running`, exit 3.
    """
    paths = state.locate(environ)
    info = state.running(paths)
    key = state.read_key(paths)
    if info is None or key is None:
        raise ChatError(
            "the sandbox is not running",
            hint="nwchatctl sandbox up",
            code="sandbox_not_running",
            exit_code=Exit.CONFIG,
        )
    return SandboxEndpoint(info.endpoint, info.region, key.access_key_id, key.secret_access_key)
