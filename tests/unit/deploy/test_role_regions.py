"""Which Region a role belongs to, and which role a function runs on."""

from __future__ import annotations

import dataclasses

import pytest

from nwchatctl.config import Settings
from nwchatctl.deploy.desired.chat import desired_state, release_name
from nwchatctl.deploy.desired.functions import FUNCTIONS
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.state import State, state
from nwchatctl.deploy.model.string_map import string_map
from nwchatctl.deploy.names import REGION_TAG, ResourceNames
from nwchatctl.deploy.planner import plan
from nwchatctl.deploy.role_regions import own_roles, works_here

NAMES = ResourceNames("ninjawars")
HERE, THERE = Location("123456789012", "us-east-2"), Location("123456789012", "eu-west-1")
EARLIER = frozenset(NAMES.role_without_region(each) for each in FUNCTIONS)
EARLIER_RELEASE = "87b4298f1849"
"""The release of a chat as its earlier versions built it, with roles without a Region."""


def chat(where: Location = HERE, live_roles: frozenset[str] = frozenset()) -> State:
    live = state(*(Role(each, "", "", (), (), "") for each in live_roles))
    return desired_state(Settings(), where, "c0de", "abc123", live=live)


def roles(state: State) -> dict[str, Role]:
    return {each.name: each for each in state.values() if isinstance(each, Role)}


def role(where: Location = HERE, region: str = "", **changed: object) -> Role:
    """A role without a Region in its name that works in `where`; with `region`, it has the tag."""
    tags = {**NAMES.tags, **({REGION_TAG: region} if region else {})}
    made = roles(chat(where, EARLIER))["nwchat-ninjawars-connect"]
    return dataclasses.replace(made, **{"tags": string_map(tags), **changed})  # type: ignore[arg-type]


EVERYTHING = '{"Statement":[{"Action":"*","Effect":"Allow","Resource":"*"}]}'
FOREIGN = (("nwchat:chat", "another"), ("nwchat:managed-by", "nwchatctl"))


@pytest.mark.parametrize(
    ("found", "runs_on_it", "works"),
    [
        (role(region="us-east-2"), False, True),
        (role(region="eu-west-1"), True, False),
        # The tag decides, whatever has become of the policy.
        (role(THERE, region="us-east-2"), False, True),
        (role(HERE, region="eu-west-1"), True, False),
        # As earlier versions of the tool made it.
        (role(HERE), False, True),
        (role(THERE), True, False),
        # Changed by hand.
        (role(policy=""), True, True),
        (role(policy=""), False, False),
        (role(policy=EVERYTHING), True, True),
        (role(policy=EVERYTHING), False, False),
        (role(tags=FOREIGN), True, False),
        (role(tags=()), True, False),
    ],
)
def test_role_without_region_in_its_name_belongs_to_region_it_works_for(
    found: Role, runs_on_it: bool, works: bool
) -> None:
    used = {found.name} if runs_on_it else set[str]()
    assert works_here(found, NAMES.tags, HERE, used) is works


def test_new_chat_has_roles_of_its_region() -> None:
    made = roles(chat())
    assert {*made} == {f"nwchat-ninjawars-{each}-us-east-2" for each in FUNCTIONS if each != "authorize"}
    assert {dict(each.tags)[REGION_TAG] for each in made.values()} == {"us-east-2"}
    assert not {*made} & {*roles(chat(THERE))}


def test_chat_of_an_earlier_version_keeps_its_roles_and_its_release() -> None:
    kept = chat(live_roles=EARLIER)
    assert {*roles(kept)} == EARLIER - {"nwchat-ninjawars-authorize"}
    assert {each.role for each in kept.values() if isinstance(each, Function)} == {*roles(kept)}
    assert release_name(kept) == EARLIER_RELEASE != release_name(chat())


def test_only_tag_is_added_to_kept_roles() -> None:
    kept = chat(live_roles=EARLIER)
    live = {
        key: dataclasses.replace(each, tags=string_map(NAMES.tags)) if isinstance(each, Role) else each
        for key, each in kept.items()
    }
    assert {each.action for each in plan(kept, live).changes} == {"update"}
    assert len(plan(kept, live).changes) == len(roles(kept))


def test_every_own_role_that_exists_is_kept_and_has_the_same_permissions() -> None:
    both = own_roles({**chat(), **chat(live_roles=EARLIER)})
    made = roles(chat(live_roles=both))
    assert {*made} == both
    for short in ("connect", "message"):
        one, other = made[NAMES.role(short, "us-east-2")], made[NAMES.role_without_region(short)]
        assert dataclasses.replace(one, name=other.name) == other


def test_role_names_fit_into_iam() -> None:
    names = ResourceNames("a" * 24)
    for region in ("ap-southeast-2", "us-gov-east-1", "a" * 21, "a" * 63):
        found = [names.role(each, region) for each in FUNCTIONS]
        assert max(map(len, found)) <= 64
        assert len({*found}) == len(FUNCTIONS)
    assert names.role("disconnect", "a" * 62) != names.role("disconnect", "a" * 63)
