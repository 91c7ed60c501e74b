"""Rows: a table on a terminal, tab-separated lines in a pipe. Never more than a page of them in memory.

On a terminal no cell that fits into a line is broken, except the last of a row, whose further lines are
indented: an id can be copied, and no text can pass for another row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from nwchatctl.output.streams import Streams
from nwchatctl.output.untrusted import isolated, untrusted
from nwchatctl.report import Mark, TextTable

PAGE = 256
"""Rows whose widths are known before the first of them is printed; later ones only make columns wider."""

_GAP, _STREAM_GAP, _INDENT = "   ", "  ", "    "

_ALIGNED = 24
"""Cells that a column of a stream is padded to at most: its longest element may be yet to come."""

_LONGEST = 16
"""Characters that are looked at for each cell of a line; a letter with all its marks has fewer."""

_NARROWEST = 16
"""Cells that a shortened or wrapped cell has at least, however narrow the terminal is."""


def print_table(table: TextTable, streams: Streams, *, whole: bool = False) -> int:
    """Prints the rows and returns how many there were. `whole`: nothing is shortened on a terminal."""
    if not streams.out_terminal:
        return _print_plain(table.rows, streams)
    rows, count = iter(table.rows), 0
    layout: _Layout | None = None
    while page := [[untrusted(cell) for cell in cells] for cells in islice(rows, PAGE)]:
        if layout is None:
            layout = _Layout(streams.width, None if whole else table.shortened)
            layout.widen(([*table.headings], *page) if table.headings else page)
            _print_headings(table.headings, layout, streams)
        else:
            layout.widen(page)
        streams.write("".join(line + "\n" for cells in page for line in layout.lines(cells)))
        count += len(page)
    return count


def plain(cells: Iterable[str]) -> str:
    """A line of tab-separated cells, in which no cell has a tab or newline of its own."""
    return "\t".join(map(untrusted, cells)) + "\n"


def _print_plain(rows: Iterable[Sequence[str]], streams: Streams) -> int:
    count = 0
    for cells in rows:
        streams.write(plain(cells))
        count += 1
    return count


def _print_headings(headings: Sequence[str], layout: _Layout, streams: Streams) -> None:
    if not headings:
        return
    lines = list(layout.lines(headings))
    rule = "─" * min(layout.total, streams.width)
    streams.write("".join(streams.styled(line, Mark.HEAD) + "\n" for line in lines) + rule + "\n")


class _Layout:
    """Where the cells of a table are: side by side, and in further, indented lines where the terminal is too
    narrow for all of them."""

    def __init__(self, width: int, shortened: int | None) -> None:
        self._width = width
        self._shortened = shortened
        self._widths: list[int] = []

    def widen(self, rows: Iterable[Sequence[str]]) -> None:
        """Makes each column as wide as its widest cell in `rows`."""
        for cells in rows:
            self._widths += [0] * (len(cells) - len(self._widths))
            for column, cell in enumerate(cells):
                self._widths[column] = max(self._widths[column], cell_width(cell))
        self._groups = list(self._grouped())

    @property
    def total(self) -> int:
        """The width of the longest line."""
        return max(
            (len(_INDENT) if number else 0)
            + sum(self._widths[column] for column in group)
            + len(_GAP) * (len(group) - 1)
            for number, group in enumerate(self._groups)
        )

    def _grouped(self) -> Iterator[list[int]]:
        """The columns of each line. The last column and the shortened one take what is left of a line."""
        group: list[int] = []
        used = 0
        for column, width in enumerate(self._widths):
            least = min(width, _NARROWEST) if self._is_flexible(column) else width
            if group and used + len(_GAP) + least > self._width:
                yield group
                group, used = [], len(_INDENT)
            used += least + (len(_GAP) if group else 0)
            group.append(column)
        yield group

    def _is_flexible(self, column: int) -> bool:
        return column in (self._shortened, len(self._widths) - 1)

    def lines(self, cells: Sequence[str]) -> Iterator[str]:
        """The lines of a row."""
        for number, group in enumerate(self._groups):
            start = _INDENT if number else ""
            yield from self._line(start, group, cells)

    def _line(self, start: str, group: Sequence[int], cells: Sequence[str]) -> Iterator[str]:
        *others, last = group
        fixed = sum(self._widths[each] for each in group if each != self._shortened)
        room = max(self._width - len(start) - fixed - len(_GAP) * len(others), _NARROWEST)
        head = start
        for each in others:
            text, width = cells[each], self._widths[each]
            if each == self._shortened:
                text, width = shortened(text, room), min(width, room)
            head += padded(text, width) + _GAP
        text = shortened(cells[last], room) if last == self._shortened else cells[last]
        return with_last(head, text, self._width)


class Aligner:
    """Lays out the cells of a stream one element at a time; columns grow as they need to."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._widths: dict[int, int] = {}

    def lines(self, cells: Sequence[str]) -> Iterator[str]:
        """The cells side by side, the last one wrapped; further lines are indented."""
        head = ""
        for column, cell in enumerate(map(untrusted, cells[:-1])):
            kept = max(self._widths.get(column, 0), min(cell_width(cell), _ALIGNED))
            self._widths[column] = kept
            head += padded(cell, kept) + _STREAM_GAP
        return with_last(head, untrusted(cells[-1]), self._width)


# Cells ----------------------------------------------------------------------------------------------


def with_last(head: str, last: str, width: int) -> Iterator[str]:
    """The lines of a row: `head` and the last cell, wrapped in what is left of `width` (cells)."""
    used = cell_width(head)
    indent = used if width - used >= _NARROWEST else len(_INDENT)
    first, *more = wrapped(last, max(width - used, 1), max(width - indent, _NARROWEST))
    yield (head + isolated(first)).rstrip()
    for each in more:
        yield " " * indent + isolated(each).rstrip()


def padded(text: str, width: int) -> str:
    """The text, and blanks up to `width` cells."""
    return isolated(text) + " " * (width - cell_width(text))


def shortened(text: str, width: int) -> str:
    """At most `width` cells of the text, with an ellipsis where some of it is left out."""
    if cell_width(text) <= width:
        return text
    from rich.cells import set_cell_size

    return f"{set_cell_size(text, width - 1).rstrip()}…"


def wrapped(text: str, first: int, width: int) -> Iterator[str]:
    """The text in parts of `first` cells and then of `width` cells, after a blank where there is one."""
    room = first
    while cell_width(text[: room * _LONGEST]) > room:
        from rich.cells import chop_cells

        part = chop_cells(text[: room * _LONGEST], room)[0]
        blank = part.rfind(" ") + 1
        end = blank if blank * 2 > len(part) else max(len(part), 1)
        yield text[:end]
        text, room = text[end:], width
    yield text


def cell_width(text: str) -> int:
    """How many cells of a terminal the text takes."""
    if text.isascii():
        return len(text)
    # rich costs 50 ms to import, which only text on a terminal is worth.
    from rich.cells import cell_len

    return cell_len(text)
