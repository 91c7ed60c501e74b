"""Reports and streams, on a terminal, in a pipe and as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from nwchatctl.errors import ChatError, Exit
from nwchatctl.output import human
from nwchatctl.output.tables import PAGE
from nwchatctl.output.terminal import Terminal
from nwchatctl.report import Item, Line, Mark, Report, Stream, StreamedList, TextTable
from nwchatctl.signals import Terminated, TimedOut
from tests.unit.output.memory_streams import printed, streams

HOSTILE = "\x1b[2J[red]x[/red]\n\u202e:smile:"
SPELLED = "\\x1b[2J[red]x[/red]\\n\\u202e:smile:"

REPORT = Report(
    data={"name": HOSTILE, "count": 1},
    body=(Line("done", Mark.GOOD), TextTable(("name", "text"), (("a", HOSTILE), ("b\tc", "日本語")))),
    warnings=("take care\x07",),
    notes=("go on",),
)


def test_a_pipe_gets_tab_separated_lines() -> None:
    made = streams()
    human.print_report(REPORT, made)
    out, err = printed(made)
    assert out == f"done\na\t{SPELLED}\nb\\tc\t日本語\n"
    assert err == "warning: take care\\x07\ngo on\n"


def test_a_pipe_gets_long_cells_whole() -> None:
    made = streams(width=20)
    human.print_report(Report({}, (TextTable(("a", "b"), (("x" * 500, "y"),)),)), made)
    assert printed(made)[0] == "x" * 500 + "\ty\n"


def test_a_terminal_gets_a_table() -> None:
    made = streams(terminal=True)
    human.print_report(REPORT, made)
    out, err = printed(made)
    assert out.splitlines() == [
        "done",
        "name   text",
        "─" * 41,
        f"a      {SPELLED}",
        "b\\tc   日本語",
    ]
    assert err == "warning: take care\\x07\ngo on\n"


def test_colour_comes_only_from_the_program() -> None:
    made = streams(terminal=True, color=True)
    human.print_report(REPORT, made)
    out, _ = printed(made)
    assert "\x1b[32mdone\x1b[0m" in out
    assert "\x1b[1m" in out
    assert "\x1b[2J" not in out
    assert SPELLED in out


def test_a_table_fits_a_narrow_terminal_and_loses_nothing() -> None:
    made = streams(terminal=True, width=30)
    cells = ("a" * 40, "日本語" * 10)
    human.print_report(Report({}, (TextTable(("one", "two"), (cells,)),)), made)
    lines = printed(made)[0].splitlines()
    from rich.cells import cell_len

    assert max(map(cell_len, lines)) <= 30
    body = "".join(lines[2:])
    assert body.count("a") == 40
    assert body.count("日") == 10


CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0"
ROW = ("ff4dfd9d6a7146e9", "128274", "tchalvak", "2026-01-31 18:00:00", "203.0.113.9", CHROME)
HEADINGS = ("connection", "user", "name", "since", "address", "client")


def shown(*rows: tuple[str, ...], width: int, verbose: bool = False) -> list[str]:
    """The lines of a table of connections on a terminal."""
    made = streams(terminal=True, width=width)
    table = TextTable(HEADINGS, rows, shortened=5)
    human.print_report(Report({}, (table,)), made, verbose=verbose)
    return printed(made)[0].splitlines()


def test_shortened_column_leaves_a_line_for_each_row() -> None:
    lines = shown(ROW, ROW, width=120)
    assert len(lines) == 4
    assert lines[2].startswith("   ".join(ROW[:5]))
    assert lines[2].endswith("…")
    assert max(map(len, lines)) <= 120


def test_verbose_shortens_nothing() -> None:
    lines = shown(ROW, width=120, verbose=True)
    assert "…" not in "".join(lines)
    assert "".join(line.strip() for line in lines[2:]).replace(" ", "").endswith(CHROME.replace(" ", ""))
    # Lines that go on are indented.
    assert all(line.startswith(" ") for line in lines[3:])


@pytest.mark.parametrize("width", [24, 40, 60, 80])
def test_no_terminal_folds_what_is_copied(width: int) -> None:
    lines = shown(ROW, ROW, width=width)
    text = "\n".join(lines)
    for cell in ROW[:5]:
        assert text.count(cell) == 2
    begin = [line for line in lines if line.startswith(ROW[0])]
    assert len(begin) == 2
    assert max(map(len, lines)) <= width
    others = lines[lines.index(begin[0]) :]
    assert all(line.startswith("    ") for line in others if line not in begin)


def test_right_to_left_cells_are_isolated_on_a_terminal_alone() -> None:
    rows = (("שלום", "1", "مرحبا 2"), ("abc", "2", "x"))
    terminal, pipe = streams(terminal=True), streams()
    for made in (terminal, pipe):
        human.print_report(Report({}, (TextTable(("name", "n", "text"), rows),)), made)
    lines = printed(terminal)[0].splitlines()
    assert lines[2] == "\u2068שלום\u2069   1   \u2068مرحبا 2\u2069"
    assert lines[3] == "abc    2   x"
    assert printed(pipe)[0] == "שלום\t1\tمرحبا 2\nabc\t2\tx\n"
    stream = streams(terminal=True)
    human.print_stream(Stream(iter([Item({}, ("10:00", "שלום", "hi"))])), stream)
    assert printed(stream)[0] == "10:00  \u2068שלום\u2069  hi\n"


def test_padded_message_does_not_look_like_another_one() -> None:
    made = streams(terminal=True, width=50)
    text = "hello" + " " * 33 + "10:01  operator  Give me your password, please"
    human.print_stream(Stream(iter([Item({}, ("10:00", "eve", text))])), made)
    first, *more = printed(made)[0].splitlines()
    assert first == "10:00  eve  hello"
    assert more
    assert all(line.startswith(" " * 12) for line in more)
    assert all(len(line) <= 50 for line in more)


def test_long_text_is_wrapped_whole_between_words() -> None:
    made = streams(terminal=True, width=40)
    words = " ".join(f"word{number}" for number in range(2000))
    human.print_stream(Stream(iter([Item({}, ("10:00", words))])), made)
    lines = printed(made)[0].splitlines()
    assert " ".join(line.strip() for line in lines) == f"10:00  {words}"
    assert max(map(len, lines)) <= 40


def test_emoji_and_wide_text_keep_the_columns_straight() -> None:
    from rich.cells import cell_len

    made = streams(terminal=True)
    rows = (("日本", "|"), ("👍🏽", "|"), ("abc", "|"), ("a\u200db", "|"))
    human.print_report(Report({}, (TextTable(("name", "end"), rows),)), made)
    lines = printed(made)[0].splitlines()[2:]
    assert {cell_len(line.partition("|")[0]) for line in lines} == {11}


def test_rows_are_read_as_they_are_printed() -> None:
    read: list[int] = []

    def rows() -> Iterator[tuple[str, ...]]:
        for number in range(PAGE + 1):
            read.append(number)
            yield (str(number),)

    out = io.StringIO()
    seen: list[int] = []

    class Watched(io.StringIO):
        def write(self, text: str) -> int:
            seen.append(len(read))
            return out.write(text)

    human.print_report(Report({}, (TextTable(("n",), rows()),)), streams(out=Watched(), terminal=True))
    # The headings, and two pages.
    assert seen == [PAGE, PAGE, PAGE + 1]
    assert out.getvalue().splitlines().count("n") == 1


def test_an_empty_table_says_so_on_a_terminal_alone() -> None:
    report = Report({}, (TextTable(("a",), (), empty="nobody is here"),))
    terminal, pipe = streams(terminal=True), streams()
    human.print_report(report, terminal)
    human.print_report(report, pipe)
    assert printed(terminal) == ("", "nobody is here\n")
    assert printed(pipe) == ("", "")


def test_quiet_is_silent_on_success() -> None:
    made = streams()
    human.print_report(REPORT, made, quiet=True)
    assert printed(made) == ("", "")


def test_quiet_prints_what_was_requested() -> None:
    listed, deleted = streams(), streams()
    human.print_report(Report({}, REPORT.body, warnings=("x",), requested=True), listed, quiet=True)
    assert printed(listed) == (f"done\na\t{SPELLED}\nb\\tc\t日本語\n", "")
    copy = TextTable((), (("a", "b"),), only_copy=True)
    human.print_report(Report({}, (copy, Line("1 deleted"))), deleted, quiet=True)
    assert printed(deleted) == ("a\tb\n", "")


def test_quiet_still_shows_what_differs_and_json() -> None:
    differs, asked = streams(), streams()
    human.print_report(Report({}, (Line("~ stage"),), exit_code=6), differs, quiet=True)
    human.print_report(REPORT, asked, quiet=True, json=True)
    assert printed(differs) == ("~ stage\n", "")
    assert json.loads(printed(asked)[0]) == {"name": HOSTILE, "count": 1}


def test_quiet_says_why_something_failed() -> None:
    made = streams()
    report = Report({}, (Line("1 failed"),), exit_code=5, notes=("next",), warnings=("1 time: 403",))
    human.print_report(report, made, quiet=True)
    assert printed(made) == ("1 failed\n", "warning: 1 time: 403\n")


def test_json_is_one_line_that_moves_no_cursor() -> None:
    made = streams(terminal=True, color=True)
    human.print_report(REPORT, made, json=True)
    out, err = printed(made)
    assert out.count("\n") == 1
    assert out.isascii()
    assert out.strip().isprintable()
    assert json.loads(out) == {"name": HOSTILE, "count": 1}
    assert "go on" not in err
    assert "take care" in err


def test_json_takes_lone_surrogates_and_no_nan() -> None:
    made = streams()
    human.print_report(Report({"text": "\ud800\x7f"}), made, json=True)
    assert printed(made)[0] == '{"text": "\\ud800\\u007f"}\n'
    with pytest.raises(ValueError, match="Out of range"):
        human.print_report(Report({"rate": float("nan")}), made, json=True)


def test_a_line_keeps_its_tabs_and_nothing_else() -> None:
    made = streams()
    human.print_report(Report({}, (Line("url\tws://x\x1b\n"),)), made)
    assert printed(made)[0] == "url\tws://x\\x1b\\n\n"


def test_json_lines_keep_their_backslashes() -> None:
    made = streams()
    human.print_report(Report({}, (Line('{"a": "\\n\u202e"}', is_json=True),)), made)
    assert printed(made)[0] == '{"a": "\\n\\u202e"}\n'


class Flushed(io.StringIO):
    """Remembers what had been written at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[str] = []

    def flush(self) -> None:
        self.at.append(self.getvalue())


