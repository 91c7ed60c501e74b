"""What is refused, what comes when, and what a row of somebody else's table is worth."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.model.ids import CONNECTION_SECONDS
from nwchatctl.deploy.adoption import (
    CopyCounts,
    FoundApi,
    LegacyFunction,
    LegacyTable,
    choose_api,
    connection_from,
    domains_last,
    kept_deployments,
    previous_deployment,
    refuse_key,
    refuse_name,
    refuse_other_owner,
    require_stage,
    rows_expired,
    split_by_rows,
)
from nwchatctl.deploy.changes import Create, Delete, Update, changed_key
from nwchatctl.deploy.model.domains import ApiMapping, Certificate, Domain
from nwchatctl.deploy.model.functions import Alias, Permission, alias_name
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, state
from nwchatctl.deploy.model.storage import Table
from nwchatctl.deploy.model.string_map import StringMap
from nwchatctl.deploy.model.websocket import Api, Deployment, Integration, Route, Stage
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.deploy.planner import Plan, arrange, plan
from nwchatctl.errors import ChatError

NAMES = ResourceNames("dojo")
OURS: StringMap = tuple(NAMES.tags.items())
NOW = 1_790_000_000_000


def api(id_: str = "a1", protocol: str = "WEBSOCKET", tags: StringMap = ()) -> FoundApi:
    return FoundApi(id_, protocol, Api(NAMES.api, "chat", "$request.body.action", True, tags))


def stage(deployment: str) -> Stage:
    return Stage("production", deployment, False, 100.0, 200, (), (), ())


# What is refused --------------------------------------------------------------------------------


def test_untagged_or_already_adopted_api_is_accepted() -> None:
    assert choose_api([api("b2"), api()], "a1", NAMES).id == "a1"
    assert choose_api([api(tags=OURS), api("b2")], "a1", NAMES).id == "a1"


@pytest.mark.parametrize(
    ("there", "code", "exit_code", "message"),
    [
        ([api("b2")], "api_not_found", 4, "there is no API a1"),
        ([], "api_not_found", 4, "there is no API a1"),
        ([api(protocol="HTTP")], "api_not_websocket", 1, "is an HTTP API"),
        ([api(tags=(("nwchat:chat", "other"),))], "not_ours", 1, "belongs to the chat other"),
        ([api(), api("b2", tags=OURS)], "already_deployed", 1, "has an API already: b2"),
    ],
)
def test_unusable_api_is_refused(there: list[FoundApi], code: str, exit_code: int, message: str) -> None:
    with pytest.raises(ChatError) as caught:
        choose_api(there, "a1", NAMES)
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
    assert message in caught.value.message
    assert caught.value.hint


def test_the_stages_there_are_are_named() -> None:
    require_stage("production", ["dev", "production"])
    for there, message in ((["test", "dev"], "it has: dev, test"), ([], "it has: none")):
        with pytest.raises(ChatError) as caught:
            require_stage("production", there)
        assert message in caught.value.message
        assert "stage.name" in caught.value.hint


def test_resources_of_nwchatctl_are_not_adopted() -> None:
    refuse_name("chat", "--table")
    with pytest.raises(ChatError) as caught:
        refuse_name("nwchat-dojo-connections", "--table")
    assert "--table" in caught.value.hint


def test_another_key_is_named_with_its_flag() -> None:
    table = LegacyTable("chat", "arn", "id", {})
    refuse_key(table, "id")
    with pytest.raises(ChatError) as caught:
        refuse_key(table, "connectionid")
    assert caught.value.message == "table chat has the partition key id, not connectionid"
    assert "--table-key id" in caught.value.hint


@pytest.mark.parametrize(
    "old",
    [
        LegacyTable("chat", "arn", "id", {"nwchat:adopted-by": "other"}),
        LegacyFunction("chat-connect", "arn", {"nwchat:adopted-by": "other"}),
    ],
)
def test_api_adopted_by_another_chat_is_refused(old: LegacyTable | LegacyFunction) -> None:
    refuse_other_owner(old, "other")
    refuse_other_owner(dataclasses.replace(old, tags={"any": "thing"}), "dojo")
    with pytest.raises(ChatError) as caught:
        refuse_other_owner(old, "dojo")
    assert caught.value.code == "not_ours"


# What comes when --------------------------------------------------------------------------------

URI = f"arn:aws:apigateway:r:lambda:path/2015-03-31/functions/arn:aws:lambda:r:1:function:{alias_name('f')}"
OLD = Integration("i1", "AWS_PROXY", "arn:old", 29_000, "", "")
MINE = Integration("message", "AWS_PROXY", f"{URI}/invocations", 29_000, "", "")


def taken_over() -> Plan:
    wanted = state(
        Table("t", "id", "", "", False, "PAY_PER_REQUEST", ()),
        Alias(alias_name("f"), "f", "x", ()),
        Permission("f:live nwchat-default", "f", "nwchat-default", "apigateway.amazonaws.com", "arn"),
        Api("nwchat-dojo", "nwchat-dojo", "$request.body.action", True, OURS),
        MINE,
        Route("$default", "message", "NONE", False, False),
        Deployment("new"),
        stage("new"),
    )
    live = state(
        Api("nwchat-dojo", "chat", "$request.body.action", True, ()),
        OLD,
        Route("$default", "i1", "NONE", False, False),
        Route("extra", "i1", "NONE", False, False),
        stage("d0"),
    )
    return plan(wanted, live)


def keys(part: Plan) -> set[Key]:
    return {changed_key(each) for each in part.changes}


def test_routes_are_moved_after_everything_else() -> None:
    whole = taken_over()
    first, last = split_by_rows(whole)
    assert keys(first) == {
        ("table", "t"),
        ("alias", "f:live"),
        ("permission", "f:live nwchat-default"),
        ("api", "nwchat-dojo"),
    }
    assert keys(last) == keys(whole) - keys(first)
    assert first.after.keys() == keys(first)
    assert last.after.keys() == keys(last)
    # In each half nothing waits for the other, and all else is as it was.
    assert last.after["stage", "production"] == {("deployment", "new")}
    assert last.after["integration", "message"] == frozenset()


def test_no_route_points_nowhere_in_between() -> None:
    _, last = split_by_rows(taken_over())
    by_key = {changed_key(each): each for each in last.changes}
    assert isinstance(by_key["route", "$default"], Update)
    assert isinstance(by_key["integration", "message"], Create)
    assert isinstance(by_key["integration", "i1"], Delete)
    assert last.after["integration", "i1"] >= {("route", "$default"), ("route", "extra")}


def test_changes_that_depend_on_late_changes_are_late() -> None:
    """Whatever kinds there come to be."""
    table = Create(Table("t", "id", "", "", False, "PAY_PER_REQUEST", ()))
    moved = Update(stage("a"), stage("b"))
    after: dict[Key, frozenset[Key]] = {
        ("table", "t"): frozenset({("stage", "production")}),
        ("stage", "production"): frozenset(),
    }
    first, last = split_by_rows(Plan((table, moved), after))
    assert (first.changes, last.changes) == ((), (table, moved))
    assert last.after == after


def test_names_come_after_all_else() -> None:
    """A certificate that waits must keep nobody from being taken over."""
    certificate = Create(Certificate("c", ("c",), "ISSUED", "Z1", ()))
    release = Create(Release("r", (), "d", "", True))
    domain = Create(Domain("c", "arn", "REGIONAL", "TLS_1_2", "ipv4", "", "API_MAPPING_ONLY", ()))
    plan = arrange([*taken_over().changes, certificate, domain, release])
    chat, names = domains_last(plan)
    assert names.after == {("certificate", "c"): frozenset(), ("domain", "c"): {("certificate", "c")}}
    assert keys(chat) == keys(plan) - keys(names)
    # What something of the chat waits for goes with that.
    gone, mapping = Delete(stage("d0")), Delete(ApiMapping("c", "a1", "production"))
    chat, names = domains_last(arrange([gone, mapping]))
    assert chat.after["stage", "production"] == {("mapping", "c")}
    assert keys(names) == set()


def test_previous_deployment_is_kept_for_rollback() -> None:
    before = state(stage("d0"))
    assert (previous_deployment(before, "production"), kept_deployments(before)) == ("d0", ())
    assert previous_deployment(state(stage("")), "production") == ""
    assert previous_deployment(state(), "production") == ""
    # Named, but the stage has not moved yet; moved.
    named = state(stage("adopted-d0"), Deployment("adopted-d0"))
    moved = state(stage("new"), Deployment("adopted-d0"), Deployment("new"))
    for live in (named, moved):
        assert (previous_deployment(live, "production"), kept_deployments(live)) == ("", ("d0",))


def test_rows_are_past_once_ours_has_been_served_longer_than_a_socket_lives() -> None:
    long_ago, lately = NOW - CONNECTION_SECONDS * 1000 - 1, NOW - CONNECTION_SECONDS * 1000
    ours = state(stage("new"), Deployment("adopted-d0"), Deployment("new"))
    assert rows_expired(ours, "production", long_ago, NOW)
    assert not rows_expired(ours, "production", lately, NOW)
    # The old functions are still at work.
    for served in ("d0", "adopted-d0"):
        live = state(stage(served), Deployment("adopted-d0"))
        assert not rows_expired(live, "production", long_ago, NOW)


# Rows -------------------------------------------------------------------------------------------


def test_a_bare_row_counts_from_now() -> None:
    made = connection_from({"connectionid": {"S": "L0SM9cOFvHcCIhw="}}, "connectionid", NOW)
    assert made is not None
    assert (made.connection_id, made.connected_at) == ("L0SM9cOFvHcCIhw=", NOW)
    assert made.expires_at == NOW // 1000 + CONNECTION_SECONDS


@pytest.mark.parametrize(
    ("name", "attribute", "since"),
    [
        ("connected_at", {"N": "1789999000000"}, 1_789_999_000_000),
        ("connectedAt", {"N": "1789999000"}, 1_789_999_000_000),
        ("ConnectedAt", {"S": "1789999000.5"}, 1_789_999_000_500),
        ("created-at", {"S": "2026-09-21T12:00:00Z"}, 1_789_992_000_000),
        ("createdAt", {"S": "2026-09-21T12:00:00"}, 1_789_992_000_000),
        # No time, no past time, no attribute for it.
        ("connectedAt", {"N": "1790000001000"}, NOW),
        ("connectedAt", {"N": "-1"}, NOW),
        ("connectedAt", {"N": "9" * 38}, NOW),
        ("connectedAt", {"S": "yesterday"}, NOW),
        ("connectedAt", {"S": "９９"}, NOW),
        ("connectedAt", {"BOOL": True}, NOW),
        ("connectedAt", {"NULL": True}, NOW),
        ("connectedAt", {"L": [{"N": "1"}]}, NOW),
        ("ttl", {"N": "1789999000"}, NOW),
        ("timestamp", {"N": "1789999000"}, NOW),
    ],
)
def test_row_with_connection_time(name: str, attribute: dict[str, object], since: int) -> None:
    made = connection_from({"id": {"S": "x"}, name: attribute}, "id", NOW)
    assert made is not None
    assert (made.connected_at, made.expires_at) == (since, since // 1000 + CONNECTION_SECONDS)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"other": {"S": "x"}},
        {"id": {"N": "7"}},
        {"id": {"B": b"x"}},
        {"id": {"S": ""}},
        {"id": {"S": "a b"}},
        {"id": {"S": "x\n"}},
        {"id": {"S": "\x1b[2J"}},
        {"id": {"S": "\u202eevil"}},
        {"id": {"S": "x" * 129}},
    ],
)
def test_a_row_without_a_key_of_use(row: dict[str, dict[str, object]]) -> None:
    assert connection_from(row, "id", NOW) is None


VALUES = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(st.characters(max_codepoint=0x500), max_size=20)),
    st.builds(lambda number: {"N": str(number)}, st.integers(-(10**38), 10**38)),
    st.builds(lambda number: {"N": str(number)}, st.floats(allow_nan=False)),
    st.sampled_from([{"B": b"\0"}, {"NULL": True}, {"L": []}, {"M": {}}, {"SS": ["x"]}]),
)


@given(st.dictionaries(st.sampled_from(["id", "connectedAt", "created_at", "ttl"]), VALUES))
def test_unusual_rows_are_converted_or_skipped(row: dict[str, Any]) -> None:
    made = connection_from(row, "id", NOW)
    if made is not None:
        assert made.connected_at is not None
        assert 0 < made.connected_at <= NOW


def test_counts_of_two_readings() -> None:
    first = CopyCounts(copied=3, present=1, expired=2, unusable=1)
    assert first.read == 7
    # Two came in between; the three of the first time are there.
    later = CopyCounts(copied=2, present=4, expired=2, unusable=1)
    assert first.with_second_read(later) == CopyCounts(copied=5, present=1, expired=2, unusable=1)
    assert first + later == CopyCounts(5, 5, 4, 2)
