"""`smoke`: does the chat work, right now, for real sockets?"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import Exit
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.chat.smoke import Step
    from nwchatctl.context import App

HELP = examples(
    ("after a deploy, or when somebody says that the chat is down", "nwchatctl smoke"),
    ("from monitoring: exit 1 when a step fails", "nwchatctl -q --timeout 60s smoke --json"),
)


def smoke(ctx: typer.Context, json: JsonOption = False) -> Report:
    """Test the chat with two real sockets.

    Connects, through the chat's own name where it has one, pings, sends a message, awaits its ack, its echo
    and its place in history, closes; a line each with its time. The message is a real one: whoever is in the
    chat sees it.
    """
    from nwchatctl.chat.smoke import smoke as run
    from nwchatctl.commands._chat import require_api
    from nwchatctl.commands._dialling import dialled

    app: App = ctx.obj
    url, connect, said = dialled(app, require_api(app))
    steps = list(
        run(
            connect,
            time.monotonic,
            secrets.token_hex(8),
            echo=app.settings.chat.echo_to_sender,
            max_chars=app.settings.chat.max_message_chars,
        )
    )
    failed = [each for each in steps if not each.ok]
    return Report(
        data={
            "url": url,
            "ok": not failed,
            "steps": [
                {"name": each.name, "ok": each.ok, "ms": each.ms, "detail": each.detail} for each in steps
            ],
        },
        body=tuple(_line(each) for each in steps),
        exit_code=Exit.FAILED if failed else Exit.DONE,
        warnings=said + tuple(f"{each.name} failed: {each.detail}" for each in failed),
    )


def _line(step: Step) -> Line:
    word, mark = ("ok", Mark.GOOD) if step.ok else ("failed", Mark.BAD)
    return Line(f"{step.name:<8} {word:<6} {step.ms:>7.0f} ms  {step.detail}", mark)
