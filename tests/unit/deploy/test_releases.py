"""Releases as values: which one runs, what one changed, how one comes back, and what is too old to keep."""

from __future__ import annotations

import dataclasses

import pytest

from nwchatctl.deploy.changes import Delete, Update, changed_key
from nwchatctl.deploy.fingerprints import release_id
from nwchatctl.deploy.model.functions import Alias, Version, version_name
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, Resource, State, state
from nwchatctl.deploy.model.websocket import Deployment, Stage
from nwchatctl.deploy.planner import arrange, differences, plan
from nwchatctl.deploy.releases import (
    DEPLOYMENTS_KEPT,
    VERSIONS_KEPT,
    ReleaseRecord,
    change_lines,
    entries,
    find_release,
    previous_release,
    refuse_larger_release,
    release_before,
    running_release,
    state_after_rollback,
)
from nwchatctl.errors import ChatError


def version(number: int, runs: str, *held_by: str) -> Version:
    return Version(version_name("f", number), "f", number, runs, held_by)


def deployment(name: str, number: int, *held_by: str, marked: bool = True) -> Deployment:
    return Deployment(name, marked=marked, created=f"2026-11-24T10:00:{number:02}", held_by=held_by)


def stage(served: str) -> Stage:
    return Stage("production", served, False, 1.0, 1, (), (), ())


def alias(runs: str) -> Alias:
    return Alias("f:live", "f", runs, ())


def release(runs: str, served: str, *, latest: bool = False, **settings: str) -> Release:
    functions = (("f", runs),)
    given = tuple(settings.items())
    return Release(release_id(functions, served), functions, served, "c0de", latest, given)


OLD, NEW = release("a", "d1"), release("b", "d2", latest=True)
RECORDS = (ReleaseRecord(NEW, 2000, "me"), ReleaseRecord(OLD, 1000, "you"))
LIVE = state(
    alias("b"), stage("d2"), version(1, "a"), version(2, "b", "live"),
    deployment("d1", 1), deployment("d2", 2, "production"), OLD, NEW,
)  # fmt: skip


def keys(resources: list[Resource]) -> set[Key]:
    return {(each.kind, each.name) for each in resources}


def removed(wanted: State, live: State) -> set[str]:
    return {changed_key(each)[1] for each in plan(wanted, live).changes if isinstance(each, Delete)}


def test_current_release_is_found_by_aliases_and_stage() -> None:
    assert running_release(LIVE, "production", RECORDS) == NEW.name
    half = {**LIVE, ("alias", "f:live"): alias("a")}
    assert running_release(half, "production", RECORDS) not in (NEW.name, OLD.name)
    assert running_release({}, "production", RECORDS) is None


def test_release_from_before_a_new_function() -> None:
    """It runs where all that it knows of is as it was; nothing of it invokes the one that came later."""
    more = Alias("g:live", "g", "z", ())
    back = {**state_after_rollback({**LIVE, **state(more)}, OLD, "production")}
    assert running_release(back, "production", RECORDS) == OLD.name
    assert back[("alias", "g:live")] == more
    # Whatever is recorded with both functions comes first.
    functions = (("f", "a"), ("g", "z"))
    both = Release(release_id(functions, "d1"), functions, "d1", "c0de", latest=False)
    assert running_release(back, "production", (*RECORDS, ReleaseRecord(both, 1, "me"))) == both.name
    assert running_release({**back, **state(stage("d9"))}, "production", RECORDS) != OLD.name


def test_a_rollback_that_would_run_a_larger_release_is_refused() -> None:
    functions = (("f", "a"), ("g", "z"))
    both = Release(release_id(functions, "d1"), functions, "d1", "c0de", latest=False)
    records = (*RECORDS, ReleaseRecord(both, 1, "me"))
    after = state_after_rollback({**LIVE, **state(Alias("g:live", "g", "z", ()))}, OLD, "production")
    refuse_larger_release(after, "production", RECORDS, OLD)
    with pytest.raises(ChatError) as caught:
        refuse_larger_release(after, "production", records, OLD)
    assert (caught.value.code, caught.value.exit_code) == ("release_smaller", 4)
    assert caught.value.message == (
        f"a rollback cannot lead to release {OLD.name}: it has no g, and release {both.name} would run"
    )


