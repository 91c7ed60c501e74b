"""Starts and resets the sandbox, with the operator's user in it."""

from __future__ import annotations

from nwchatctl.aws.core.session import StaticCredentials
from nwchatctl.aws.operator_user import ADOPTION, ensure_operator
from nwchatctl.errors import ChatError
from nwchatctl.sandbox import process, state
from nwchatctl.sandbox.policies import adopt_policy, operator_policy
from nwchatctl.sandbox.process import Status
from nwchatctl.sandbox.state import AccessKey, SandboxPaths


def start(where: SandboxPaths, port: int | None = None) -> tuple[Status, bool]:
    """Starts the sandbox where it does not run; its status, and whether it was started now."""
    status, started = process.up(where, port=port)
    _ensure_operator(where)
    return status, started


def reset(where: SandboxPaths, *, dry_run: bool = False) -> tuple[Status, bool]:
    """Empties the sandbox, but in a dry run; its status, and whether it was started again because it ran."""
    if dry_run:
        return process.status(where), False
    status, started = process.reset(where)
    if started:
        _ensure_operator(where)
    return status, started


def _ensure_operator(where: SandboxPaths) -> None:
    info, root, key = state.running(where), state.read_root(where), state.read_key(where)
    if info is None or root is None:
        raise ChatError(
            "the sandbox has stopped again", hint=f"its log may say why: {where.log}", code="sandbox_start"
        )
    stored = _credentials(key) if key else None
    further = {ADOPTION: adopt_policy()}
    made = ensure_operator(info.endpoint, info.region, _credentials(root), operator_policy(), stored, further)
    if made != stored:
        state.write_key(where, AccessKey(made.access_key_id, made.secret_access_key))


def _credentials(key: AccessKey) -> StaticCredentials:
    return StaticCredentials(key.access_key_id, key.secret_access_key)
