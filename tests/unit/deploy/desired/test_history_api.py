"""The history API as it is wanted, when it comes, and what its coming and going means for the rest."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from nwchatctl.config import Settings
from nwchatctl.deploy.changes import Delete, changed_key, flatten
from nwchatctl.deploy.desired.chat import desired_state, release_name
from nwchatctl.deploy.desired.history_api import readable_from, unreadable_from
from nwchatctl.deploy.duplicate_apis import own_api_id
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Permission, Role, Version, version_name
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.placeholders import API_ID, HISTORY_API_ID, with_api_id
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, State, key
from nwchatctl.deploy.planner import plan
from nwchatctl.deploy.releases import running_release
from nwchatctl.deploy.safety import plan_destroy, removals
from nwchatctl.errors import ChatError

PLACE = Location("123456789012", "us-east-2")
OFF: dict[str, Any] = {"history": {"enabled": False}}
API: Key = ("history-api", "nwchat-ninjawars-history")


def chat(history_id: str = "hist123", **sections: Any) -> State:
    return desired_state(Settings(**sections), PLACE, "c0de", "abc123", history_id)


def api(**sections: Any) -> HistoryApi:
    found = chat(**sections)[API]
    assert isinstance(found, HistoryApi)
    return found


def statements(state: State) -> list[Permission]:
    return [each for each in state.values() if isinstance(each, Permission) and "-history:live" in each.name]


def test_settings_arrive_where_they_belong() -> None:
    made = api(history={"request_rate": 7.5, "request_burst": 9}, tags={"team": "a"})
    assert (made.throttle_rate, made.throttle_burst) == (7.5, 9)
    assert dict(made.tags) == dict(made.stage_tags)
    assert dict(made.tags)["team"] == "a"
    assert made.uri == PLACE.invocation_uri("nwchat-ninjawars-history")


def test_its_routes_and_only_they_may_invoke_the_function() -> None:
    assert [name for name, _ in api().routes] == ["GET /health", "GET /messages", "HEAD /health"]
    sources = {each.source_arn for each in statements(chat())}
    arn = "arn:aws:execute-api:us-east-2:123456789012:hist123/*"
    assert sources == {f"{arn}/GET/messages", f"{arn}/GET/health", f"{arn}/HEAD/health"}


def test_its_function_reads_messages_and_nothing_else() -> None:
    role = chat()["role", "nwchat-ninjawars-history-us-east-2"]
    assert isinstance(role, Role)
    allowed = {
        each["Sid"]: (each["Action"], each["Resource"]) for each in json.loads(role.policy)["Statement"]
    }
    table = "arn:aws:dynamodb:us-east-2:123456789012:table/nwchat-ninjawars-messages"
    assert allowed["History"] == (["dynamodb:Query"], table)
    assert allowed.keys() == {"History", "Budgets", "Logs"}


@pytest.mark.parametrize(
    ("allowed", "taken", "not_taken"),
    [
        ((), ("*",), ()),
        (("https://b.example", "http://a.example:8080"), ("http://a.example:8080", "https://b.example"), ()),
        (
            ("https://b.example", "capacitor://localhost", "https://b.example"),
            ("https://b.example",),
            ("capacitor://localhost",),
        ),
        (("ionic://x",), (), ("ionic://x",)),
    ],
)
def test_allowed_origins_are_set(
    allowed: tuple[str, ...], taken: tuple[str, ...], not_taken: tuple[str, ...]
) -> None:
    assert (readable_from(allowed), unreadable_from(allowed)) == (taken, not_taken)
    made = api(chat={"allowed_origins": list(allowed)})
    assert made.cors_origins == taken
    if not taken:
        # As API Gateway tells of an API that has no such configuration.
        assert (made.cors_methods, made.cors_headers, made.cors_max_age) == ((), (), 0)


def test_a_star_is_no_page() -> None:
    """What API Gateway takes for every page is for a socket the name of none; the settings refuse it."""
    assert (readable_from(["https://*"]), unreadable_from(["https://*"])) == ((), ("https://*",))


def test_where_it_answers() -> None:
    assert PLACE.history_url("abc") == "https://abc.execute-api.us-east-2.amazonaws.com"
    china = Location("1", "cn-north-1", partition="aws-cn", dns_suffix="amazonaws.com.cn")
    assert china.history_url("abc") == "https://abc.execute-api.cn-north-1.amazonaws.com.cn"
    sandbox = Location("0", "us-east-2", "http://127.0.0.1:4566")
    assert sandbox.history_url("abc") == "http://127.0.0.1:4566/_aws/execute-api/abc"


def test_its_id_is_filled_in_once_it_is_known() -> None:
    unknown = chat(HISTORY_API_ID)
    assert [each.source_arn.count(HISTORY_API_ID) for each in statements(unknown)] == [1, 1, 1]
    filled = [with_api_id(each, "abc123", "hist123") for each in unknown.values()]
    assert {key(each): each for each in filled} == chat()
    shown, *_ = (flatten(each)["source_arn"] for each in statements(unknown))
    assert "(known after the history API is made)" in shown


# What waits for what ----------------------------------------------------------------------------


def waiting(state: State, live: State, for_what: Key) -> set[Key]:
    """What comes after `for_what`, directly or by way of others."""
    after = plan(state, live).after
    found = {for_what}
    while more := {where for where, before in after.items() if before & found} - found:
        found |= more
    return found - {for_what}


def test_websocket_api_does_not_wait_for_history_api() -> None:
    wanted = desired_state(Settings(), PLACE, "c0de", API_ID, HISTORY_API_ID)
    assert waiting(wanted, {}, API) == {key(each) for each in statements(wanted)}
    assert plan(wanted, {}).after[API] == {("alias", "nwchat-ninjawars-history:live")}


def test_a_permission_waits_for_nothing_where_its_id_is_known() -> None:
    live = {where: each for where, each in chat().items() if where[0] != "permission"}
    changed = dataclasses.replace(api(), display_name="x")
    assert waiting(chat(), {**live, API: changed}, API) == set()


def test_disabling_deletes_api_before_its_function_and_requires_confirmation() -> None:
    live = with_version(chat())
    planned = plan(chat(**OFF), live)
    gone = {changed_key(each) for each in removals(planned)}
    name = "nwchat-ninjawars-history"
    assert gone == {
        API,
        *(("permission", each.name) for each in statements(live)),
        *(
            ("alias", f"{name}:live"),
            ("function", name),
            ("role", f"{name}-us-east-2"),
            ("log-group", f"/aws/lambda/{name}"),
        ),
    }
    assert planned.after["alias", f"{name}:live"] >= {API}
    assert ("alias", f"{name}:live") in planned.after["function", name]
    assert ("function", name) in planned.after["role", f"{name}-us-east-2"]


def with_version(state: State) -> State:
    """What is live once `state` was deployed: with the versions that its aliases lead to."""
    runs = {
        name: runs for each in state.values() if isinstance(each, Release) for name, runs in each.functions
    }
    versions = [Version(version_name(name, 1), name, 1, runs[name], ("live",)) for name in runs]
    return {**state, **{key(each): each for each in versions}}


def test_disabling_deletes_its_releases_and_leaves_empty_plan() -> None:
    live, wanted = with_version(chat()), chat(**OFF)
    planned = plan(wanted, live)
    assert Delete(live["release", release_name(live)]) in planned.changes
    deleted = {changed_key(each) for each in planned.changes if isinstance(each, Delete)}
    versions = {where for where in live if where[0] == "version" and "-history:" in where[1]}
    left = {where: each for where, each in live.items() if where not in deleted | versions}
    assert not plan(wanted, {**left, **wanted})


def test_without_it_a_chat_is_what_it_was() -> None:
    """Nothing else of a chat knows of it."""
    with_it, without = chat(), chat(**OFF)
    more = {where for where in with_it if where not in without}
    assert all("history" in name for kind, name in more if kind != "release")
    assert {where: with_it[where] for where in without if where[0] != "release"} == {
        where: each for where, each in without.items() if where[0] != "release"
    }


def test_rollback_to_release_without_history_api() -> None:
    old = chat(**OFF)
    records = [_record(old), _record(chat())]
    # Its aliases and stage, and the function that came later.
    live = {**chat(), **{where: each for where, each in old.items() if where[0] in ("alias", "stage")}}
    assert running_release(live, "production", records[:1]) == release_name(old)


def _record(state: State) -> Any:
    from nwchatctl.deploy.releases import ReleaseRecord

    (found,) = (each for each in state.values() if isinstance(each, Release))
    return ReleaseRecord(found, 1, "me")


def test_destroy_takes_it_before_functions() -> None:
    planned, _ = plan_destroy(chat(), deploys="none", delete_data=False, keep_logs=False)
    assert API in planned.after["function", "nwchat-ninjawars-history"]


# Whose it is ------------------------------------------------------------------------------------


def test_single_api_needs_no_choice() -> None:
    def never(api_id: str) -> bool:
        raise AssertionError(api_id)

    assert own_api_id({}, "x", never, "c") == ""
    assert own_api_id({"a": "whatever"}, "x", never, "c") == "a"
    # Two that somebody named cannot both be ours, whatever is in them.
    with pytest.raises(ChatError):
        own_api_id({"a": "one", "b": "other"}, "x", never, "c")


def test_api_in_use_is_chosen_among_several() -> None:
    found = {"a": "x", "b": "renamed", "c": "x"}
    assert own_api_id(found, "x", lambda each: each != "b", "c") == "b"
    with pytest.raises(ChatError, match=r"3 APIs carry the tags of chat c: a, b, c") as caught:
        own_api_id(found, "x", lambda each: True, "c")
    assert caught.value.code == "api_ambiguous"
