"""The values of AWS's rules that hold in one server of the sandbox.

They can be changed (`sandbox up --limit NAME=VALUE`), so that a test need not wait ten minutes; `off` takes a
rule out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from nwchatctl.errors import ChatError, usage_error
from nwchatctl.sandbox.rules import RULES, Kind, Rule, Unit

_BY_NAME = {rule.name: rule for rule in RULES}

AWS_PACE = 1.0
_MAX_PACE = 10.0

_VALUE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z]*)")
_FACTORS: Mapping[Unit, Mapping[str, float]] = {
    Unit.SECONDS: {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600},
    Unit.BYTES: {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20},
    Unit.MEGABYTES: {"": 1, "MB": 1, "GB": 1 << 10},
    Unit.COUNT: {"": 1},
    Unit.PER_SECOND: {"": 1},
}


@dataclass(frozen=True, slots=True)
class RuleValues:
    """The values that hold in one server. `pace` is a factor of AWS's own times, 0 for no waiting; `chosen`
    are the values that were given for single rules, None for a rule that is off."""

    pace: float = 0.0
    chosen: Mapping[str, float | None] = field(default_factory=dict)
    _values: Mapping[str, float | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = {rule.name: self.chosen.get(rule.name, _at_pace(rule, self.pace)) for rule in RULES}
        object.__setattr__(self, "_values", MappingProxyType(values))

    def value(self, name: str) -> float | None:
        """The value of a rule in its unit; None if the rule is off. Raises KeyError for an unknown name."""
        return self._values[name]

    def on(self, name: str) -> bool:
        return self._values[name] is not None

    def as_data(self) -> dict[str, float | None]:
        """Every rule's value, for JSON: a number in its unit and null if it is off, or just true or false."""
        return {rule.name: _as_data(rule, self._values[rule.name]) for rule in RULES}


def _at_pace(rule: Rule, pace: float) -> float | None:
    if rule.kind is not Kind.PACE:
        return rule.default
    if not pace:
        return None
    match rule.unit:
        case Unit.SECONDS:
            return rule.default * pace
        case Unit.PER_SECOND:
            return rule.default / pace
    return rule.default


def _as_data(rule: Rule, value: float | None) -> float | None:
    if rule.unit is Unit.ON:
        return value is not None
    return None if value is None else _plain(round(value, 6))


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


def parse_pace(text: str) -> float:
    """`aws`, or a factor of AWS's own times from 0 (no waiting) to 10. Raises ChatError `usage`."""
    if text == "aws":
        return AWS_PACE
    try:
        pace = float(text)
    except ValueError:
        pace = math.nan
    if not 0 <= pace <= _MAX_PACE:
        raise usage_error(
            f"--pace is aws or a number from 0 to {_MAX_PACE:g}", "nwchatctl sandbox up --pace aws"
        )
    return pace


def parse_limits(texts: Iterable[str]) -> dict[str, float | None]:
    """The values of `NAME=VALUE` texts, in the rules' units. Raises ChatError `usage`."""
    return dict(_parse_limit(text) for text in texts)


def _parse_limit(text: str) -> tuple[str, float | None]:
    name, equals, value = text.partition("=")
    rule = _BY_NAME.get(name)
    if not equals or rule is None:
        raise _limit_error(f"{name} is no rule of the sandbox" if equals else "--limit takes NAME=VALUE")
    if value == "off":
        return name, None
    if rule.unit is Unit.ON:
        if value == "on":
            return name, rule.default
        raise _limit_error(f"{name} is on or off")
    found = _VALUE.fullmatch(value)
    factor = _FACTORS[rule.unit].get(found[2]) if found else None
    if found is None or factor is None:
        units = ", ".join(filter(None, _FACTORS[rule.unit]))
        raise _limit_error(f"{name} takes a number" + (f" ({units})" if units else "") + " or off")
    return name, float(found[1]) * factor


def _limit_error(message: str) -> ChatError:
    return usage_error(message, "nwchatctl sandbox status --json lists the rules and their values")


def to_options(limits: RuleValues) -> list[str]:
    """The server's command line options for `limits`."""
    options = ["--pace", repr(limits.pace)] if limits.pace else []
    for each in described(limits.chosen):
        options += ["--limit", each]
    return options


def described(chosen: Mapping[str, float | None]) -> list[str]:
    """`NAME=VALUE` texts, as `parse_limits` reads them."""
    return [f"{name}={_text(_BY_NAME[name], value)}" for name, value in chosen.items()]


def _text(rule: Rule, value: float | None) -> str:
    if value is None:
        return "off"
    return "on" if rule.unit is Unit.ON else f"{_plain(value)}"


def limits_from_data(data: Mapping[str, object]) -> RuleValues:
    """The limits in a running server's stored data; what is missing or unknown is left out."""
    pace, chosen = data.get("pace"), data.get("chosen")
    return RuleValues(
        float(pace) if isinstance(pace, int | float) else 0.0,
        {
            name: value
            for name, value in (chosen.items() if isinstance(chosen, dict) else ())
            if name in _BY_NAME and isinstance(value, int | float | None)
        },
    )


_current = RuleValues()


def current() -> RuleValues:
    """What holds in this process: in the server, what it was started with."""
    return _current


def set_current(limits: RuleValues) -> None:
    global _current  # noqa: PLW0603 - one server per process, and the patches of the emulator have no other context
    _current = limits
