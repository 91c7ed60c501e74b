"""The report of a run: one Markdown file with a table for a person and the same as JSON. Pure.

It holds no account id, access key, ARN with an account, IP address or connection id, so that it can be sent
to others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.live.questions import AS_EXPECTED, CONTRADICTS, NOT_MEASURED, Verdict

_REDACTIONS = (
    (re.compile(r"arn:[\w-]+:[\w-]*:[\w-]*:\d{12}:[^\s\"'`|]+"), "ARN"),
    (re.compile(r"\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{8,}\b"), "KEY"),
    (re.compile(r"\b\d{12}\b"), "ACCOUNT"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "IP"),
    (re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}\b"), "IP"),
    (re.compile(r"\b[a-z0-9]{10}\.execute-api\.[\w.-]+"), "API"),
    (re.compile(r"(?<![\w=/+-])[A-Za-z0-9+/_-]{12,20}=(?![\w=])"), "CONNECTION"),
)


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything that the report shows. `durations` are seconds of the tool's commands; `left` what could not
    be removed."""

    target: str
    region: str
    started: str
    versions: Mapping[str, str]
    verdicts: Sequence[Verdict]
    durations: Mapping[str, float]
    seconds: float
    dollars: float
    left: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def redact(text: str) -> str:
    """`text` without account ids, access keys, ARNs, IP addresses, API hosts and connection ids.

    >>> redact("arn:aws:iam::123456789012:user/x is not authorized from 10.0.0.1")
    'ARN is not authorized from IP'
    """
    for pattern, name in _REDACTIONS:
        text = pattern.sub(name, text)
    return text


def redact_all(value: Any) -> Any:
    """`redact` for every text in a JSON value."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {key: redact_all(each) for key, each in value.items()}
        case list() | tuple():
            return [redact_all(each) for each in value]
    return value


def as_data(report: RunReport) -> dict[str, Any]:
    """The report as JSON, redacted."""
    data = {
        "target": report.target,
        "region": report.region,
        "started": report.started,
        "versions": dict(report.versions),
        "seconds": round(report.seconds),
        "expected_dollars": round(report.dollars, 4),
        "contradicted_rules": contradicted_rules(report.verdicts),
        "questions": [_question(each) for each in report.verdicts],
        "durations": dict(report.durations),
        "details": dict(report.details),
        "left": list(report.left),
    }
    redacted: dict[str, Any] = redact_all(data)
    return redacted


def _question(verdict: Verdict) -> dict[str, Any]:
    question = verdict.question
    return {
        "id": question.id,
        "question": question.text,
        "rule": question.rule or None,
        "expected": verdict.expected,
        "measured": verdict.measured or None,
        "outcome": verdict.outcome,
        "verdict": verdict.text,
        "source": question.source,
        "method": question.method,
    }


def contradicted_rules(verdicts: Iterable[Verdict]) -> list[str]:
    """The rules of the sandbox that an answer contradicts."""
    return sorted({each.question.rule for each in verdicts if each.outcome == CONTRADICTS} - {""})


def summary(verdicts: Sequence[Verdict]) -> str:
    """One line: how many questions have which outcome, and the contradicted rules."""
    counts = {name: sum(each.outcome == name for each in verdicts) for name in _OUTCOMES}
    shown = [f"{count} {_OUTCOMES[name]}" for name, count in counts.items() if count]
    rules = contradicted_rules(verdicts)
    return f"{len(verdicts)} questions: {', '.join(shown)}" + (
        f"; contradicted rules: {', '.join(rules)}" if rules else ""
    )


_OUTCOMES = {AS_EXPECTED: "as expected", CONTRADICTS: "not as expected", NOT_MEASURED: "not measured"}


def as_markdown(report: RunReport) -> str:
    """The report as Markdown, with its JSON at the end."""
    data = as_data(report)
    rows = [
        f"| {each['question']} | {each['expected']} | {each['measured'] or '-'} | {each['verdict']} |"
        for each in data["questions"]
    ]
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    lines = [
        f"# What {report.target} does, measured by nwchatctl",
        "",
        f"{report.started}, {report.region}; {versions}; {report.seconds:.0f} s.",
        "",
        redact(summary(report.verdicts)) + ".",
        "",
        "| question | expected | measured | verdict |",
        "|---|---|---|---|",
        *rows,
        "",
        *(f"- {what}: {seconds:g} s" for what, seconds in report.durations.items()),
        *(("", "Not removed: " + redact("; ".join(report.left)) + ".") if report.left else ()),
        "",
        "```json",
        json.dumps(data, indent=1),
        "```",
        "",
    ]
    return "\n".join(lines)
