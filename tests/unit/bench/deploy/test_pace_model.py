"""What waits and quotas alone impose on a command, computed from its plans and calls."""

from __future__ import annotations

import pytest

from bench.deploy.pace_model import CommandRecord, PacedChange, lower_bound, record_from_data
from nwchatctl.deploy.model.state import Key
from nwchatctl.sandbox.limits import AWS_PACE, RuleValues

RULES = RuleValues(AWS_PACE)


def create(kind: str, name: str, *after: Key) -> PacedChange:
    return PacedChange((kind, name), "create", frozenset(after))


ROLE, FUNCTION = ("role", "r"), ("function", "f")


def waits(*plans: tuple[PacedChange, ...], rules: RuleValues = RULES) -> float:
    return lower_bound(CommandRecord(plans, {}), rules).waits


def quotas(calls: dict[str, int], *changes: PacedChange) -> float:
    return lower_bound(CommandRecord((changes,), calls), RULES).quotas


def test_a_function_waits_until_its_new_role_can_be_assumed_and_until_it_is_active() -> None:
    assert waits((create(*ROLE), create(*FUNCTION, ROLE), create("alias", "f", FUNCTION))) == 8 + 3
    # A role that exists can be assumed.
    assert waits((create(*FUNCTION, ROLE),)) == 3
    assert waits((PacedChange(FUNCTION, "update"), create("alias", "f", FUNCTION))) == 3


def test_independent_changes_wait_at_the_same_time() -> None:
    many = tuple(create("function", str(number)) for number in range(5))
    assert waits(many) == 3


def test_recovery_is_available_a_while_after_its_table() -> None:
    table, recovery = create("table", "t"), create("recovery", "t", ("table", "t"), ROLE)
    assert waits((table, create(*ROLE), recovery)) == 5 + 120
    # The lock's table comes first, in a plan of its own.
    assert waits((table,), (create(*ROLE), create("recovery", "t", ROLE))) == 5 + 120
    # The time counts from its table on, not from the last change that it comes after.
    slow = RuleValues(chosen={"table_ready": 1.0, "recovery_ready": 3.0, "role_visible": 2.0})
    assert waits((table, create(*ROLE), recovery), rules=slow) == 4
    assert waits((create("recovery", "t"),)) == 0


def test_a_table_is_awaited_when_it_is_deleted() -> None:
    assert waits((PacedChange(("table", "t"), "delete"), PacedChange(("role", "r"), "delete"))) == 5


def test_plans_follow_each_other() -> None:
    assert waits((create("table", "t"),), (create(*ROLE), create(*FUNCTION, ROLE))) == 5 + 11


def test_without_a_pace_nothing_waits() -> None:
    assert waits((create("table", "t"), create(*ROLE)), rules=RuleValues()) == 0
    record = CommandRecord((), {"apigateway": 1000})
    assert lower_bound(record, RuleValues()).seconds == 0


@pytest.mark.parametrize(
    ("calls", "seconds"),
    [
        ({"apigateway": 40}, 0),
        ({"apigateway": 70}, 3),
        ({"lambda": 60, "apigateway": 41}, 3),
        ({"iam": 999}, 0),
    ],
)
def test_calls_beyond_the_bucket_wait_for_the_rate(calls: dict[str, int], seconds: float) -> None:
    assert quotas(calls) == seconds


def test_deployments_and_domain_names_are_spaced() -> None:
    assert quotas({}, create("deployment", "a")) == 0
    assert quotas({}, create("deployment", "a"), create("deployment", "b")) == 5
    assert quotas({}, create("domain", "a"), create("domain", "b"), create("domain", "c")) == 60
    deleted = PacedChange(("domain", "c"), "delete")
    assert quotas({}, create("domain", "a"), deleted) == 0


def test_the_bound_is_the_larger_of_both() -> None:
    changes = (create(*ROLE),)
    assert lower_bound(CommandRecord((changes,), {"apigateway": 45}), RULES).seconds == 2
    assert lower_bound(CommandRecord((changes,), {"apigateway": 145}), RULES).seconds == 10.5


def test_records_are_read_from_json() -> None:
    data = {
        "plans": [[{"key": ["role", "r"], "action": "create", "after": [["api", "a"]]}]],
        "calls": {"iam": 2},
    }
    change = PacedChange(ROLE, "create", frozenset({("api", "a")}))
    assert record_from_data(data) == CommandRecord(((change,),), {"iam": 2})
