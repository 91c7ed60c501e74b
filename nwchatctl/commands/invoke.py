"""`invoke`: one Lambda, one event."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, completes, examples, stdin_bytes
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.aws.awslambda.invoke import InvokeResult
    from nwchatctl.context import App

HELP = examples(
    (
        "the console's Test button, with the event saved from there",
        "nwchatctl invoke message --event event.json",
    ),
    ("an event from another program", 'echo \'{"body": "hi"}\' | nwchatctl invoke message --event -'),
    ("only the function's answer", "nwchatctl invoke message --event event.json --json | jq .result"),
)

_EFFECTS = {
    "message": "stores the message of the event and sends it to everybody who is connected",
    "fanout": "sends the message of the event to everybody who is connected",
    "connect": "stores the connection of the event",
    "disconnect": "deletes the connection of the event",
}
"""What the functions that change something do with an event."""

_MAX_EVENT = 6 * 1024 * 1024
"""Lambda's limit for a synchronous payload, in bytes."""


def invoke(
    ctx: typer.Context,
    function: Annotated[
        str,
        typer.Argument(
            help="connect, disconnect, message, fanout, history or authorize.",
            autocompletion=completes("nwchatctl.operations.invoke", "FUNCTION_NAMES"),
        ),
    ],
    event: Annotated[
        str, typer.Option("--event", metavar="FILE", help="A file with the event's JSON; - reads stdin.")
    ] = "",
    json: JsonOption = False,
) -> Report:
    """Run one function with a test event.

    It runs for real: `message` stores the event's text as a message and sends it to everybody who is
    connected, `fanout` sends its message too, `connect` and `disconnect` store and delete a connection.
    Prints the result and the end of its log. Exit code 1 when the function raised an error.
    """
    from nwchatctl.operations import invoke

    app: App = ctx.obj
    if function not in invoke.FUNCTION_NAMES:
        known = ", ".join(invoke.FUNCTION_NAMES)
        raise typer.BadParameter(f"no function {function!r}; there are {known}", param_hint="'FUNCTION'")
    payload = _event(event) if event else b"{}"
    if event and function in _EFFECTS:
        app.print_target()
        app.say(Line(f"! this is real: {function} {_EFFECTS[function]}", Mark.WARN))
    result, took_ms = invoke.invoke_function(app, function, payload)
    return _report(function, result, took_ms)


def _event(source: str) -> bytes:
    """The event's bytes, known to be JSON of a size that Lambda takes."""
    try:
        raw = stdin_bytes().read(_MAX_EVENT + 1) if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise ChatError(
            f"the event {source} cannot be read: {error.strerror}",
            hint="give --event FILE, or --event - for stdin",
            code="event_unreadable",
            exit_code=Exit.USAGE,
        ) from error
    if len(raw) > _MAX_EVENT:
        raise ChatError(
            "the event is larger than the 6 MB that Lambda takes",
            code="event_too_large",
            exit_code=Exit.USAGE,
        )
    try:
        jsonlib.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ChatError(
            f"the event {source} is not JSON: {error}",
            hint='an event is an object such as {"body": "hi"}',
            code="event_invalid",
            exit_code=Exit.USAGE,
        ) from error
    return raw


def _report(function: str, answer: InvokeResult, took_ms: float) -> Report:
    try:
        result: object = jsonlib.loads(answer.payload)
    except ValueError:
        result = answer.payload.decode("utf-8", "replace")
    shown = jsonlib.dumps(result, ensure_ascii=False)
    return Report(
        data={
            "function": function,
            "version": answer.version,
            "result": result,
            "error": answer.error or None,
            "log": answer.log,
            "duration_ms": took_ms,
        },
        body=(
            Line(shown, Mark.BAD if answer.error else Mark.PLAIN, is_json=True),
            *(Line(each, Mark.DIM, is_json=True) for each in answer.log.splitlines()),
        ),
        requested=True,
        exit_code=Exit.FAILED if answer.error else Exit.DONE,
        warnings=(f"{function} raised an error ({answer.error})",) if answer.error else (),
        notes=(f"{function}, version {answer.version or '?'}, {took_ms:.0f} ms",),
    )
