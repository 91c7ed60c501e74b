"""`smoke`: does the chat work, right now, for real sockets?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Report, TextTable

if TYPE_CHECKING:
    from nwchatctl.chat.smoke_test import Step
    from nwchatctl.context import App

HELP = examples(
    ("after a deploy, or when somebody says that the chat is down", "nwchatctl smoke"),
    ("from monitoring: exit 1 when a step fails", "nwchatctl -q --timeout 60s smoke --json"),
)


def smoke(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Test the chat with two real sockets, and its history API.

    Connects, through the chat's own name where it has one, pings, sends a message, awaits its ack, its echo
    and its place in history, closes, and reads it over HTTP; a line each with its time. The message is a real
    one: whoever is in the chat sees it. In token mode it also sees that nobody comes in or reads without a
    token, or speaks under another name. Right after a deploy, the first connection is retried for 20 seconds.
    """
    from nwchatctl.operations.smoke_test import run_smoke_test

    app: App = ctx.obj
    result = run_smoke_test(app)
    failed = [each for each in result.steps if not each.ok]
    return Report(
        data={
            "url": result.url,
            "ok": not failed,
            "steps": [
                {"name": each.name, "ok": each.ok, "ms": each.ms, "detail": each.detail}
                for each in result.steps
            ],
        },
        body=(TextTable((), tuple(_row(each) for each in result.steps)),),
        exit_code=Exit.FAILED if failed else Exit.DONE,
        warnings=result.warnings,
        error=_error(failed[0], result.hint) if failed else None,
    )


def _row(step: Step) -> tuple[str, ...]:
    return step.name, "ok" if step.ok else "failed", f"{step.ms:.0f} ms", step.detail


def _error(step: Step, hint: str) -> ChatError:
    return ChatError(f"{step.name} failed: {step.detail}", hint=hint, code="smoke_failed")
