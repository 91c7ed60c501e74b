"""The command line: the tree of commands, and what becomes of what they return or raise."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from nwchatctl import __version__
from nwchatctl.command_tree import Command, CommandEntry, Commands, Root
from nwchatctl.commands.options import examples, parse_seconds
from nwchatctl.context import App, GlobalOptions
from nwchatctl.errors import ChatError, Exit
from nwchatctl.output.streams import ClosedOutput, OutputClosed, output_error
from nwchatctl.signals import Terminated, TimedOut, raise_on_signals, start_timer, stop_timer
from nwchatctl.usage_errors import explain_usage_error

PROGRAM = "nwchatctl"


COMMANDS: tuple[Command | Commands | CommandEntry, ...] = (
    # A line a command, in the order of --help: its module and the first sentence of its help, which a test
    # compares. Modules import typer, report, errors and options at the top, and what costs time (boto3,
    # pydantic, ministack) inside the functions.
    CommandEntry("init", "Write a commented nwchat.toml."),
    CommandEntry("plan", "Show what `deploy` would change, attribute by attribute."),
    CommandEntry("deploy", "Build the chat on AWS, or update it."),
    CommandEntry("status", "Show where the chat is and how it does."),
    CommandEntry("releases", "List the releases, newest first, with the one that runs now."),
    CommandEntry("rollback", "Go back to an earlier release."),
    CommandEntry("chats", "Show the chats of this tool in the account."),
    CommandEntry("destroy", "Take the chat down; its data stays."),
    CommandEntry("adopt", "Take over a chat made by hand."),
    CommandEntry("smoke", "Test the chat with two real sockets, and its history API."),
    CommandEntry("invoke", "Run one function with a test event."),
    CommandEntry("connections", "List, inspect, prune and disconnect connections."),
    CommandEntry("ban", "Keep somebody out of the chat."),
    CommandEntry("broadcast", "Send an announcement to everybody."),
    CommandEntry("token", 'Who comes into a chat of `auth.mode = "token"`.'),
    CommandEntry("history", "Read, keep, bring back and delete what was said."),
    CommandEntry("policy", "Print the IAM policies that the operator and the functions need."),
    CommandEntry("sandbox", "The embedded AWS on this machine: no account, no cost."),
    CommandEntry("config", "Settings, and where they come from."),
    CommandEntry("help", "Explain a topic: exit-codes, config, environment."),
)


class Color(StrEnum):
    """When output is coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def _version(ctx: typer.Context, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        app: App = ctx.obj
        app.streams.write(f"{PROGRAM} {__version__}\n")
        app.streams.flush()
        raise typer.Exit


def _config_file(text: str) -> Path:
    # A script's variable that is not set would mean the working directory.
    if not text.strip():
        raise typer.BadParameter("it is empty; give a file, or leave it out")
    return Path(text)


def _globals(
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Use the embedded AWS on this machine (NWCHAT_SANDBOX=1).")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            parser=_config_file,
            help="Instead of nwchat.toml, here or in a parent folder.",
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="AWS profile, of ~/.aws/config.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", metavar="NAME", help="AWS region.")] = None,
    color: Annotated[
        Color, typer.Option("--color", help="When to colour the output.", is_eager=True)
    ] = Color.AUTO,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SECONDS", parser=parse_seconds, help="Give up then; 90s, 15m too."
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing on success but what was asked for.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Say everything, tracebacks included.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Build, keep and run one serverless WebSocket chat on AWS.

    Global options stand before or after the command.
    """


def _set_global_option(ctx: Any, option: Any, value: Any) -> Any:
    """Stores a global option where commands read it; called for each while the command line is parsed."""
    app: App = ctx.obj
    if ctx.resilient_parsing or ctx.get_parameter_source(option.name).name != "COMMANDLINE":
        return value
    changed: dict[str, Any] = {option.name: value.value if isinstance(value, Color) else value}
    app.options = replace(app.options, **changed)
    # They may have been opened already, for an error of the command line.
    app.__dict__.pop("streams", None)
    if option.name == "timeout":
        start_timer(value)
    return value


_EXAMPLES = examples(
    ("try everything on this machine, without an AWS account", "nwchatctl sandbox up"),
    ("write a configuration, then build the chat on AWS", "nwchatctl init && nwchatctl deploy"),
    ("what the exit codes mean", "nwchatctl help exit-codes"),
)


def tree() -> Root:
    """All commands, as typer runs and completes them."""
    # Plain help: rich would take twice as long to start as everything else together.
    stem = typer.Typer(
        name=PROGRAM,
        cls=Root,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        epilog=_EXAMPLES,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    stem.callback()(_globals)
    root = typer.main.get_command(stem)
    assert isinstance(root, Root)
    names = {each.name for each in fields(GlobalOptions)}
    options = [each for each in root.params if each.name in names]
    for each in options:
        each.callback = _set_global_option
    root.add_entries(COMMANDS, options)
    return root


def run(argv: Sequence[str]) -> int:
    """Runs one command line; prints its outcome; returns the exit code."""
    app = App()
    # typer prints --help to it, and would print nothing, and fail at nothing, without one.
    given: TextIO | None = sys.stdout
    sys.stdout = ClosedOutput() if given is None else given
    with raise_on_signals():
        try:
            return _run(app, list(argv))
        except BaseException as error:
            stop_timer()
            return _failed(app, argv, error)


def _run(app: App, argv: list[str]) -> int:
    commands = tree()
    if f"_{PROGRAM.upper()}_COMPLETE" in os.environ:
        commands.main(args=argv, prog_name=PROGRAM)
    with commands.make_context(PROGRAM, argv, obj=app) as ctx, ExitStack() as app.resources:
        result: Any = commands.invoke(ctx)
        return Exit.DONE if result is None else app.finish(result)


def _failed(app: App, argv: Sequence[str], error: BaseException) -> int:
    """Says what `error` means to the operator; the exit code."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else Exit.FAILED
    if isinstance(error, OSError):
        # typer prints --help itself.
        error = output_error(error)
    if isinstance(error, OutputClosed):
        _forget_stdout()
        return Exit.DONE
    try:
        # What was printed so far comes before the error.
        app.streams.flush()
    except (OutputClosed, ChatError, OSError):
        _forget_stdout()
    from nwchatctl.output import human, untrusted

    known = _with_notes(_explained(app, argv, error), error)
    _use_color_option(app, argv)
    if app.options.debug:
        app.streams.write_error(untrusted.lines_kept("".join(traceback.format_exception(error))))
    human.print_error(known, app.streams, json=app.json or "--json" in argv)
    return known.exit_code


