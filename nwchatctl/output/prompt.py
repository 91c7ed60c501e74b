"""Questions on stderr, and the errors of commands that cannot ask."""

from __future__ import annotations

import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nwchatctl.errors import ChatError, Exit
from nwchatctl.output.streams import Streams
from nwchatctl.output.untrusted import untrusted


@dataclass(frozen=True, slots=True)
class ConsentReasons:
    """What a question is about: the `texts`, printed before it unless they were `said` already. `hint`
    follows the flag in the error of a command that cannot ask."""

    texts: tuple[str, ...] = ()
    hint: str = ""
    said: bool = True


_NO_REASONS = ConsentReasons()


def confirm(
    streams: Streams,
    question: str,
    *,
    given: bool,
    flag: str,
    json: bool = False,
    reasons: ConsentReasons = _NO_REASONS,
) -> None:
    """Returns when the answer is y or yes, or was `given` by `flag`.

    Raises ChatError, exit 7: `declined`, or `confirmation_required` when nobody can be asked.
    """
    if given:
        return
    _require_terminal(streams, question, flag, json, reasons)
    _say_reasons(streams, reasons)
    if (_answer(streams, f"{question} [y/N] ") or "").strip().lower() not in ("y", "yes"):
        raise _declined()


def confirm_name(
    streams: Streams,
    name: str,
    *,
    given: str,
    flag: str,
    json: bool = False,
    reasons: ConsentReasons = _NO_REASONS,
) -> None:
    """Returns when `name` is typed, or was `given` by `flag`; raises as `confirm`."""
    if given == name:
        return
    if given:
        raise ChatError(
            f"--confirm says {given}, but the name is {name}",
            hint=f"give --confirm {name}, if that is the one you mean",
            code="confirmation_mismatch",
            exit_code=Exit.DECLINED,
        )
    # A flag that takes no name, as --yes, is hinted at as it is.
    hinted = f"{flag} {name}" if flag == "--confirm" else flag
    _require_terminal(streams, f"this needs the name {name} typed", hinted, json, reasons)
    _say_reasons(streams, reasons)
    if (_answer(streams, f"Type the name, {name}, to go on: ") or "").strip() != name:
        raise _declined()


def ask(streams: Streams, question: str, default: str, check: Callable[[str], str]) -> str:
    """The answer, the default for an empty one; asked again while `check` has a complaint ("" is none).

    Raises ChatError `declined`, exit 7, at the end of the input.
    """
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        answer = _answer(streams, shown)
        if answer is None:
            raise _declined()
        answer = answer.strip() or default
        complaint = check(answer)
        if not complaint:
            return answer
        streams.write_error(f"{untrusted(complaint)}\n")


def _say_reasons(streams: Streams, reasons: ConsentReasons) -> None:
    for each in () if reasons.said else reasons.texts:
        streams.write_error(f"! {untrusted(each)}\n")


def ask_hidden(streams: Streams, question: str, *, json: bool = False) -> str:
    """The answer, which the terminal does not show while it is typed.

    Raises ChatError `mfa_required`, exit 3, without an answer, and if no question can be asked.
    """
    if reason := _never_asked(streams, json):
        raise _no_code(f"the AWS profile needs an MFA code, and {reason}")
    with _no_echo(streams):
        answer = (_answer(streams, question) or "").strip()
    # The line break that was typed is not shown either.
    streams.write_error("\n")
    if not answer:
        raise _no_code("the AWS profile needs an MFA code, and none was typed")
    return answer


def _no_code(message: str) -> ChatError:
    return ChatError(
        message,
        hint="run the command at a terminal, or set the variables that "
        "`aws configure export-credentials --profile NAME --format env` prints there",
        code="mfa_required",
        exit_code=Exit.CONFIG,
    )


@contextmanager
def _no_echo(streams: Streams) -> Iterator[None]:
    """Within, the terminal of stdin shows nothing of what is typed."""
    terminal = streams.stdin.fileno()
    before = termios.tcgetattr(terminal)
    hidden = [*before]
    hidden[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def _never_asked(streams: Streams, json: bool) -> str:
    """Why no question can be asked; "" if one can."""
    if json:
        return "--json never asks"
    return "" if streams.asks else "there is no terminal to ask at"


def _require_terminal(
    streams: Streams, question: str, flag: str, json: bool, reasons: ConsentReasons
) -> None:
    reason = _never_asked(streams, json)
    if not reason:
        return
    raise ChatError(
        f"a confirmation is missing, and {reason}: {'; '.join([*reasons.texts, question])}",
        hint=f"give {flag}{reasons.hint}",
        code="confirmation_required",
        exit_code=Exit.DECLINED,
    )


def _answer(streams: Streams, question: str) -> str | None:
    streams.flush()
    streams.write_error(untrusted(question))
    try:
        line = streams.stdin.readline()
    except KeyboardInterrupt:
        # The terminal shows ^C behind the question.
        streams.write_error("\n")
        raise
    if not line.endswith("\n"):
        # Ctrl-D leaves the cursor behind the question.
        streams.write_error("\n")
    return line if line else None


def _declined() -> ChatError:
    return ChatError("declined, nothing was changed", code="declined", exit_code=Exit.DECLINED)
