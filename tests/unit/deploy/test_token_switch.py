"""Token mode as values: what it adds to a chat, and in which order a chat begins and ceases to ask."""

from __future__ import annotations

import json
from typing import Any

from nwchatctl.config import Settings
from nwchatctl.config.settings import AuthSettings
from nwchatctl.deploy.changes import changed_key
from nwchatctl.deploy.desired.chat import desired_state
from nwchatctl.deploy.fingerprints import attribute_texts, fingerprint
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function, Permission, Role
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, State, key, state
from nwchatctl.deploy.model.storage import TokenKeys
from nwchatctl.deploy.model.websocket import Authorizer, Deployment, Integration, Route, Stage
from nwchatctl.deploy.planner import Plan, arrange, differences, plan
from nwchatctl.deploy.releases import (
    ReleaseRecord,
    change_lines,
    missing_parts,
    running_release,
    state_after_rollback,
)
from nwchatctl.deploy.safety import plan_destroy
from nwchatctl.deploy.token_switch import auth_transition, requires_token, stage_requires_token

PLACE = Location("123456789012", "us-east-2")
MINE = "nwchat-ninjawars"


def chat(mode: Any = "token", **sections: Any) -> State:
    return desired_state(Settings(auth=AuthSettings(mode=mode), **sections), PLACE, "c0de", "abc123")


OPEN, TOKEN = chat("open"), chat()


def release(of: State) -> Release:
    (found,) = (each for each in of.values() if isinstance(each, Release))
    return found


def live(of: State) -> State:
    """As it is read once deployed: with the versions that aliases run."""
    from nwchatctl.deploy.model.functions import Alias, Version, version_name

    aliases = [each for each in of.values() if isinstance(each, Alias)]
    versions = [Version(version_name(e.function, 1), e.function, 1, e.runs, ("live",)) for e in aliases]
    return {**of, **state(*versions)}


def test_open_mode_is_unchanged() -> None:
    """Chats of before this mode keep their deployments: its new attribute is at its default."""
    routes = [each for each in OPEN.values() if isinstance(each, Route | Integration)]
    (deployment,) = (each for each in OPEN.values() if isinstance(each, Deployment))
    assert deployment.name == fingerprint(routes) == "dc17f42147de210a2a0aa391"
    functions = [each for each in OPEN.values() if isinstance(each, Function)]
    assert not any("AUTH" in name for each in functions for name, _ in each.environment)
    assert not any(isinstance(each, Authorizer | TokenKeys) for each in OPEN.values())


def test_what_token_mode_adds() -> None:
    new = TOKEN.keys() - OPEN.keys()
    assert {each for each in new if each[0] not in ("deployment", "release")} == {
        ("alias", f"{MINE}-authorize:live"),
        ("authorizer", "authorize"),
        ("function", f"{MINE}-authorize"),
        ("log-group", f"/aws/lambda/{MINE}-authorize"),
        ("permission", f"{MINE}-authorize:live nwchat-authorizer"),
        ("role", f"{MINE}-authorize-us-east-2"),
        ("token-keys", f"/{MINE}/token-keys"),
    }
    asked = TOKEN["authorizer", "authorize"]
    assert isinstance(asked, Authorizer)
    assert asked.uri == PLACE.invocation_uri(f"{MINE}-authorize")
    assert (asked.type, asked.identity_sources) == ("REQUEST", ("route.request.header.Host",))
    routes = {each.name: each for each in TOKEN.values() if isinstance(each, Route)}
    assert {name: (each.authorization, each.authorizer) for name, each in routes.items()} == {
        name: ("CUSTOM", "authorize") if name == "$connect" else ("NONE", "") for name in routes
    }
    allowed = TOKEN["permission", f"{MINE}-authorize:live nwchat-authorizer"]
    assert isinstance(allowed, Permission)
    assert allowed.source_arn == "arn:aws:execute-api:us-east-2:123456789012:abc123/authorizers/*"
    environments = {
        each.name.removeprefix(f"{MINE}-"): dict(each.environment)
        for each in TOKEN.values()
        if isinstance(each, Function)
    }
    mode = {
        name: found["NWCHAT_AUTH_MODE"] for name, found in environments.items() if "NWCHAT_AUTH_MODE" in found
    }
    assert mode == dict.fromkeys(("connect", "message", "history"), "token")
    parameter = "NWCHAT_AUTH_PARAMETER"
    keys = {name: found[parameter] for name, found in environments.items() if parameter in found}
    assert keys == dict.fromkeys(("authorize", "history"), f"/{MINE}/token-keys")


