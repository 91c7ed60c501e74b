"""What a command returns. Commands build Reports; `nwchatctl.output` alone prints them.

Every string in here is raw: `output` spells control characters out and lets no markup through,
so a command may put a player's text into a cell as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nwchatctl.errors import ChatError


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 message`, `2 messages`; `plural` where that is not the noun with an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


class Mark(Enum):
    """What a line means; `output` chooses the colour."""

    PLAIN = "plain"
    HEAD = "head"
    DIM = "dim"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text for a person; printed the same, less the colour, in a pipe.

    `is_json`: the text is JSON, whose backslashes already have a meaning and stay as they are.
    """

    text: str
    mark: Mark = Mark.PLAIN
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of cells: a table with headings on a terminal, tab-separated lines in a pipe.

    Without headings it is what it is: names and their values, side by side.
    `empty` is said on stderr, on a terminal only, when there is no row. `rows` is read once and may be lazy.
    `shortened` is the index of the column that a terminal without -v shows only as much of as fits; without
    one, the last column is wrapped. `only_copy`: nothing else has these rows any more, so -q prints them too.
    """

    headings: tuple[str, ...]
    rows: Iterable[tuple[str, ...]]
    empty: str = ""
    shortened: int | None = None
    only_copy: bool = False


class StreamedList:
    """A list in a report's data that is written as it comes and never held as a whole. Read once; `count` is
    how many there were until now."""

    def __init__(self, items: Iterable[Mapping[str, object]]) -> None:
        self._items = items
        self.count = 0

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        for each in self._items:
            self.count += 1
            yield each


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a command: `data` is its `--json` object, `body` the same for a person.

    A value of `data` may be a `StreamedList`, or a function, which is called when its value is written.

    `warnings` go to stderr in every mode but `-q`; `notes` (what to do next) to stderr, for people only.
    `error` is the failure that the body shows, printed after it as every error is.
    `requested`: the body is what the command was asked for, so that -q prints it too, as that of a dry run
    (`"dry_run": true` in `data`). A change or a check that succeeded is silent with -q.
    """

    data: Mapping[str, object]
    body: tuple[Line | TextTable, ...] = ()
    exit_code: int = 0
    warnings: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())
    requested: bool = False
    error: ChatError | None = None

    @property
    def is_requested(self) -> bool:
        """Whether the body is what the command was asked for."""
        return self.requested or self.data.get("dry_run") is True


@dataclass(frozen=True, slots=True)
class Item:
    """One element of a stream: a JSON object a line, or tab-separated/aligned cells."""

    data: Mapping[str, object]
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """A report that grows while it is printed; each item is flushed as it comes.

    One that is `json` is printed as JSON for people too: it is a file, on its way through a pipe. One that is
    `endless` ends with Ctrl-C, which is no error then.
    """

    items: Iterator[Item]
    exit_code: int = 0
    json: bool = False
    endless: bool = False
