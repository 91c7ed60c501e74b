"""`sandbox up`, `down`, `status`, `reset`: the embedded AWS on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.errors import ChatError
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.sandbox.process import Status
    from nwchatctl.sandbox.state import SandboxPaths

group = typer.Typer(
    help="The embedded AWS on this machine: no account, no cost.",
    epilog=examples(
        ("a chat on this machine", "nwchatctl sandbox up && nwchatctl --sandbox deploy"),
        ("every later command of this shell on it", "export NWCHAT_SANDBOX=1"),
        ("away with it; what it holds is kept", "nwchatctl sandbox down"),
    ),
)

_UP = examples(
    ("start it, or hear that it runs", "nwchatctl sandbox up"),
    ("where 4566 is taken; remembered for the next time", "nwchatctl sandbox up --port 4600"),
    ("its address for a script", "nwchatctl sandbox up --json | jq -r .endpoint"),
)
_DOWN = examples(
    ("stop it; what it holds is kept", "nwchatctl sandbox down"),
    ("the same for a script", "nwchatctl sandbox down --json"),
)
_STATUS = examples(
    ("does it run, and where?", "nwchatctl sandbox status"),
    ("follow its log", 'tail -f "$(nwchatctl sandbox status --json | jq -r .log)"'),
)
_RESET = examples(
    ("begin again with nothing in it", "nwchatctl sandbox reset"),
    ("without being asked", "nwchatctl sandbox reset --yes"),
    ("what would go?", "nwchatctl sandbox reset --dry-run"),
)


@group.command(epilog=_UP)
def up(
    ctx: typer.Context,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="On 127.0.0.1; remembered. 4566 at first."),
    ] = None,
    json: JsonOption = False,
) -> Report:
    """Start it in the background. It stops by itself after 8 hours with nobody there."""
    status, started = start(_state(ctx), port)
    return _report(
        status,
        did="started" if started else "already_running",
        text=f"the sandbox {'is up' if started else 'was up already'} on {status.endpoint}",
        notes=("next: nwchatctl --sandbox deploy",) if started else (),
    )


@group.command(epilog=_DOWN)
def down(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Stop it. What is in it is kept for the next `sandbox up`."""
    from nwchatctl.sandbox import process

    status, stopped = process.down(_state(ctx))
    text = "the sandbox is stopped; what it holds is kept" if stopped else "the sandbox was not running"
    return _report(status, did="stopped" if stopped else "not_running", text=text)


@group.command(epilog=_STATUS)
def status(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Say whether it runs, where, and where its log is."""
    from nwchatctl.sandbox import process

    now = process.status(_state(ctx))
    text = f"running on {now.endpoint} (pid {now.pid})" if now.running else "not running"
    return _report(now, text=text, notes=() if now.running else ("next: nwchatctl sandbox up",))


@group.command(epilog=_RESET)
def reset(
    ctx: typer.Context, yes: YesOption = False, dry_run: DryRunOption = False, json: JsonOption = False
) -> Report:
    """Throw away all that it holds: chats, messages, functions, users."""
    from nwchatctl.sandbox import process

    app: App = ctx.obj
    where = _state(ctx)
    what = f"all that the sandbox in {where.root} holds"
    if dry_run:
        return _report(process.status(where), did="nothing", text=f"would throw away {what}")
    app.confirm(f"Throw away {what}?", given=yes)
    status, started = process.reset(where)
    if started:
        _ensure_operator(where)
    text = "the sandbox is empty" + (f", and up again on {status.endpoint}" if started else "")
    return _report(status, did="reset", text=text)


def start(where: SandboxPaths, port: int | None = None) -> tuple[Status, bool]:
    """A sandbox that runs, with the operator's user in it; (its status, whether it was started now)."""
    from nwchatctl.sandbox import process

    status, started = process.up(where, port=port)
    _ensure_operator(where)
    return status, started


def _ensure_operator(where: SandboxPaths) -> None:
    from nwchatctl.aws.core.session import StaticCredentials
    from nwchatctl.aws.operator_user import ADOPTION, ensure_operator
    from nwchatctl.sandbox import state
    from nwchatctl.sandbox.policies import adopt_policy, operator_policy

    info, key = state.running(where), state.read_key(where)
    if info is None:
        raise ChatError(
            "the sandbox has stopped again", hint=f"its log may say why: {where.log}", code="sandbox_start"
        )
    stored = StaticCredentials(key.access_key_id, key.secret_access_key) if key else None
    further = {ADOPTION: adopt_policy()}
    made = ensure_operator(info.endpoint, info.region, operator_policy(), stored, further)
    if made != stored:
        state.write_key(where, state.AccessKey(made.access_key_id, made.secret_access_key))


def _state(ctx: typer.Context) -> SandboxPaths:
    from nwchatctl.sandbox.state import locate

    app: App = ctx.obj
    return locate(app.environ)


def _report(status: Status, *, did: str = "", text: str, notes: tuple[str, ...] = ()) -> Report:
    body = (
        Line(text, Mark.GOOD if status.running else Mark.PLAIN),
        Line(f"state {status.state_dir}", Mark.DIM),
        Line(f"log   {status.log}", Mark.DIM),
    )
    return Report(status.as_data() | ({"did": did} if did else {}), body, notes=notes)