def test_a_list_says_which_runs_and_which_can_run() -> None:
    gone = {where: each for where, each in LIVE.items() if where != ("version", "f:1")}
    assert [(each.current, each.available) for each in entries(RECORDS, LIVE, "production")] == [
        (True, True), (False, True),
    ]  # fmt: skip
    assert [(each.current, each.available) for each in entries(RECORDS, gone, "production")] == [
        (True, True), (False, False),
    ]  # fmt: skip


def test_a_rollback_moves_aliases_and_stage_and_nothing_else() -> None:
    changes = arrange(differences(state_after_rollback(LIVE, OLD, "production"), LIVE)).changes
    assert changes == (Update(alias("b"), alias("a")), Update(stage("d2"), stage("d1")))


def test_a_rollback_to_what_is_gone_names_it() -> None:
    gone = {where: each for where, each in LIVE.items() if where != ("version", "f:1")}
    with pytest.raises(ChatError, match="a version of f is gone") as caught:
        state_after_rollback(gone, OLD, "production")
    assert caught.value.exit_code == 4


def test_the_release_before_is_the_one_deployed_before() -> None:
    assert previous_release(RECORDS, NEW.name) == OLD
    # What ran before it was deployed, whatever was deployed in between.
    third = ReleaseRecord(release("c", "d3", latest=True), 3000, "me", before=OLD.name)
    assert previous_release((third, *RECORDS), third.release.name) == OLD
    # What runs is no release as a whole: a rollback or a deploy died half-way.
    assert previous_release(RECORDS, None) == NEW
    with pytest.raises(ChatError, match="no earlier release"):
        previous_release(RECORDS, OLD.name)


def test_what_ran_before_is_known_after_a_kill_too() -> None:
    assert release_before(RECORDS, OLD.name, "third") == OLD.name
    # Half moved, or moved already, by one that was killed.
    assert release_before(RECORDS, "mixed", "third") == NEW.name
    assert release_before(RECORDS, "third", "third") == NEW.name
    assert release_before(RECORDS, NEW.name, NEW.name) == OLD.name
    assert release_before((), "first", "first") == ""
    assert release_before((), None, "first") == ""


def test_a_release_is_named_by_its_first_characters() -> None:
    assert find_release(RECORDS, OLD.name[:6].upper()) == OLD
    for wrong in ("", "xyz"):
        with pytest.raises(ChatError) as caught:
            find_release(RECORDS, wrong)
        assert (caught.value.code, caught.value.exit_code) == ("no_release", 4)


def test_what_all_functions_changed_alike_is_said_once() -> None:
    before = (
        ("function a.code_sha256", "1"), ("function a.memory_mb", "1"), ("function a.handler", "x"),
        ("function b.code_sha256", "1"), ("function b.memory_mb", "1"), ("route r.integration", "a"),
    )  # fmt: skip
    after = (
        ("function a.code_sha256", "2"), ("function a.memory_mb", "2"), ("function a.handler", "y"),
        ("function b.code_sha256", "2"), ("function b.memory_mb", "2"),
    )  # fmt: skip
    assert change_lines(after, before) == (
        "code", "function a handler x → y", "memory_mb 1 → 2", "route r integration a → (none)",
    )  # fmt: skip
    assert change_lines(after, after) == ()
    endpoints = [
        (("function f.environment.X", f"https://abcdefghij.execute-api.us-east-2.amazonaws.com/{stage}"),)
        for stage in ("production", "beta")
    ]
    (whole,) = change_lines(endpoints[0], endpoints[1])
    (short,) = change_lines(endpoints[0], endpoints[1], 40)
    assert whole.endswith(f"{endpoints[1][0][1]} → {endpoints[0][0][1]}")
    assert short == "environment.X …ast-2.amazonaws.com/beta → …ast-2.amazonaws.com/production"


def test_what_a_plan_could_not_know_is_known_afterwards() -> None:
    before = (("function a.environment.NWCHAT_URL", "x/(known after the API is made)/production"),)
    after = (("function a.environment.NWCHAT_URL", "x/(known after the history API is made)/dojo"),)
    assert change_lines(after, before) == (
        "environment.NWCHAT_URL x/(the API's own)/production → x/(the history API's own)/dojo",
    )


