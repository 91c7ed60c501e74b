"""The form of an open question about AWS, and what its measured answer says about the sandbox's rule. Pure.

Each question names a rule of the sandbox (`nwchatctl/sandbox/rules.py`) or none. What AWS answers is
compared with what the sandbox does by that rule: where both differ, the rule is wrong, and the report names
it.
"""

from __future__ import annotations

from dataclasses import dataclass

from nwchatctl.sandbox.limits import RuleValues

CALLS_SECONDS = 3.0
"""Added to every time that a rule allows: the calls that measure it take time themselves."""

TOLERANCE = 1.5
"""Factor of the rule's time up to which a measured time agrees with it."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `expected` are the answers that agree with the rule, `otherwise` those of a sandbox in
    which the rule is off; both are empty for a time in seconds, which the rule's value limits, or `seconds`
    where there is no rule. `source` says why the answer is expected, `method` how it is measured."""

    id: str
    text: str
    source: str
    method: str
    rule: str = ""
    expected: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    seconds: float | None = None
    is_long: bool = False
    """Whether it takes minutes: `--quick` leaves it out."""

    @property
    def is_time(self) -> bool:
        return not self.expected


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one question, ready for the report. `outcome` is `as expected`, `contradicts` or
    `not measured`; `reason` says why it could not be measured."""

    question: Question
    expected: str
    measured: str
    outcome: str
    reason: str = ""

    @property
    def text(self) -> str:
        """The outcome as one sentence; a contradicted rule is named."""
        if self.outcome == NOT_MEASURED:
            return f"could not be measured because {self.reason}"
        if self.outcome == CONTRADICTS:
            return f"contradicts rule {self.question.rule}" if self.question.rule else "not as expected"
        return self.outcome


AS_EXPECTED, CONTRADICTS, NOT_MEASURED = "as expected", "contradicts", "not measured"


def expected_text(question: Question, rules: RuleValues) -> str:
    """What is expected where `rules` hold, as shown in the report."""
    if question.is_time:
        return f"at most {_seconds(question, rules):g} s"
    return " or ".join(_accepted(question, rules))


def judge(question: Question, measured: str | float | None, rules: RuleValues, reason: str = "") -> Verdict:
    """Compares a measured answer with `rules`. `measured` is a text, a number of seconds, or None."""
    expected = expected_text(question, rules)
    if measured is None:
        return Verdict(question, expected, "", NOT_MEASURED, reason or "the run ended before")
    if isinstance(measured, str):
        agrees = measured in _accepted(question, rules)
        return Verdict(question, expected, measured, AS_EXPECTED if agrees else CONTRADICTS)
    agrees = measured <= _seconds(question, rules) * TOLERANCE + CALLS_SECONDS
    return Verdict(question, expected, f"{measured:.1f} s", AS_EXPECTED if agrees else CONTRADICTS)


def _accepted(question: Question, rules: RuleValues) -> tuple[str, ...]:
    off = question.rule and not rules.on(question.rule) and question.otherwise
    return question.otherwise if off else question.expected


def _seconds(question: Question, rules: RuleValues) -> float:
    if not question.rule:
        return question.seconds or 0.0
    return rules.value(question.rule) or 0.0
