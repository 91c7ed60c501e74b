"""What commands share: options, times and ages, and the examples at the end of their help."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO

import typer

from nwchatctl.errors import ChatError, Exit, usage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nwchatctl.context import App

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


LONGEST_SECONDS = 253_402_300_799.999
"""Until the end of the year 9999, as `timestamps.LAST_MS`, whose import every command would pay for."""

_FIRST_NUMBER_MS = 946_684_800_000
"""The year 2000. A number that is smaller as epoch seconds was meant as a length of time."""


def examples(*pairs: tuple[str, str]) -> str:
    """An epilog: each pair is what one wants, and the command for it."""
    lines = [f"  {want}\n    {command}" for want, command in pairs]
    # \b keeps the lines as they are; a paragraph of help is filled otherwise.
    return "\b\nExamples:\n" + "\n".join(lines)


@dataclass(frozen=True, slots=True)
class When:
    """A time as it was given: one moment (epoch ms), or an age (ms) that counts back from now."""

    text: str
    at: int | None = None
    age: int | None = None

    def epoch_ms(self, now_ms: int) -> int:
        """The moment meant, in epoch ms."""
        return self.at if self.at is not None else now_ms - (self.age or 0)


def parse_seconds(text: str) -> float:
    """`90`, `90s`, `15m`, `2h`, `7d` in seconds. Raises BadParameter for anything else, 0 included."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|[smhdw]?)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise typer.BadParameter(f"{text!r} is no length of time; give seconds, or 90s, 15m, 2h, 7d")
    return seconds


def parse_length(text: str) -> float:
    """A length of time in seconds, or `forever`. Raises BadParameter for anything else."""
    return math.inf if text.strip() == "forever" else parse_seconds(text)


def parse_when(text: str) -> When:
    """ISO 8601 (local time unless it says otherwise), epoch seconds or ms, or an age. Raises BadParameter."""
    from nwchatctl.timestamps import LAST_MS, iso_to_ms, to_ms

    stripped = text.strip()
    if re.fullmatch(r"[0-9]{1,15}", stripped):
        at = to_ms(int(stripped))
        if at > LAST_MS:
            raise typer.BadParameter(f"{text} is a time after the year 9999")
        if at < _FIRST_NUMBER_MS:
            raise typer.BadParameter(
                f"{text} is a time before the year 2000; give an age as {text}s, {text}m, {text}h, {text}d"
            )
        return When(text, at=at)
    if re.fullmatch(r"[0-9.]+(ms|[smhdw])", stripped):
        return When(text, age=round(parse_seconds(stripped) * 1000))
    moment = iso_to_ms(stripped, local=True)
    if moment is None or moment < 0:
        raise typer.BadParameter(
            f"{text!r} is no time; give 2026-01-31T18:00, epoch seconds or ms, or an age as 90s, 15m, 2h, 7d"
        )
    return When(text, at=moment)


def parse_age(text: str) -> When:
    """As `parse_when`, but a number that would be a time before the year 2000 is an age in seconds, as for
    other lengths of time. Raises BadParameter."""
    stripped = text.strip()
    if re.fullmatch(r"[0-9]{1,9}", stripped) and int(stripped) * 1000 < _FIRST_NUMBER_MS:
        return When(text, age=int(stripped) * 1000)
    return parse_when(text)


def stdin_bytes() -> BinaryIO:
    """What stdin holds. Raises ChatError, exit 2, where the process was started with none (`<&-`)."""
    # typeshed has it always there.
    given: TextIO | None = sys.stdin
    if given is None:
        raise ChatError(
            "there is nothing to read: stdin is closed",
            hint="pipe it in, or name a file with <",
            code="stdin_closed",
            exit_code=Exit.USAGE,
        )
    return given.buffer


def require_one(given: Mapping[str, bool], otherwise: ChatError) -> None:
    """Returns if exactly one of several options was `given`. Raises ChatError, exit 2: `otherwise` if none
    was."""
    names = [name for name, is_given in given.items() if is_given]
    if not names:
        raise otherwise
    if len(names) > 1:
        together = f"{', '.join(names[:-1])} and {names[-1]}"
        raise usage_error(f"{together} cannot be given together", "give only one of them")


def require_unicode(*texts: str) -> None:
    """Raises ChatError `not_utf8`, exit 2, for an argument whose bytes are not UTF-8."""
    for text in texts:
        # Python passes such bytes on as lone surrogates (PEP 383).
        if any("\udc80" <= each <= "\udcff" for each in text):
            raise ChatError(
                "an argument is not UTF-8",
                hint="give it in UTF-8, or convert a file: iconv -f LATIN1 -t UTF-8 FILE",
                code="not_utf8",
                exit_code=Exit.USAGE,
            )


def when_ms(when: When | None, now_ms: int) -> int | None:
    """The moment that an option means, in epoch ms; None where it was not given."""
    return None if when is None else when.epoch_ms(now_ms)


def completes(module: str, names: str) -> Callable[[str], list[str]]:
    """For `autocompletion`: the shell offers those of `names`, a tuple in `module`, that begin as the word
    does. The module is imported when the shell asks."""

    def offer(incomplete: str) -> list[str]:
        return [each for each in getattr(import_module(module), names) if each.startswith(incomplete)]

    return offer


def _use_json(ctx: typer.Context, value: bool) -> bool:
    app: App = ctx.obj
    if value and not ctx.resilient_parsing:
        app.json = True
    return value


JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print JSON; never ask.", callback=_use_json, is_eager=True),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Only say what would be done.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)]
ConfirmOption = Annotated[
    str, typer.Option("--confirm", metavar="NAME", help="The chat's name, instead of typing it.")
]
WhenOption = When | None
"""For a parameter with `typer.Option("--since", parser=parse_when, metavar="TIME")`."""
SinceOption = Annotated[
    WhenOption, typer.Option("--since", parser=parse_when, metavar="TIME", help="Only those from then on.")
]
UntilOption = Annotated[
    WhenOption, typer.Option("--until", parser=parse_when, metavar="TIME", help="Only those before.")
]
