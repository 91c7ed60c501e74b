"""What settings need of an account, and what is kept as it was set by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.config import Settings
from nwchatctl.deploy.changes import Create, Update, changed_key, fields
from nwchatctl.deploy.desired.account_needs import (
    NEWER_REGIONS,
    AccountLimits,
    account_warnings,
    kept_reservations,
    needed_concurrency,
    refuse_reservation,
)
from nwchatctl.deploy.desired.chat import desired_state
from nwchatctl.deploy.desired.functions import with_kept_reservations
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Alias, Function
from nwchatctl.deploy.model.state import State
from nwchatctl.deploy.planner import plan
from nwchatctl.errors import ChatError

PLACE = Location("123456789012", "us-east-2")
FULL, NEW = AccountLimits(1000, 1000), AccountLimits(10, 10)
FANOUT = ("function", "nwchat-ninjawars-fanout")
MESSAGE = ("function", "nwchat-ninjawars-message")


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(sections)


def chat(**sections: Any) -> State:
    return desired_state(settings(**sections), PLACE, "c0de", "abc123")


def warned(
    limits: AccountLimits | None = FULL, region: str = "us-east-2", reserved: int = 0, **of: Any
) -> str:
    return "\n".join(account_warnings(settings(**of), region, limits, reserved))


def test_defaults_fit_a_full_account_and_not_a_new_one() -> None:
    assert warned() == ""
    assert needed_concurrency(settings()) == 16
    assert "runs 10 functions at once, and these settings may need 16" in warned(NEW)
    quiet: Any = {"stage": {"throttle_rate": 40.0}, "history": {"request_rate": 40.0}}
    assert warned(NEW, **quiet) == ""


def test_history_counts_only_where_it_is_served() -> None:
    assert needed_concurrency(settings(history={"enabled": False})) == 11


def test_what_others_have_reserved_is_not_there() -> None:
    assert warned(AccountLimits(1000, 15)) != ""
    # What fanout will have is taken from the rest; what it has already, is not taken twice.
    fanout: Any = {"reserved_concurrency": 100}
    assert "runs 10 functions" in warned(AccountLimits(1000, 110), fanout=fanout)
    assert warned(AccountLimits(1000, 110), reserved=100, fanout=fanout) == ""


def test_memory_is_compared_where_quotas_are_reduced() -> None:
    large: Any = {"fanout": {"memory_mb": 4096}, "functions": {"memory_mb": 3008}}
    quiet: Any = {"stage": {"throttle_rate": 10.0}, "history": {"enabled": False}}
    assert warned(**large) == ""
    assert warned(NEW, **large, **quiet) == (
        "fanout.memory_mb is 4096, and an account with reduced quotas, as this one, may allow 3008 MB"
    )


def test_missing_permission_is_a_warning_that_names_the_action() -> None:
    assert warned(None).count("lambda:GetAccountSettings") == 1


def test_newer_regions_take_fewer_requests() -> None:
    assert len(NEWER_REGIONS) == 13
    told = warned(region="eu-south-1", stage={"throttle_burst": 1251})
    assert "sending.account_rate is 10000" in told
    assert "2500 requests a second from an account in eu-south-1" in told
    assert "stage.throttle_burst is 1251, and the account takes 1250 requests at once" in told
    lower: Any = {"sending": {"account_rate": 2500, "reserve_rate": 500}}
    assert warned(region="eu-south-1", **lower) == ""
    assert "stage.throttle_rate is 2501" in warned(
        AccountLimits(9000, 9000), region="eu-south-1", stage={"throttle_rate": 2501.0}, **lower
    )
    # An operator whose quota AWS has raised says so with the same setting.
    assert warned(region="eu-south-1", sending={"account_rate": 20_000}, stage={"throttle_burst": 5000}) == ""


@pytest.mark.parametrize(
    ("limits", "reserved", "most"), [(FULL, 0, 900), (NEW, 0, 0), (AccountLimits(1000, 150), 50, 100)]
)
def test_reservation_beyond_the_account_is_refused(limits: AccountLimits, reserved: int, most: int) -> None:
    refuse_reservation(
        settings(fanout={"reserved_concurrency": most or 1}) if most else settings(), limits, reserved
    )
    with pytest.raises(ChatError) as raised:
        refuse_reservation(settings(fanout={"reserved_concurrency": most + 1}), limits, reserved)
    assert (raised.value.code, raised.value.exit_code) == ("quota", 3)
    assert f"this account can reserve {most}" in raised.value.message


def test_reservation_that_is_unknown_or_made_already_is_not_refused() -> None:
    large = settings(fanout={"reserved_concurrency": 5000})
    refuse_reservation(large, None, 0)
    refuse_reservation(large, NEW, 5000)


def reserved(state: State, where: tuple[str, str], count: int | None) -> State:
    have = state[where]
    assert isinstance(have, Function)
    return {**state, where: dataclasses.replace(have, reserved_concurrency=count)}


def test_reservations_made_by_hand_are_kept_and_reported() -> None:
    live = reserved(reserved(chat(), FANOUT, 7), MESSAGE, 0)
    wanted = with_kept_reservations(chat(), live, settings())
    assert plan(wanted, live).changes == ()
    functions = [each for each in wanted.values() if isinstance(each, Function)]
    message, fanout = sorted(kept_reservations(functions, settings()), reverse=True)
    assert "nwchat-ninjawars-fanout has a reserved concurrency of 7 without a setting: it is kept" in fanout
    assert message.endswith("of 0 without a setting: it is kept, and the function does not run")


@pytest.mark.parametrize(("setting", "before", "after"), [(5, "7", "5"), ("none", "7", "")])
def test_setting_changes_what_fanout_has(setting: int | str, before: str, after: str) -> None:
    chosen = settings(fanout={"reserved_concurrency": setting})
    live = reserved(chat(), FANOUT, 7)
    wanted = with_kept_reservations(chat(fanout={"reserved_concurrency": setting}), live, chosen)
    (change,) = plan(wanted, live).changes
    assert changed_key(change) == FANOUT
    assert [(each.name, each.before, each.after) for each in fields(change)] == [
        ("reserved_concurrency", before, after)
    ]
    assert kept_reservations([each for each in wanted.values() if isinstance(each, Function)], chosen) == ()


@pytest.mark.parametrize("wrong", [0, -1, "some", True, 1.5])
def test_zero_would_stop_fanout(wrong: object) -> None:
    with pytest.raises(ValueError, match="reserved_concurrency"):
        settings(fanout={"reserved_concurrency": wrong})


def test_function_of_a_role_that_was_created_again_is_configured_and_published_again() -> None:
    """As it is read then: the description has the id of the earlier role."""
    wanted = chat()
    have = wanted[MESSAGE]
    assert isinstance(have, Function)
    stale = dataclasses.replace(have, description=have.description.replace("{role-id}", "AROAOLD"))
    runs = desired_state(settings(), PLACE, "c0de", "abc123")[("alias", f"{MESSAGE[1]}:live")]
    assert isinstance(runs, Alias)
    role = ("role", f"{MESSAGE[1]}-us-east-2")
    live = {
        **{where: each for where, each in wanted.items() if where != role},
        MESSAGE: stale,
        ("alias", f"{MESSAGE[1]}:live"): dataclasses.replace(runs, runs="of the earlier role"),
    }
    made = plan(wanted, live)
    assert {changed_key(each): type(each) for each in made.changes} == {
        role: Create,
        MESSAGE: Update,
        ("alias", f"{MESSAGE[1]}:live"): Update,
    }
    assert role in made.after[MESSAGE]
    assert MESSAGE in made.after["alias", f"{MESSAGE[1]}:live"]
