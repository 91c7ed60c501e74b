"""Rows: a table on a terminal, tab-separated lines in a pipe. Never more than a page of them in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import islice

from nwchatctl.output.streams import Streams
from nwchatctl.output.untrusted import untrusted
from nwchatctl.report import TextTable

PAGE = 256
"""Rows that are laid out together; each page has its headings, as its columns may differ in width."""

_ALIGNED = 24
"""Cells that a column of a stream is padded to at most: its longest element may be yet to come."""


def print_table(table: TextTable, streams: Streams) -> int:
    """Prints the rows and returns how many there were."""
    if not streams.out_terminal:
        return _print_plain(table.rows, streams)
    rows, count = iter(table.rows), 0
    while page := list(islice(rows, PAGE)):
        _print_page(table.headings, page, streams)
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


def _print_page(headings: Sequence[str], rows: Sequence[Sequence[str]], streams: Streams) -> None:
    # rich costs 50 ms to import, which only a table on a terminal is worth.
    from rich import box, console, table, text

    printed = StringIO()
    terminal = console.Console(
        file=printed,
        width=streams.width,
        color_system="standard" if streams.out_color else None,
        force_terminal=True,
        no_color=False,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    looks = box.SIMPLE_HEAD if headings else None
    grid = table.Table(
        box=looks, show_edge=False, show_header=bool(headings), pad_edge=False, header_style="bold"
    )
    for heading in headings or ("",) * len(rows[0]):
        grid.add_column(text.Text(heading), overflow="fold")
    for cells in rows:
        grid.add_row(*(text.Text(untrusted(cell)) for cell in cells))
    terminal.print(grid)
    # Through our own door, which knows a closed pipe; and without the spaces that pad the last column.
    streams.write("".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines()))


class Aligner:
    """Lays out the cells of a stream one element at a time; columns grow as they need to."""

    def __init__(self) -> None:
        self._widths: dict[int, int] = {}

    def line(self, cells: Sequence[str]) -> str:
        """The cells side by side, the last one as it is."""
        return "  ".join(self._padded(cells)) + "\n"

    def _padded(self, cells: Sequence[str]) -> Iterator[str]:
        from rich.cells import cell_len

        for column, cell in enumerate(map(untrusted, cells[:-1])):
            width = cell_len(cell)
            kept = self._widths.get(column, 0)
            self._widths[column] = kept = max(kept, min(width, _ALIGNED))
            yield cell + " " * (kept - width)
        yield from map(untrusted, cells[-1:])