ITEMS = (Item({"n": 1}, ("10:00", "bo", "hi")), Item({"n": 2}, ("10:01", "日本", HOSTILE)))


def test_a_stream_is_flushed_item_by_item() -> None:
    out = Flushed()
    human.print_stream(Stream(iter(ITEMS)), streams(out=out), json=True)
    assert out.at == ['{"n": 1}\n', '{"n": 1}\n{"n": 2}\n']


def test_a_stream_in_a_pipe_and_on_a_terminal() -> None:
    pipe, terminal = streams(), streams(terminal=True)
    human.print_stream(Stream(iter(ITEMS)), pipe)
    human.print_stream(Stream(iter((*ITEMS, ITEMS[0]))), terminal)
    assert printed(pipe)[0] == f"10:00\tbo\thi\n10:01\t日本\t{SPELLED}\n"
    assert printed(terminal)[0] == f"10:00  bo  hi\n10:01  日本  {SPELLED}\n10:00  bo    hi\n"


def test_errors_for_people_and_for_scripts() -> None:
    error = ChatError("it\nfailed \x1b", hint="mend it", code="broken")
    person, script, colored = streams(), streams(), streams(color=True)
    human.print_error(error, person)
    human.print_error(error, script, json=True)
    human.print_error(error, colored)
    assert printed(person) == ("", "error: it\\nfailed \\x1b\nhint: mend it\n")
    assert json.loads(printed(script)[1]) == {
        "error": {"code": "broken", "message": "it\nfailed \x1b", "hint": "mend it"}
    }
    assert printed(colored)[1].startswith("\x1b[1;31merror:\x1b[0m it")


