"""The table of AWS's rules, and the values of one server."""

from __future__ import annotations

import re

import pytest

from nwchatctl.errors import ChatError, Exit
from nwchatctl.sandbox.limits import (
    RuleValues,
    described,
    limits_from_data,
    parse_limits,
    parse_pace,
    to_options,
)
from nwchatctl.sandbox.rules import RULES, Kind, Unit


def test_every_rule_has_a_name_of_its_own_a_text_and_a_source() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert re.fullmatch(r"[a-z0-9_]+", rule.name)
        assert rule.text and rule.source and rule.default > 0
        assert (rule.unit is Unit.ON) <= (rule.default == 1)


def test_refusals_and_sockets_hold_always_and_pace_only_when_asked_for() -> None:
    limits = RuleValues()
    for rule in RULES:
        assert limits.on(rule.name) is (rule.kind is not Kind.PACE)
    assert all(map(RuleValues(1.0).on, (rule.name for rule in RULES)))


def test_pace_multiplies_times_and_divides_rates() -> None:
    limits = RuleValues(0.1)
    assert limits.value("recovery_ready") == pytest.approx(12)
    assert limits.value("gateway_rate") == pytest.approx(100)
    assert limits.value("gateway_burst") == 40
    assert limits.value("idle_timeout") == 600


def test_chosen_value_is_taken_as_it_is() -> None:
    chosen = parse_limits(
        ["idle_timeout=3s", "recovery_ready=500ms", "queue_recreation=off", "post_payload=1KB"]
    )
    limits = RuleValues(0.5, chosen)
    assert [limits.value(name) for name in chosen] == [3, 0.5, None, 1024]
    assert RuleValues(0, {"recovery_ready": 2.0}).value("recovery_ready") == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("idle_timeout=10m", 600),
        ("idle_timeout=2h", 7200),
        ("idle_timeout=.5", 0.5),
        ("frame_size=2MB", 2 << 20),
        ("function_memory=3GB", 3072),
        ("concurrent_executions=10", 10),
        ("tag_on_create=on", 1),
        ("tag_on_create=off", None),
    ],
)
def test_limit_is_read_in_its_units(text: str, value: float | None) -> None:
    assert parse_limits([text]) == {text.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("idle_timeout", "--limit takes NAME=VALUE"),
        ("idle=3s", "idle is no rule of the sandbox"),
        ("=3s", " is no rule of the sandbox"),
        ("idle_timeout=", "idle_timeout takes a number (ms, s, m, h) or off"),
        ("idle_timeout=-1s", "idle_timeout takes a number (ms, s, m, h) or off"),
        ("idle_timeout=1e9", "idle_timeout takes a number (ms, s, m, h) or off"),
        ("connect_burst=3s", "connect_burst takes a number or off"),
        ("tag_on_create=1", "tag_on_create is on or off"),
    ],
)
def test_wrong_limit_is_explained(text: str, message: str) -> None:
    with pytest.raises(ChatError) as caught:
        parse_limits([text])
    assert (caught.value.message, caught.value.exit_code) == (message, Exit.USAGE)
    assert caught.value.hint == "nwchatctl sandbox status --json lists the rules and their values"


def test_pace_is_aws_or_a_factor() -> None:
    assert [parse_pace(text) for text in ("aws", "0.1", "0", "10")] == [1, 0.1, 0, 10]
    for text in ("", "fast", "-1", "11", "nan", "inf"):
        with pytest.raises(ChatError) as caught:
            parse_pace(text)
        assert caught.value.message == "--pace is aws or a number from 0 to 10"


def test_server_gets_and_reports_the_same_limits() -> None:
    limits = RuleValues(0.25, parse_limits(["idle_timeout=0.5", "tag_on_create=on", "ttl_change=off"]))
    assert described(limits.chosen) == ["idle_timeout=0.5", "tag_on_create=on", "ttl_change=off"]
    options = to_options(limits)
    assert options[:2] == ["--pace", "0.25"]
    assert RuleValues(parse_pace(options[1]), parse_limits(options[3::2])) == limits
    assert limits_from_data({"pace": 0.25, "chosen": dict(limits.chosen)}) == limits
    assert limits_from_data({}) == RuleValues()
    assert limits_from_data({"pace": "x", "chosen": {"gone": 1, "ttl_change": "x"}}) == RuleValues()


def test_values_as_data() -> None:
    data = RuleValues(0.1, {"ttl_change": None, "deployment_in_use": None}).as_data()
    assert list(data) == [rule.name for rule in RULES]
    assert (data["ttl_change"], data["deployment_in_use"], data["tag_on_create"]) == (None, False, True)
    assert (data["function_ready"], data["idle_timeout"]) == (0.3, 600)