def test_the_same_release_deployed_again_is_the_latest_again() -> None:
    wanted = state(alias("a"), stage("d1"), deployment("d1", 1), dataclasses.replace(OLD, latest=True))
    live = {**LIVE, **state(alias("a"), stage("d1"))}
    assert plan(wanted, live).changes == (Update(OLD, dataclasses.replace(OLD, latest=True)),)


# What is too old ------------------------------------------------------------------------------


def chat(runs: str, served: str) -> State:
    return state(alias(runs), stage(served), Deployment(served), release(runs, served, latest=True))


def aged(live_version: int, count: int = VERSIONS_KEPT) -> State:
    """A chat with so many versions and deployments, one of which is live."""
    versions = [version(n, f"v{n}", *(["live"] if n == live_version else [])) for n in range(1, count + 1)]
    return {**state(*versions), **state(alias(f"v{live_version}"), stage("d1"), deployment("d1", 1))}


def test_ten_versions_are_kept_the_new_one_among_them() -> None:
    live = aged(VERSIONS_KEPT)
    assert removed(chat("v10", "d1"), live) == set()
    assert removed(chat("new", "d1"), live) == {"f:1"}
    # Going forward to a version that is there makes none.
    assert removed(chat("v3", "d1"), live) == set()


def test_a_version_in_use_is_kept_however_old() -> None:
    live = aged(1, 12)
    assert removed(chat("v1", "d1"), live) == {"f:2"}
    # The alias leaves it for a new one: then it is too old.
    planned = plan(chat("new", "d1"), live)
    gone = {changed_key(each) for each in planned.changes if isinstance(each, Delete)}
    assert gone == {("version", f"f:{number}") for number in (1, 2, 3)}
    assert all(planned.after[each] == {("alias", "f:live")} for each in gone)


def test_version_of_foreign_alias_is_kept() -> None:
    live = {**aged(12, 12), **state(version(1, "v1", "theirs"))}
    assert removed(chat("v12", "d1"), live) == {"f:2"}


def test_after_a_removal_nothing_is_planned() -> None:
    live = aged(1, 12)
    wanted = chat("new", "d1")
    gone = removed(wanted, live)
    after = {where: each for where, each in live.items() if where[1] not in gone}
    after |= {**wanted, **state(version(13, "new", "live"))}
    assert not plan(wanted, after)


def deployed(count: int) -> State:
    made = [deployment(f"d{n}", n, *(["production"] if n == count else [])) for n in range(1, count + 1)]
    return {**state(*made), **state(alias("a"), stage(f"d{count}"), version(1, "a", "live"))}


def test_five_deployments_are_kept_the_new_one_among_them() -> None:
    live = deployed(DEPLOYMENTS_KEPT)
    assert removed(chat("a", "d5"), live) == set()
    planned = plan(chat("a", "new"), live)
    assert removed(chat("a", "new"), live) == {"d1"}
    # Not before the stage has moved.
    assert planned.after["deployment", "d1"] == {("stage", "production")}


def test_deployments_of_one_second_are_in_the_order_of_the_list() -> None:
    same = [
        dataclasses.replace(each, created="") for each in deployed(7).values() if isinstance(each, Deployment)
    ]
    live = {**deployed(7), **state(*same)}
    assert removed(chat("a", "d7"), live) == {"d1", "d2"}


def test_a_deployment_made_by_hand_goes_unless_a_stage_serves_it() -> None:
    by_hand = deployment("x1y2z3", 9, marked=False)
    assert removed(chat("a", "d2"), {**deployed(2), **state(by_hand)}) == {"x1y2z3"}
    theirs = dataclasses.replace(by_hand, held_by=("theirs",))
    assert removed(chat("a", "d2"), {**deployed(2), **state(theirs)}) == set()


def test_a_release_goes_with_what_it_needs() -> None:
    live = {**deployed(DEPLOYMENTS_KEPT), **state(release("a", "d1"), release("a", "d2"))}
    assert removed(chat("a", "new"), live) == {"d1", release("a", "d1").name}