def growing(*numbers: int) -> StreamedList:
    return StreamedList({"id": each} for each in numbers)


@pytest.mark.parametrize("numbers", [(), (1,), (1, 2, 3)])
def test_streamed_list_is_printed_as_any_other(numbers: tuple[int, ...]) -> None:
    made = streams()
    items = growing(*numbers)
    data = {"before": "ü", "items": items, "count": lambda: items.count}
    human.print_report(Report(data), made, json=True)
    whole = {"before": "ü", "items": [{"id": each} for each in numbers], "count": len(numbers)}
    assert printed(made)[0] == json.dumps(whole) + "\n"


def test_streamed_list_is_not_held_in_memory() -> None:
    made = streams()
    written: list[str] = []

    def items() -> Iterator[dict[str, object]]:
        for each in range(3):
            written.append(printed(made)[0])
            yield {"id": each}

    human.print_report(Report({"items": StreamedList(items())}), made, json=True)
    assert written == ['{"items": ', '{"items": [{"id": 0}', '{"items": [{"id": 0}, {"id": 1}']


@pytest.mark.parametrize(("terminal", "said"), [(False, ""), (True, "\n")])
def test_ctrl_c_is_how_an_endless_stream_ends(terminal: bool, said: str) -> None:
    def items(stop: type[BaseException]) -> Iterator[Item]:
        yield Item({}, ("one",))
        raise stop

    into = streams(terminal=terminal)
    followed = Stream(items(KeyboardInterrupt), endless=True)
    assert Terminal(into).finish(followed) == Exit.INTERRUPTED
    assert printed(into) == ("one\n", said)
    for other, endless in ((KeyboardInterrupt, False), (TimedOut, True), (Terminated, True)):
        with pytest.raises(other):
            Terminal(into).finish(Stream(items(other), endless=endless))
    with pytest.raises(KeyboardInterrupt):
        Terminal(into, json=True).finish(Stream(items(KeyboardInterrupt), endless=True))


@pytest.mark.parametrize("quiet", [True, False])
def test_a_report_of_a_failure_ends_with_its_error(quiet: bool) -> None:
    failed = Report(
        {"ok": False},
        (TextTable((), (("connect", "failed"),)),),
        exit_code=1,
        error=ChatError("connect failed", hint="look", code="smoke_failed"),
    )
    made = streams()
    human.print_report(failed, made, quiet=quiet)
    assert printed(made) == ("connect\tfailed\n", "error: connect failed\nhint: look\n")
    made = streams()
    human.print_report(failed, made, quiet=quiet, json=True)
    out, err = printed(made)
    assert json.loads(out) == {"ok": False}
    error = {"code": "smoke_failed", "message": "connect failed", "hint": "look"}
    assert json.loads(err) == {"error": error}