def test_the_authorizer_and_the_history_may_read_the_keys_and_nobody_else() -> None:
    may = {}
    for each in TOKEN.values():
        if isinstance(each, Role):
            for one in json.loads(each.policy)["Statement"]:
                may[each.name, one["Sid"]] = (one["Action"], one["Resource"])
    assert may[f"{MINE}-authorize-us-east-2", "TokenKeys"] == (
        ["ssm:GetParameter"],
        f"arn:aws:ssm:us-east-2:123456789012:parameter/{MINE}/token-keys",
    )
    assert {sid for name, sid in may if name == f"{MINE}-authorize-us-east-2"} == {"TokenKeys", "Logs"}
    assert {name for name, sid in may if sid == "TokenKeys"} == {
        f"{MINE}-authorize-us-east-2",
        f"{MINE}-history-us-east-2",
    }


# In which order ---------------------------------------------------------------------------------


def before(made: Plan, where: Key) -> set[Key]:
    """All that is done before the change of `where`."""
    found: set[Key] = set()
    todo = [where]
    while todo:
        for each in made.after[todo.pop()] - found:
            found.add(each)
            todo.append(each)
    return found


STAGE, ROUTE, ASKED = (Stage.kind, "production"), (Route.kind, "$connect"), (Authorizer.kind, "authorize")
MOVED = {("alias", f"{MINE}-{each}:live") for each in ("connect", "message")}
"""The functions behind sockets that behave differently in token mode."""
ROLLED: State = {
    **live(TOKEN),
    **{
        where: each for where, each in OPEN.items() if where[0] in ("alias", "stage", "release", "deployment")
    },
}
"""After a rollback from token to open."""


def test_switch_on_requires_tokens_at_stage_then_functions() -> None:
    made = plan(TOKEN, live(OPEN))
    assert {("token-keys", f"/{MINE}/token-keys"), ("alias", f"{MINE}-authorize:live")} <= before(made, ASKED)
    assert {ASKED, ("permission", f"{MINE}-authorize:live nwchat-authorizer")} <= before(made, ROUTE)
    assert {ROUTE, ASKED} <= before(made, STAGE)
    assert not MOVED & before(made, STAGE)
    assert all(STAGE in made.after[each] for each in MOVED)


def test_switch_off_changes_functions_first_and_authorizer_last() -> None:
    # The keys are not looked at in open mode.
    there: State = {where: each for where, each in live(TOKEN).items() if where[0] != TokenKeys.kind}
    made = plan(OPEN, there)
    assert before(made, STAGE) >= MOVED
    assert STAGE in before(made, ASKED)
    assert ASKED in before(made, ("function", f"{MINE}-authorize"))
    deleted = {changed_key(each) for each in made.changes if each.action == "delete"}
    # The release that needs it goes as well: what is planned after that is nothing.
    assert (Release.kind, release(TOKEN).name) in deleted
    rest = {where: each for where, each in {**there, **live(OPEN)}.items() if where not in deleted}
    rest = {where: each for where, each in rest.items() if "authorize" not in where[1]}
    assert plan(OPEN, rest).changes == ()


def test_where_an_integration_moves_too_the_functions_go_first() -> None:
    """The stage waits for aliases then, and nothing may wait for each other."""
    changed_too = {
        where: Integration("message", "AWS_PROXY", PLACE.invocation_uri(f"{MINE}-message"), 5, "", "")
        if where == ("integration", "message")
        else each
        for where, each in live(OPEN).items()
    }
    made = plan(TOKEN, changed_too)
    assert ("alias", f"{MINE}-message:live") in before(made, STAGE)
    assert all(each not in before(made, each) for each in made.after)


def test_a_new_authorizer_is_in_the_snapshot_before_it_is_taken() -> None:
    broken = {**live(TOKEN), ASKED: Authorizer("authorize", "REQUEST", "arn:x", ("x",))}
    made = plan(TOKEN, broken)
    assert [changed_key(each) for each in made.changes] == [ASKED]
    # Without it the route is broken as well.
    del broken[ASKED]
    assert ASKED in before(plan(TOKEN, {**broken, ROUTE: OPEN[ROUTE]}), ROUTE)


def _of(chat_of: State, *kinds: str) -> State:
    return {where: each for where, each in chat_of.items() if where[0] in kinds}


