"""Options and exit codes that the commands about connections share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import WhenOption, parse_seconds, parse_when
from nwchatctl.errors import Exit
from nwchatctl.report import counted
from nwchatctl.signals import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nwchatctl.chat.connection_prune import PruneResult


def _grace(text: str) -> float:
    return 0.0 if text.strip() in ("0", "0s") else parse_seconds(text)


OlderThanOption = Annotated[
    WhenOption,
    typer.Option(
        "--older-than", parser=parse_when, metavar="AGE", help="Only those not heard of for so long."
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
    return EXIT_CODES.get(reason, Exit.PARTLY if result.failed else Exit.DONE)


def warnings(result: PruneResult, stopped: str, rest: str) -> Iterator[str]:
    """Why it was not all; `rest` is what the same command does when it is run again."""
    if stopped:
        yield f"{stopped}: the same command again {rest}"
    for reason, times in result.reasons:
        yield f"{counted(times, 'time')}: {reason}"
