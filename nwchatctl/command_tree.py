"""The tree of commands. A command's module is imported only when that command is requested.

All modules together, and typer's processing of their functions, take as long as typer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand

from nwchatctl.usage_errors import CommandGroup, refuse_empty_value

MODULES = "nwchatctl.commands"


class Command(NamedTuple):
    """A command: its function, its examples, and its name (by default the function's)."""

    function: Callable[..., object]
    epilog: str
    name: str = ""


class Commands(NamedTuple):
    """A group of commands, as `sandbox up`."""

    name: str
    group: typer.Typer


class CommandEntry(NamedTuple):
    """A command or a group, by its `name`. `about` is the first sentence of its help.

    A module `commands.<name>` has the function `<name>` (`<name>_` if Python reserves that name) and its
    examples as `HELP`, or a group as `group`; a package `commands.<name>` has a module `group` with it.
    """

    name: str
    about: str

    def load(self) -> Command | Commands:
        """Imports the module."""
        module = import_module(f"{MODULES}.{self.name}")
        if hasattr(module, "__path__"):
            module = import_module(f"{MODULES}.{self.name}.group")
        if group := getattr(module, "group", None):
            return Commands(self.name, group)
        function = getattr(module, self.name, None) or getattr(module, f"{self.name}_")
        return Command(function, module.HELP, self.name)


class LazyCommands(Mapping[str, Any]):
    """Commands by name, in order; an entry is loaded when its item is first read."""

    def __init__(
        self, entries: tuple[Command | Commands | CommandEntry, ...], global_options: Sequence[Any] = ()
    ) -> None:
        self._loaded: dict[str, Any] = {}
        self._entries = {_name(each): each for each in entries}
        self._global_options = global_options

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            entry = self._entries[name]
            built = _build(entry.load() if isinstance(entry, CommandEntry) else entry)
            _refuse_empty_values(built)
            _accept(built, self._global_options)
            self._loaded[name] = built
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def summary(self, name: str) -> Any:
        """The command `name` for a list of commands, with its name and help only; None if there is none."""
        entry = self._entries.get(name)
        if isinstance(entry, CommandEntry) and name not in self._loaded:
            return TyperCommand(name, help=entry.about)
        return self.get(name)


class Root(CommandGroup):
    """The root group, with lazily loaded commands."""

    def add_entries(
        self, entries: tuple[Command | Commands | CommandEntry, ...], global_options: Sequence[Any] = ()
    ) -> None:
        """Sets the commands of the group, in order, and the root's options that each of them accepts too."""
        self._lazy_commands = LazyCommands(entries, global_options)
        # typer only reads names and values of this mapping.
        self.commands: Any = self._lazy_commands
        self.order = tuple(self._lazy_commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command for --help and for shell completion."""
        return self._lazy_commands.summary(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to run, loaded."""
        if args[0] in self._lazy_commands:
            return args[0], self._lazy_commands[args[0]], args[1:]
        return super().resolve_command(ctx, args)


def _name(entry: Command | Commands | CommandEntry) -> str:
    return entry.name if not isinstance(entry, Command) else entry.name or entry.function.__name__


def _build(entry: Command | Commands) -> Any:
    """The click command that typer builds."""
    typer_app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    if isinstance(entry, Command):
        typer_app.command(entry.name or None, epilog=entry.epilog)(entry.function)
        return typer.main.get_group(typer_app).commands.popitem()[1]
    typer_app.add_typer(entry.group, name=entry.name, cls=CommandGroup, no_args_is_help=False)
    return typer.main.get_group(typer_app).commands[entry.name]


def _refuse_empty_values(command: Any) -> None:
    """Lets no option or argument of `command`, and of all below it, be an empty text."""
    for each in command.params:
        if each.callback is None:
            each.callback = refuse_empty_value
    for child in getattr(command, "commands", {}).values():
        _refuse_empty_values(child)


def _accept(command: Any, options: Sequence[Any]) -> None:
    """Lets `command`, and all below it, take the global `options`, which their help does not repeat."""
    for each in options:
        accepted = copy(each)
        accepted.hidden = True
        # The option's callback stores the value; the command's function has no such parameter.
        accepted.expose_value = False
        command.params.append(accepted)
    for child in getattr(command, "commands", {}).values():
        _accept(child, options)
