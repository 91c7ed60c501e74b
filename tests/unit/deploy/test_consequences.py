"""What a plan means for players and data, from the states of whole chats."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.config import Settings
from nwchatctl.config.settings import AuthSettings, HistorySettings, LogSettings, StageSettings
from nwchatctl.deploy.changes import Change, changed_key
from nwchatctl.deploy.consequences import (
    Addresses,
    Consequence,
    consequences,
    consequences_of_destroy,
)
from nwchatctl.deploy.desired.chat import desired_state, release_name
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.domains import ApiMapping, DnsRecord, Domain
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import State, state
from nwchatctl.deploy.model.storage import Queue, Table, TokenKeys
from nwchatctl.deploy.model.websocket import Api, Route, Stage
from nwchatctl.deploy.planner import plan
from nwchatctl.deploy.safety import plan_destroy

PLACE = Location("123456789012", "us-east-2")
WHERE = Addresses(PLACE, "abc123", "def456")
SOCKET = "wss://abc123.execute-api.us-east-2.amazonaws.com"
HISTORY = "https://def456.execute-api.us-east-2.amazonaws.com"
MINE = "nwchat-ninjawars"
EVERYBODY = "this lets everybody in without a token, under any name"


def chat(mode: Any = "open", **sections: Any) -> State:
    settings = Settings(auth=AuthSettings(mode=mode), **sections)
    return desired_state(settings, PLACE, "c0de", "abc123", "def456")


OPEN, TOKEN = chat(), chat("token")
RENAMED = chat(stage=StageSettings(name="prod2"))
WITHOUT_HISTORY = chat(history=HistorySettings(enabled=False))


def without(live: State, *kinds: type) -> State:
    return {key: each for key, each in live.items() if not isinstance(each, kinds)}


def found(wanted: State, live: State, *kinds: str) -> dict[str, Consequence]:
    """The consequences by code: of the whole plan, or of its changes to these kinds."""
    changes = [each for each in plan(wanted, live).changes if not kinds or changed_key(each)[0] in kinds]
    listed = consequences(changes, wanted, live, WHERE)
    assert len({each.code for each in listed}) == len(listed)
    return {each.code: each for each in listed}


def test_nothing_is_said_of_what_harms_nobody() -> None:
    assert found(OPEN, {}) == {}
    assert found(OPEN, OPEN) == {}
    assert found(TOKEN, OPEN) == {}
    assert found(TOKEN, TOKEN) == {}
    assert found(chat(stage=StageSettings(throttle_rate=7)), OPEN) == {}
    # A first deploy that was killed: nobody has its address yet.
    begun = without(OPEN, Release, Stage, Api)
    assert found(OPEN, begun) == {}


# Letting everybody in ------------------------------------------------------------------------------


def test_opening_a_chat_needs_its_own_flag() -> None:
    opened = found(OPEN, TOKEN)["opens_chat"]
    assert (opened.text, opened.flag) == (EVERYBODY, "--open")


@pytest.mark.parametrize("kind", ["alias", "function", "route", "authorizer", "deployment", "stage"])
def test_each_part_of_opening_needs_the_flag(kind: str) -> None:
    assert "opens_chat" in found(OPEN, TOKEN, kind)


def test_part_of_a_deploy_that_admits_nobody_needs_no_flag() -> None:
    assert "opens_chat" not in found(OPEN, TOKEN, "log-group", "role")


def test_opening_under_another_stage_name_needs_the_flag() -> None:
    assert {"opens_chat", "stage_removed"} <= found(RENAMED, TOKEN).keys()


def test_opening_a_chat_whose_api_was_deleted_needs_the_flag() -> None:
    """Nothing but its release says that it asked for tokens."""
    live = without(TOKEN, Api, Stage, Route)
    assert {"opens_chat", "address_changes"} <= found(OPEN, live).keys()


def test_opening_that_was_killed_half_way_needs_the_flag_again() -> None:
    """The functions ask for no token any more, the stage still does."""
    live = {**TOKEN, **{key: each for key, each in OPEN.items() if key[0] in ("function", "alias")}}
    assert "opens_chat" in found(OPEN, live)


def test_chat_that_is_open_already_needs_no_flag() -> None:
    """The stage was moved back to a release without tokens; routes and functions are as configured before."""
    stage = OPEN["stage", "production"]
    live = {**TOKEN, **state(stage), **{key: each for key, each in OPEN.items() if key[0] == "release"}}
    assert "opens_chat" not in found(OPEN, live)


def test_authorization_by_iam_that_goes_needs_the_flag() -> None:
    """As in a chat that was made in the console and is taken over: no release says what its stage serves."""
    route = OPEN["route", "$connect"]
    assert isinstance(route, Route)
    guarded = dataclasses.replace(route, authorization="AWS_IAM")
    live = {**without(OPEN, Release), **state(guarded)}
    assert "opens_chat" in found(OPEN, live)
    # Where a release says what the stage serves, routes that differ are not in use.
    assert "opens_chat" not in found(OPEN, {**OPEN, **state(guarded)})


def test_restriction_set_by_hand_that_goes_is_named() -> None:
    history = OPEN["history-api", f"{MINE}-history"]
    api = OPEN["api", MINE]
    domain = Domain("chat.example.com", "arn", "REGIONAL", "TLS_1_2", "ipv4", "", "API_MAPPING_ONLY", ())
    assert isinstance(history, HistoryApi)
    assert isinstance(api, Api)
    routes = {**dict(history.routes), "GET /messages": "AWS_IAM"}
    live = {
        **OPEN,
        **state(
            dataclasses.replace(history, routes=tuple(sorted(routes.items()))),
            dataclasses.replace(api, default_endpoint=False),
            dataclasses.replace(domain, mutual_tls="s3://x/y"),
        ),
    }
    named = found({**OPEN, **state(domain)}, live)
    assert named.keys() == {"history_opened", "certificates_not_required", "default_endpoint_enabled"}
    assert "everybody can read GET /messages" in named["history_opened"].text
    assert {each.flag for each in named.values()} == {"--yes"}
    # The route leads to another function: nobody reads more.
    moved = dataclasses.replace(history, routes=(("GET /messages", "NONE to x"), *history.routes[1:]))
    assert found(OPEN, {**OPEN, **state(moved)}) == {}


# Addresses -----------------------------------------------------------------------------------------


def test_another_stage_disconnects_everybody() -> None:
    renamed = found(RENAMED, OPEN)["stage_removed"]
    assert renamed.text == (
        f"everybody who is connected to stage production is disconnected, and {SOCKET}/production stops "
        f"working: clients need {SOCKET}/prod2"
    )
    assert renamed.flag == "--yes"


def test_name_of_the_chat_stays_under_another_stage() -> None:
    before, after = (ApiMapping("chat.example.com", "abc123", each) for each in ("production", "prod2"))
    text = found({**RENAMED, **state(after)}, {**OPEN, **state(before)})["stage_removed"].text
    assert text.endswith(f": clients need {SOCKET}/prod2 or wss://chat.example.com/")
    gone = found(RENAMED, {**OPEN, **state(before)})
    assert gone["stage_removed"].text.endswith(f": clients need {SOCKET}/prod2")
    assert gone["domain_removed"].text == "wss://chat.example.com/ stops working"


def test_api_created_again_has_another_address() -> None:
    again = found(OPEN, without(OPEN, Api, Stage, Route))["address_changes"]
    assert "another address" in again.text
    assert again.flag == "--yes"


def test_history_that_goes_stops_its_address() -> None:
    gone = found(WITHOUT_HISTORY, OPEN)
    assert gone["history_removed"].text.startswith(f"{HISTORY} stops working")
    assert gone["history_removed"].flag == "--yes"
    assert gone["releases_lost"].text == (
        f"a rollback to release {release_name(OPEN)} is no longer possible, because {MINE}-history is deleted"
    )
    assert gone["logs_deleted"].text == f"the logs in /aws/lambda/{MINE}-history are deleted"


def test_history_created_again_has_another_address() -> None:
    live = {key: each for key, each in OPEN.items() if key[0] != "history-api"}
    assert found(OPEN, live)["history_address_changes"].flag == "--yes"
    # A chat that never had one gets one.
    assert found(OPEN, WITHOUT_HISTORY) == {}


def test_domain_of_the_history_stops_working() -> None:
    live = {**OPEN, **state(ApiMapping("history.example.com", "def456", "$default"))}
    assert found(OPEN, live)["domain_removed"].text == "https://history.example.com stops working"


def test_record_that_goes_alone_is_named() -> None:
    domain = Domain("chat.example.com", "arn", "REGIONAL", "TLS_1_2", "ipv4", "", "API_MAPPING_ONLY", ())
    record = DnsRecord("chat.example.com AAAA", "chat.example.com", "AAAA", "Z1", "t", "z", False)
    both = state(domain, record)
    assert found({**OPEN, **state(domain)}, {**OPEN, **both})["record_removed"].text == (
        "chat.example.com has no AAAA record any more"
    )
    moved = dataclasses.replace(record, name="chat.example.com AAAA in Z2", zone="Z2")
    assert "record_removed" not in found({**OPEN, **both}, {**OPEN, **both, **state(moved)})


# What is lost --------------------------------------------------------------------------------------


def releases(count: int) -> State:
    (live,) = (each for each in TOKEN.values() if isinstance(each, Release))
    return state(*(dataclasses.replace(live, name=f"r{number}", latest=False) for number in range(count)))


def test_releases_that_go_with_a_function_are_named() -> None:
    names = ", ".join(sorted(["r0", "r1", release_name(TOKEN)]))
    assert found(OPEN, {**TOKEN, **releases(2)})["releases_lost"].text == (
        f"a rollback to releases {names} is no longer possible, because {MINE}-authorize is deleted"
    )
    assert "and 3 more is no longer possible" in found(OPEN, {**TOKEN, **releases(7)})["releases_lost"].text


def test_shorter_retention_deletes_logs_and_is_not_asked() -> None:
    shorter = found(chat(logs=LogSettings(retention_days=7)), OPEN)["logs_shortened"]
    assert shorter.text.startswith("logs older than 7 days are deleted in /aws/lambda/")
    assert shorter.flag == ""
    assert found(OPEN, chat(logs=LogSettings(retention_days=7))) == {}


# destroy -------------------------------------------------------------------------------------------


def destroyed(live: State, **options: bool) -> dict[str, Consequence]:
    wanted = {"delete_data": False, "keep_logs": False, **options}
    changes: tuple[Change, ...] = plan_destroy(live, deploys=f"{MINE}-deploys", **wanted)[0].changes
    listed = consequences_of_destroy(changes, live, WHERE, f"{MINE}-deploys")
    return {each.code: each for each in listed}


def test_destroy_says_what_stops_and_what_goes() -> None:
    domain = Domain("chat.example.com", "arn", "REGIONAL", "TLS_1_2", "ipv4", "", "API_MAPPING_ONLY", ())
    named = state(domain, ApiMapping("chat.example.com", "abc123", "production"))
    gone = destroyed({**TOKEN, **named})
    assert f"and {SOCKET}/production stops working" in gone["address_removed"].text
    assert gone["history_removed"].text.startswith(HISTORY)
    assert {"domain_removed", "releases_lost", "token_keys_deleted", "logs_deleted"} <= gone.keys()
    assert not {"data_deleted", "dead_letters_deleted"} & gone.keys()
    assert "logs_deleted" not in destroyed(TOKEN, keep_logs=True)
    assert any(isinstance(each, TokenKeys) for each in TOKEN.values())


def test_destroy_counts_the_data_that_goes() -> None:
    live = {
        key: dataclasses.replace(each, items=57) if isinstance(each, Table) else each
        for key, each in OPEN.items()
    }
    queue = OPEN["queue", f"{MINE}-dead-letters"]
    assert isinstance(queue, Queue)
    gone = destroyed({**live, **state(dataclasses.replace(queue, waiting=1))}, delete_data=True)
    assert gone["data_deleted"].flag == "--confirm"
    assert gone["data_deleted"].text.endswith(
        f"for good: table {MINE}-connections (about 57 items), table {MINE}-messages (about 57 items)"
    )
    assert gone["dead_letters_deleted"].text == "1 undelivered segment of messages are deleted"


def test_destroy_of_what_is_left_says_nothing_of_clients() -> None:
    assert destroyed({key: each for key, each in OPEN.items() if key[0] == "role"}) == {}
