"""All that one run prints, says and asks, as -q and --json want it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from nwchatctl.errors import Exit
from nwchatctl.output import human, prompt
from nwchatctl.output.progress import PlainProgress, Progress
from nwchatctl.output.streams import Streams
from nwchatctl.report import Line, Mark, Report, Stream


@dataclass(frozen=True, slots=True)
class Terminal:
    """The streams of a run. `quiet` is -q, `verbose` -v, `json` --json; `dumb` a terminal that cannot move
    its cursor."""

    streams: Streams
    quiet: bool = False
    json: bool = False
    dumb: bool = False
    verbose: bool = False

    @property
    def silent(self) -> bool:
        """Whether nothing is printed while a command runs: under -q, and for scripts."""
        return self.quiet or self.json

    def say(self, *lines: Line) -> None:
        """Lines on stderr, for people only."""
        if not self.silent:
            human.say(self.streams, *lines)

    def say_dim(self, text: str) -> None:
        """One dim line on stderr, for people only."""
        self.say(Line(text, Mark.DIM))

    def trace(self, text: str) -> None:
        """One dim line on stderr, whatever else is silent."""
        human.say(self.streams, Line(text, Mark.DIM))

    def warn(self, text: str) -> None:
        """A warning on stderr, also for scripts; not under -q."""
        if not self.quiet:
            human.print_warning(text, self.streams)

    def confirm(
        self, question: str, *, given: bool, flag: str, reasons: prompt.ConsentReasons | None = None
    ) -> None:
        """Returns after a y, or `given` by `flag`. Raises ChatError, exit 7."""
        about = self._unsaid(reasons)
        prompt.confirm(self.streams, question, given=given, flag=flag, json=self.json, reasons=about)

    def confirm_name(
        self, name: str, *, given: str, flag: str, reasons: prompt.ConsentReasons | None = None
    ) -> None:
        """Returns when `name` was typed, or `given` by `flag`. Raises ChatError, exit 7."""
        about = self._unsaid(reasons)
        prompt.confirm_name(self.streams, name, given=given, flag=flag, json=self.json, reasons=about)

    def _unsaid(self, reasons: prompt.ConsentReasons | None) -> prompt.ConsentReasons:
        """The reasons of a question, as far as they were said before it: nothing is, under -q."""
        return dataclasses.replace(reasons or prompt.ConsentReasons(), said=not self.silent)

    def ask_hidden(self, question: str) -> str:
        """The answer to a question, which the terminal does not show. Raises ChatError, exit 3."""
        return prompt.ask_hidden(self.streams, question, json=self.json)

    def progress(self, label: str, total: int | None) -> Progress:
        """A context manager for a count of `total` with a label, or for steps where that is ""."""
        return make_progress(self.streams, label=label, total=total, silent=self.silent, dumb=self.dumb)

    def finish(self, result: Report | Stream) -> int:
        """Prints what a command returned; its exit code."""
        assert isinstance(result, Report | Stream), f"{type(result).__name__} is nothing that is printed"
        if isinstance(result, Stream):
            return self._print_stream(result)
        human.print_report(result, self.streams, json=self.json, quiet=self.quiet, verbose=self.verbose)
        return int(result.exit_code)

    def _print_stream(self, stream: Stream) -> int:
        try:
            human.print_stream(stream, self.streams, json=self.json or stream.json)
        except KeyboardInterrupt as error:
            # --timeout and SIGTERM are of derived types, and are said; a script is told in any case.
            if not stream.endless or self.json or type(error) is not KeyboardInterrupt:
                raise
            if self.streams.err_terminal:
                # The terminal shows ^C at the beginning of a line.
                self.streams.write_error("\n")
            return Exit.INTERRUPTED
        return int(stream.exit_code)


def make_progress(
    streams: Streams, *, label: str = "", total: int | None = None, silent: bool = False, dumb: bool = False
) -> Progress:
    """What fits the stream: `silent` for -q and --json, `dumb` for a terminal that cannot move its cursor."""
    if silent:
        return Progress()
    if streams.err_terminal and not dumb:
        # rich costs 50 ms to import, which only a bar or a spinner is worth.
        from nwchatctl.output.live_progress import LiveProgress

        return LiveProgress(streams, label, total)
    return PlainProgress(streams, label)
