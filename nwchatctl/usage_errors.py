"""Errors in the command line, as one `error:` and one `hint:` with a fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup

from nwchatctl.errors import ChatError, Exit, usage_error


class CommandGroup(TyperGroup):
    """A group that lists its commands in `order`, and suggests a name for a mistyped one."""

    order: tuple[str, ...] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As in click; without a command it prints its help on stderr and exits with 2."""
        if not args and not ctx.resilient_parsing:
            ctx.obj.streams.write_error(f"{ctx.get_help()}\n")
            raise typer.Exit(Exit.USAGE)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of --help."""
        return sorted(self.commands, key=lambda name: self.order.index(name) if name in self.order else 99)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As in click. Raises ChatError `usage`, exit 2, for an unknown command."""
        name = args[0]
        if name in self.commands or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        path = ctx.command_path
        raise usage_error(
            f"there is no command `{path} {name}`", _suggestion(self, path, name) or f"{path} --help"
        )


def refuse_empty_value(ctx: Any, param: Any, value: Any) -> Any:
    """The callback of what takes a text. Raises ChatError `usage`, exit 2, for an empty value: it comes from
    a script's variable that is not set, and the command would do something else than was meant."""
    if ctx.resilient_parsing or ctx.get_parameter_source(param.name).name != "COMMANDLINE":
        return value
    for text in value if isinstance(value, list | tuple) else (value,):
        # A blank is something to look for, and no name.
        if isinstance(text, str) and not (text if param.name == "grep" else text.strip()):
            argument = (param.metavar or param.name.upper()).strip("[].")
            name = param.opts[0] if param.param_type_name == "option" else argument
            raise usage_error(f"{name} is empty", f"give {name} a value, or leave it out")
    return value


def explain_usage_error(error: typer.TyperException, root: CommandGroup, argv: Sequence[str]) -> ChatError:
    """A typer error as a ChatError."""
    ctx = getattr(error, "ctx", None)
    path, command = (ctx.command_path, ctx.command) if ctx else _find_command(root, argv)
    root = ctx.find_root().command if ctx else root
    option = getattr(error, "option_name", None)
    # pydantic, which typer converts values with, begins its messages so.
    message = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    if option is None or not hasattr(error, "possibilities"):
        return usage_error(message[:1].lower() + message[1:], f"{path} --help")
    hint = _option_hint(root, command, path, option) or f"{path} --help"
    return usage_error(f"`{path}` has no option {option}", hint)


def _suggestion(group: CommandGroup, path: str, name: str) -> str:
    close = get_close_matches(name, group.commands, 1)
    if close:
        return f"did you mean `{path} {close[0]}`?"
    inside = [f"{path} {each} {name}" for each, sub in group.commands.items() if name in _children(sub)]
    return f"did you mean {' or '.join(f'`{each}`' for each in inside)}?" if inside else ""


def _option_hint(root: CommandGroup, command: Any, path: str, option: str) -> str:
    """A hint for an option of another command, for a similar option, or for an argument that begins with a
    dash, as connection ids may."""
    if command is root and any(option in _options(each) for each in _descendants(root)):
        return f"{option} stands after the command: {path} COMMAND {option}"
    names = {each.strip("-"): each for each in _options(command)}
    if option.startswith("--") and (close := get_close_matches(option.strip("-"), names, 1)):
        return f"did you mean {names[close[0]]}?"
    if arguments := [each.metavar or each.name.upper() for each in _arguments(command)]:
        return f"put -- before an argument that begins with a dash: {path} -- {' '.join(arguments)}"
    return ""


def _options(command: Any) -> list[str]:
    return [name for each in command.params if each.param_type_name == "option" for name in each.opts]


def _arguments(command: Any) -> list[Any]:
    return [each for each in command.params if each.param_type_name == "argument"]


def _children(command: Any) -> Mapping[str, Any]:
    return command.commands if isinstance(command, TyperGroup) else {}


def _descendants(command: Any) -> Iterator[Any]:
    for each in _children(command).values():
        yield each
        yield from _descendants(each)


def _find_command(root: CommandGroup, argv: Sequence[str]) -> tuple[str, Any]:
    """The command that `argv` selects, for an error that does not name one."""
    path, command = root.name or "", root
    for word in argv:
        if word in _children(command):
            path, command = f"{path} {word}", _children(command)[word]
    return path, command