def test_rollback_to_open_mode_moves_functions_first() -> None:
    both = {**live(TOKEN), **_of(OPEN, "release", "deployment")}
    made = arrange(differences(ROLLED, both), auth_transition(ROLLED, both))
    assert {changed_key(each) for each in made.changes} >= {STAGE, *MOVED}
    assert made.after[STAGE] >= MOVED


def test_rollback_to_token_mode_moves_stage_first() -> None:
    wanted = state_after_rollback(ROLLED, release(TOKEN), "production")
    made = arrange(differences(wanted, ROLLED), auth_transition(wanted, ROLLED))
    assert made.after[STAGE] == frozenset()
    assert all(STAGE in made.after[each] for each in MOVED)


def test_forward_after_a_rollback_the_functions_begin_after_the_stage() -> None:
    """The authorizer stayed where it is, so that nothing is created."""
    made = plan(TOKEN, ROLLED)
    assert "create" not in {each.action for each in made.changes}
    assert all(STAGE in made.after[each] for each in MOVED)
    assert not MOVED & before(made, STAGE)


def test_a_deploy_killed_with_the_authorizer_made_goes_on_in_the_same_order() -> None:
    made = plan(TOKEN, {**live(OPEN), **_of(TOKEN, "authorizer", "route", "token-keys")})
    assert all(STAGE in made.after[each] for each in MOVED)
    assert not MOVED & before(made, STAGE)


def test_unchanged_stage_adds_no_dependencies() -> None:
    """Killed between the two, or another setting alone: what is served stays."""
    asked = {**live(TOKEN), **_of(OPEN, "alias")}
    assert auth_transition(TOKEN, asked) == "stays"
    assert auth_transition(OPEN, {**live(TOKEN), **_of(OPEN, "stage")}) == "stays"


def test_unknown_stage_state_uses_safe_order() -> None:
    unknown = {where: each for where, each in live(OPEN).items() if where[0] != "release"}
    assert auth_transition(TOKEN, unknown) == "begins"
    unknown = {where: each for where, each in live(TOKEN).items() if where[0] != "release"}
    assert auth_transition(OPEN, unknown) == "ceases"


# Releases ---------------------------------------------------------------------------------------


def test_releases_that_require_tokens() -> None:
    assert requires_token(release(TOKEN))
    assert not requires_token(release(OPEN))


def test_stage_decides_whether_tokens_are_required() -> None:
    assert stage_requires_token(TOKEN, "production")
    assert not stage_requires_token(OPEN, "production")
    # After a rollback the route and its authorizer are there, and nobody is asked.
    assert not stage_requires_token(ROLLED, "production")
    assert stage_requires_token({**ROLLED, **_of(TOKEN, "stage")}, "production")
    # Of no release: as the routes are.
    assert stage_requires_token(_of(TOKEN, "stage", "route"), "production")
    assert not stage_requires_token(_of(OPEN, "stage", "route"), "production")


def test_older_release_runs_beside_newer_function() -> None:
    rolled = {
        **live(TOKEN),
        **{where: each for where, each in live(OPEN).items() if where[0] in ("alias", "stage")},
    }
    records = [ReleaseRecord(release(TOKEN), 2, "me"), ReleaseRecord(release(OPEN), 1, "me")]
    assert running_release(rolled, "production", records) == release(OPEN).name
    assert missing_parts(live(OPEN), release(TOKEN)) != []


def test_an_attribute_that_is_new_to_this_tool_is_no_change() -> None:
    now = attribute_texts([Route("$connect", "connect", "NONE", False, False)])
    earlier = tuple(each for each in now if not each[0].endswith(".authorizer"))
    assert change_lines(now, earlier) == ()
    guarded = attribute_texts([Route("$connect", "connect", "CUSTOM", False, False, "authorize")])
    assert change_lines(guarded, earlier) == (
        "authorization NONE → CUSTOM",
        "authorizer (none) → authorize",
    )


def test_the_chat_is_destroyed_with_its_keys_which_are_no_data() -> None:
    made, left = plan_destroy(live(TOKEN), deploys=f"{MINE}-deploys", delete_data=False, keep_logs=False)
    assert ("token-keys", f"/{MINE}/token-keys") in {changed_key(each) for each in made.changes}
    assert {each[0] for each in left} == {"table"}
    assert key(TOKEN["api", MINE]) in made.after["token-keys", f"/{MINE}/token-keys"]
