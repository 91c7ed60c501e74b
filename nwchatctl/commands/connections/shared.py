"""Options and exit codes that the commands about connections share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nwchatctl.commands.options import WhenOption, parse_age, parse_seconds
from nwchatctl.errors import Exit
from nwchatctl.report import counted
from nwchatctl.signals import stopped_exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nwchatctl.chat.connection_prune import PruneResult


_DASHED_ID = re.compile(r"-[A-Za-z0-9_-]{14}=")
"""An id of API Gateway that begins with a dash. No option is spelled so: it would have no value."""


class ConnectionIdCommand(TyperCommand):
    """A command whose arguments are connection ids, of which some begin with a dash."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As in click, but such an id is an argument also without a `--` before it."""
        return super().parse_args(ctx, ids_after_dashes(args, _options_with_value(self)))


def _options_with_value(command: TyperCommand) -> frozenset[str]:
    options = (each for each in command.params if each.param_type_name == "option")
    return frozenset(name for each in options if not getattr(each, "is_flag", False) for name in each.opts)


def ids_after_dashes(args: list[str], options_with_value: frozenset[str]) -> list[str]:
    """The arguments with ids that begin with a dash moved behind `--`, unless there is one already; the value
    of an option stays where it is."""
    if "--" in args:
        return args
    before = ["", *args]
    ids = [
        _DASHED_ID.fullmatch(each) is not None and before[index] not in options_with_value
        for index, each in enumerate(args)
    ]
    if not any(ids):
        return args
    rest = [each for each, is_id in zip(args, ids, strict=True) if not is_id]
    return [*rest, "--", *(each for each, is_id in zip(args, ids, strict=True) if is_id)]


def _grace(text: str) -> float:
    return 0.0 if text.strip() in ("0", "0s") else parse_seconds(text)


OlderThanOption = Annotated[
    WhenOption,
    typer.Option(
        "--older-than", parser=parse_age, metavar="AGE", help="Only those not heard of for so long."
    ),
]


RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="N",
        min=1,
        help="At most so many requests a second; by default what sending.* leaves.",
    ),
]


GraceOption = Annotated[
    float | None,
    typer.Option("--grace", metavar="AGE", parser=_grace, help="Spare rows younger than that; 2m."),
]


def exit_code(result: PruneResult, reason: str) -> Exit:
    """The exit code of a run; `reason` is why it was stopped, "" where it was not."""
    if reason:
        return stopped_exit_code(reason, partly=bool(result.checked))
    return Exit.PARTLY if result.failed else Exit.DONE


def warnings(result: PruneResult, stopped: str, rest: str) -> Iterator[str]:
    """Why it was not all; `rest` is what the same command does when it is run again."""
    if stopped:
        yield f"{stopped}: the same command again {rest}"
    for reason, times in result.reasons:
        yield f"{counted(times, 'time')}: {reason}"
