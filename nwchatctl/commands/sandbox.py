"""`sandbox up`, `down`, `status`, `reset`: the embedded AWS on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.report import Line, Mark, Report
from nwchatctl.sandbox import process
from nwchatctl.sandbox.limits import RuleValues, described, parse_limits, parse_pace
from nwchatctl.sandbox.process import Status
from nwchatctl.sandbox.state import SandboxPaths, locate, read_key

if TYPE_CHECKING:
    from nwchatctl.context import App

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
    ("every change takes a tenth of the time on AWS", "nwchatctl sandbox up --pace 0.1"),
    ("close idle connections after 30 s", "nwchatctl sandbox up --limit idle_timeout=30s"),
)
_DOWN = examples(
    ("stop it; what it holds is kept", "nwchatctl sandbox down"),
    ("the same for a script", "nwchatctl sandbox down --json"),
)
_STATUS = examples(
    ("does it run, and where?", "nwchatctl sandbox status"),
    ("follow its log", 'tail -f "$(nwchatctl sandbox status --json | jq -r .log)"'),
    ("the file with its access keys", "nwchatctl sandbox status --json | jq -r .credentials_file"),
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
    pace: Annotated[
        str | None,
        typer.Option(
            "--pace", metavar="aws|FACTOR", help="Changes take as long as on AWS, or a part of it. Off: 0."
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="NAME=VALUE", help="Change one of AWS's rules, or turn it `off`."),
    ] = None,
    json: JsonOption = False,
) -> Report:
    """Start it in the background. It stops by itself after 8 hours without a client.

    It refuses what AWS refuses. `nwchatctl sandbox status --json` lists the rules with their values.
    """
    from nwchatctl.operations import sandbox

    where = _paths(ctx)
    is_new = read_key(where) is None
    status, started = sandbox.start(where, port, _limits(pace, limit))
    return _report(
        status,
        did="started" if started else "already_running",
        text=f"the sandbox {'is up' if started else 'was up already'} on {status.endpoint}",
        notes=(f"next: nwchatctl --sandbox {'deploy' if is_new else 'status'}",) if started else (),
    )


@group.command(epilog=_DOWN)
def down(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Stop it. What is in it is kept for the next `sandbox up`."""
    status, stopped = process.down(_paths(ctx))
    text = "the sandbox is stopped; what it holds is kept" if stopped else "the sandbox was not running"
    return _report(status, did="stopped" if stopped else "not_running", text=text)


@group.command(epilog=_STATUS)
def status(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Say whether it runs, where, and where its log and its keys are."""
    now = process.status(_paths(ctx))
    text = f"running on {now.endpoint} (pid {now.pid})" if now.running else "not running"
    notes = () if now.running else ("next: nwchatctl sandbox up",)
    return _report(now, text=text, notes=notes, requested=True)


@group.command(epilog=_RESET)
def reset(
    ctx: typer.Context, yes: YesOption = False, dry_run: DryRunOption = False, json: JsonOption = False
) -> Report:
    """Throw away all that it holds: chats, messages, functions, users."""
    from nwchatctl.operations import sandbox

    app: App = ctx.obj
    where = _paths(ctx)
    what = f"all that the sandbox in {where.root} holds"
    if dry_run:
        now = sandbox.reset(where, dry_run=True)[0]
        return _report(now, did="nothing", text=f"would throw away {what}", requested=True)
    app.confirm(f"Throw away {what}?", given=yes)
    status, started = sandbox.reset(where)
    text = "the sandbox is empty" + (f", and up again on {status.endpoint}" if started else "")
    return _report(status, did="reset", text=text)


def _paths(ctx: typer.Context) -> SandboxPaths:
    app: App = ctx.obj
    return locate(app.environ)


def _limits(pace: str | None, texts: list[str] | None) -> RuleValues | None:
    """None if neither option was given."""
    if pace is None and texts is None:
        return None
    return RuleValues(parse_pace(pace or "0"), parse_limits(texts or ()))


def _report(
    status: Status, *, did: str = "", text: str, notes: tuple[str, ...] = (), requested: bool = False
) -> Report:
    body = (
        Line(text, Mark.GOOD if status.running else Mark.PLAIN),
        Line(f"state {status.state_dir}", Mark.DIM),
        Line(f"log   {status.log}", Mark.DIM),
        Line(f"keys  {status.credentials}", Mark.DIM),
        *(
            (Line(f"pace  {status.limits.pace:g} of AWS's own times", Mark.DIM),)
            if status.limits.pace
            else ()
        ),
        *(Line(f"limit {each}", Mark.DIM) for each in described(status.limits.chosen)),
    )
    return Report(status.as_data() | ({"did": did} if did else {}), body, notes=notes, requested=requested)
