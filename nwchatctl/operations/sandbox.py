"""Starts and resets the sandbox, with the operator's user in it."""

from __future__ import annotations

from nwchatctl.aws.core.session import StaticCredentials
from nwchatctl.aws.operator_user import ADOPTION, DOMAIN, LOGGING, ensure_operator
from nwchatctl.errors import ChatError
from nwchatctl.iam_templates import PolicyValues, boundary_name, compact, policy_document
from nwchatctl.sandbox import process, state
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.process import Status
from nwchatctl.sandbox.state import AccessKey, SandboxPaths

_ANY = "*"

_ACCOUNT = "000000000000"
"""The emulator's account."""

_VALUES = PolicyValues(
    partition="aws",
    region=_ANY,
    account=_ACCOUNT,
    chat=_ANY,
    domains=(_ANY,),
    zones=(_ANY,),
    tables=(_ANY,),
    functions=(_ANY,),
)
"""One operator for every chat that is made in the sandbox."""


def start(
    where: SandboxPaths, port: int | None = None, limits: RuleValues | None = None
) -> tuple[Status, bool]:
    """Starts the sandbox where it does not run; its status, and whether it was started now."""
    status, started = process.up(where, port=port, limits=limits)
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
    further = {DOMAIN: _policy("domain"), ADOPTION: _policy("adopt"), LOGGING: _policy("logging")}
    boundary = {boundary_name(_ANY): _policy("boundary")}
    made = ensure_operator(
        info.endpoint, info.region, _credentials(root), _policy("deploy"), stored, further, boundary
    )
    if made != stored:
        state.write_key(where, AccessKey(made.access_key_id, made.secret_access_key))


def _credentials(key: AccessKey) -> StaticCredentials:
    return StaticCredentials(key.access_key_id, key.secret_access_key)


def _policy(name: str) -> str:
    return compact(policy_document(name, _VALUES))
