"""Two Regions and two chats in one account: what happens to one changes nothing of the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from nwchatctl.aws import cloud
from nwchatctl.deploy.desired import functions
from nwchatctl.deploy.model.string_map import has_tags
from nwchatctl.deploy.names import ResourceNames
from tests.e2e.support.account_dump import exact
from tests.e2e.support.chat import SECONDS, Frame, Player, unique
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

OTHER_REGION = "eu-west-1"
WARN = {"NWCHAT_FUNCTIONS__LOG_LEVEL": "WARN"}

Talking = dict[Operator, tuple[Player, Player]]


def test_what_happens_to_one_chat_changes_nothing_of_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    one = Operator(sandbox, "e2e-two", tmp_path)
    other = Operator(sandbox, "e2e-two", tmp_path, OTHER_REGION)
    # Its name begins with the first one's.
    second = Operator(sandbox, "e2e-two-connect", tmp_path)
    with ExitStack() as stack:
        talking: Talking = {}
        for each in (one, other, second):
            with unchanged(*talking):
                each.deploy()
            talking[each] = (player(each, stack), player(each, stack))
            talk(talking)
        listed(one, other, second)
        for argv in (("deploy", "--yes"), ("rollback",), ("connections", "prune")):
            with unchanged(one, second):
                other.json(*argv, **(WARN if argv[0] == "deploy" else {}))
            talk(talking)
        for each in (other, second, one):
            del talking[each]
            with unchanged(*talking):
                each.destroy()
            assert exact([each]) == {}
            assert [left.plan() for left in talking] == [[] for _ in talking]
            talk(talking)


def listed(one: Operator, other: Operator, second: Operator) -> None:
    """Asserts that `chats list` shows the three chats, each in its Region, and what is whose."""
    found = one.json("chats", "list")
    chats = {(each["chat"], each["region"]): each for each in found["chats"]}
    assert {(each.name, each.region) for each in (one, other, second)} <= chats.keys()
    assert [place for place, each in chats.items() if each["current"]] == [(one.name, one.region)]
    mine = chats[one.name, one.region]
    expected = {"api": 2, "function": 5, "log-group": 5, "queue": 1, "stage": 2, "table": 3}
    assert (mine["state"], mine["resources"], mine["count"]) == ("deployed", expected, 18)
    assert found["skipped"] == []
    # Limited to one Region, for a person.
    ran = one.run("--region", OTHER_REGION, "chats", "list")
    assert ran.code == 0
    assert f"{other.name}\t{OTHER_REGION}\tdeployed\t" in ran.out
    assert second.name not in ran.out
    # AWS lists resources in pages.
    pages = (
        one.root("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(TagFilters=[{"Key": "nwchat:chat", "Values": [one.name]}], ResourcesPerPage=7)
    )
    assert [len(page["ResourceTagMappingList"]) for page in pages] == [7, 7, 4]
    # A renamed chat is a new one.
    ran = one.run("plan", NWCHAT_CHAT__NAME="e2e-renamed")
    assert f"e2e-renamed is new; other chats in us-east-2: {one.name}, {second.name}" in ran.err.replace(
        "e2e-earlier, ", ""
    )


@contextmanager
def unchanged(*chats: Operator) -> Iterator[None]:
    """Asserts that nothing of the chats changes within."""
    before = exact(chats)
    assert len(before) >= 20 * len(chats)
    yield
    assert exact(chats) == before


def player(chat: Operator, stack: ExitStack) -> Player:
    return Player(stack.enter_context(connect(chat.url, proxy=None, open_timeout=SECONDS)))


def talk(talking: Talking) -> None:
    """Asserts that what one player of a chat says reaches the other, and no other chat."""
    texts = {chat: unique() for chat in talking}
    for chat, (first, _) in talking.items():
        first.send({"action": "onMessage", "message": texts[chat]})
    for chat, players in talking.items():
        for each in players:
            others = {text for other, text in texts.items() if other is not chat}
            assert others.isdisjoint(frame.get("message") for frame in heard(each, texts[chat]))


def heard(player: Player, text: str) -> list[Frame]:
    """The frames that the player receives, up to the message with this text."""
    return player.receive_until(lambda frame: frame.get("message") == text)


# Chats that an earlier version of the tool deployed -----------------------------------------------


@contextmanager
def earlier_version() -> Iterator[None]:
    """The tool as it was when the names and tags of roles had no Region."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ResourceNames, "role", lambda self, short, region: self.role_without_region(short))
        patch.setattr(functions, "with_region", lambda tags, region: tags)
        patch.setattr(cloud, "works_here", lambda role, own, location, used: has_tags(role.tags, own))
        yield


def roles(chat: Operator) -> set[str]:
    return {each.partition(" ")[2] for each in chat.resources() if each.startswith("role ")}


def test_chat_of_an_earlier_version_is_migrated_by_its_next_deploy(sandbox: Sandbox, tmp_path: Path) -> None:
    one = Operator(sandbox, "e2e-earlier", tmp_path)
    other = Operator(sandbox, "e2e-earlier", tmp_path, OTHER_REGION)
    with ExitStack() as stack:
        with earlier_version():
            first = one.deploy()["release"]
            one.deploy(**WARN)
        earlier = roles(one)
        talking = {one: (player(one, stack), player(one, stack))}
        # The roles of the versions that players use, and that a rollback leads to, are kept.
        changes = one.plan(**WARN)
        assert {(each["action"], each["kind"]) for each in changes} == {("update", "role")}
        assert {field["name"] for each in changes for field in each["fields"]} == {"tags.nwchat:region"}
        one.deploy(**WARN)
        assert (one.plan(**WARN), roles(one)) == ([], earlier)
        assert one.json("rollback")["release"] == first
        assert one.json("smoke")["ok"]
        talk(talking)

        # The fault of that version: a deploy in a second Region takes the roles.
        with earlier_version():
            other.deploy()
        assert one.run("smoke").code != 0
        with unchanged(other):
            one.deploy()
        assert one.plan() == []
        assert roles(one) - earlier == {f"{each}-us-east-2" for each in earlier}
        talk(talking)
        with unchanged(one):
            other.deploy()
            assert (other.plan(), other.json("smoke")["ok"]) == ([], True)
        # A version that runs on the roles of the other Region is nothing to return to.
        ran = one.run("rollback", first)
        assert ran.error is not None
        assert ran.code == 4
        talk(talking)
        with unchanged(one):
            other.destroy()
        one.destroy()
        assert roles(one) == set()
