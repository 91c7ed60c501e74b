"""How long a command must take at AWS's pace, by waits and quotas alone. Pure.

Each change waits for the changes that it needs, and then for AWS: for a role that Lambda cannot assume yet,
or a table that is not ACTIVE yet. The longest chain of these waits is one lower bound, the number of calls
divided by the rate of a control plane another one. Calls and the tool's own work take no time here.

The values are those of the sandbox's rules (`nwchatctl/sandbox/limits.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nwchatctl.deploy.model.state import Key
from nwchatctl.sandbox.limits import RuleValues


@dataclass(frozen=True, slots=True)
class PacedChange:
    """A change of a plan. `after` are the keys of the changes that precede it."""

    key: Key
    action: str
    after: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """What one command did: its plans in their order, and its calls by service."""

    plans: tuple[tuple[PacedChange, ...], ...]
    calls: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LowerBound:
    """The least that a command can take (s): its longest chain of waits, and the quota that it uses up."""

    waits: float
    quotas: float

    @property
    def seconds(self) -> float:
        return max(self.waits, self.quotas)


def lower_bound(record: CommandRecord, rules: RuleValues) -> LowerBound:
    """The bound of one command where `rules` hold and no bucket was used before."""
    return LowerBound(_waits(record.plans, rules), _quotas(record, rules))


def _waits(plans: Iterable[Sequence[PacedChange]], rules: RuleValues) -> float:
    """When the last change of the last plan ends. A plan starts when the one before it has ended."""
    ended: dict[Key, float] = {}
    start = 0.0
    for plan in plans:
        _end_times(plan, start, ended, rules)
        start = max((ended[each.key] for each in plan), default=start)
    return start


def _end_times(plan: Sequence[PacedChange], start: float, ended: dict[Key, float], rules: RuleValues) -> None:
    """Adds when each change of a plan ends (s from the start of the command) to `ended`."""
    changes = {each.key: each for each in plan}

    def end(key: Key) -> float:
        if key not in changes:
            return start
        if key not in ended:
            begin = max(map(end, changes[key].after), default=start)
            ended[key] = max(begin + wait_of(changes[key], changes, rules), _earliest(key, ended, rules))
        return ended[key]

    for key in changes:
        end(key)


def _earliest(key: Key, ended: Mapping[Key, float], rules: RuleValues) -> float:
    """When a change can end, whenever it begins: recovery is available a while after its table is ACTIVE."""
    kind, name = key
    if kind != "recovery" or (table := ended.get(("table", name))) is None:
        return 0.0
    return table + (rules.value("recovery_ready") or 0.0)


def wait_of(change: PacedChange, plan: Mapping[Key, PacedChange], rules: RuleValues) -> float:
    """How long AWS needs for one change (s). A function waits for its new role, which the same plan creates.

    >>> wait_of(PacedChange(("table", "t"), "create"), {}, RuleValues(1.0))
    5.0
    """

    def seconds(*names: str) -> float:
        return sum(rules.value(name) or 0.0 for name in names)

    match change.action, change.key[0]:
        case "create" | "delete", "table":
            # A table that is deleted is DELETING for as long as a new one is CREATING.
            return seconds("table_ready")
        case "create", "role":
            return seconds("role_visible")
        case "create", "function":
            roles = [each for each in change.after if each[0] == "role" and each in plan]
            is_new = any(plan[each].action == "create" for each in roles)
            younger = seconds("role_assumable") - seconds("role_visible")
            return seconds("function_ready") + (max(younger, 0.0) if is_new else 0.0)
        case "update", "function":
            return seconds("function_ready")
        case "create", "certificate":
            return seconds("certificate_record", "certificate_issued")
    return 0.0


_RATES = {
    "apigateway": ("gateway_rate", "gateway_burst"),
    "lambda": ("lambda_rate", "lambda_rate"),
    "route53": ("route53_rate", "route53_rate"),
}
"""Rate and bucket of each control plane. Where AWS names no bucket, one second's worth is assumed."""

_INTERVALS = {("deployment", "deployment_interval"), ("domain", "domain_name_interval")}
"""Kinds whose creations AWS spaces."""


def _quotas(record: CommandRecord, rules: RuleValues) -> float:
    found = [0.0]
    for service, (rate, burst) in _RATES.items():
        per_second = rules.value(rate)
        if per_second:
            found.append((record.calls.get(service, 0) - (rules.value(burst) or 0.0)) / per_second)
    changes = [each for plan in record.plans for each in plan]
    for kind, interval in _INTERVALS:
        creations = sum(each.key[0] == kind and each.action == "create" for each in changes)
        found.append((creations - 1) * (rules.value(interval) or 0.0))
    return max(found)


def record_from_data(data: Mapping[str, Any]) -> CommandRecord:
    """The record that `bench.deploy.recorded_run` writes as JSON."""
    plans = tuple(
        tuple(
            PacedChange(_key(each["key"]), each["action"], frozenset(map(_key, each["after"])))
            for each in plan
        )
        for plan in data["plans"]
    )
    return CommandRecord(plans, dict(data["calls"]))


def _key(pair: Sequence[str]) -> Key:
    kind, name = pair
    return kind, name