def _use_color_option(app: App, argv: Sequence[str]) -> None:
    """Lets --color hold for the error, also where the command line was refused before it was read."""
    words = [
        word.removeprefix("--color=")
        for before, word in zip(("", *argv), argv, strict=False)
        if before == "--color" or word.startswith("--color=")
    ]
    if words and words[-1] in tuple(Color):
        app.options = replace(app.options, color=words[-1])
        app.__dict__.pop("streams", None)


def _with_notes(known: ChatError, error: BaseException) -> ChatError:
    """With what was done until then, which the command has noted at its error (`add_note`)."""
    notes = "; ".join(getattr(error, "__notes__", ()))
    if not notes:
        return known
    return ChatError(f"{known.message}: {notes}", hint=known.hint, code=known.code, exit_code=known.exit_code)


def _explained(app: App, argv: Sequence[str], error: BaseException) -> ChatError:
    if isinstance(error, ChatError):
        return error
    if isinstance(error, typer.TyperException):
        return explain_usage_error(error, tree(), argv)
    if isinstance(error, TimedOut):
        return ChatError(
            f"timed out after {app.options.timeout:g} s",
            hint="give a longer --timeout, or none",
            code="timeout",
        )
    if isinstance(error, Terminated):
        return ChatError("terminated", code="terminated", exit_code=Exit.TERMINATED)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return ChatError("interrupted", code="interrupted", exit_code=Exit.INTERRUPTED)
    if "botocore" in sys.modules and isinstance(error, Exception):
        from nwchatctl.operations.aws_errors import explain_error

        if known := explain_error(app, error):
            return known
    return ChatError(
        f"something unexpected went wrong: {type(error).__name__}: {error}",
        hint="run it again with --debug, to see where",
        code="internal",
    )


def _forget_stdout() -> None:
    """Lets the interpreter's last flush go nowhere; it would fail once more."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        return
