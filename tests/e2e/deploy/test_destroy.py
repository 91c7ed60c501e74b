"""What destroy takes away and what it leaves, who has to say so, and what a deploy finds again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

OWN = "table nwchat-e2e-destroy-deploys"
TABLES = {"table nwchat-e2e-destroy-connections", "table nwchat-e2e-destroy-messages"}
EACH = ("connect", "disconnect", "message", "fanout", "history")
LOGS = {f"log-group /aws/lambda/nwchat-e2e-destroy-{each}" for each in EACH}
FUNCTIONS = {f"function nwchat-e2e-destroy-{each}" for each in EACH}
ROLES = {f"role nwchat-e2e-destroy-{each}-us-east-2" for each in EACH}
HISTORY = "history-api nwchat-e2e-destroy-history"
QUEUE = "queue nwchat-e2e-destroy-dead-letters"
ALL = {OWN, QUEUE} | TABLES | LOGS | FUNCTIONS | ROLES | {"api nwchat-e2e-destroy", HISTORY}


@pytest.fixture
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-destroy", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


def names(things: list[dict[str, str]]) -> set[str]:
    return {f"{each['kind']} {each['name']}" for each in things}


def test_destroy_without_confirmation_deletes_nothing(operator: Operator) -> None:
    assert operator.resources() == ALL
    ran = operator.run("destroy", "--dry-run", "--delete-data", "--json")
    assert (ran.code, ran.writes) == (0, [])
    assert names(ran.data["changes"]) == {*ALL, "stage production"} - {""}
    assert ran.data.keys() >= {"chat", "stage", "account", "region", "changes", "applied", "left"}
    assert (ran.data["applied"], ran.data["left"]) == (0, [])
    assert names(operator.json("destroy", "--dry-run")["left"]) == TABLES
    assert names(operator.json("destroy", "--dry-run", "--keep-logs")["left"]) == TABLES | LOGS

    for argv, flag in (
        ([], "--yes"),
        (["--json"], "--yes"),
        (["--confirm", "e2e-destroyed"], "--confirm"),
        (["--delete-data"], "--confirm"),
        # Losing data needs a word of its own.
        (["--delete-data", "--yes"], "--confirm"),
        (["--delete-data", "--confirm", "e2e-destro"], "--confirm"),
        (["--delete-data", "--yes", "--confirm", "E2E-DESTROY", "--json"], "--confirm"),
    ):
        ran = operator.run("destroy", *argv)
        assert (ran.code, ran.writes) == (7, []), argv
        assert ran.error is not None
        assert flag in f"{ran.error.message} {ran.error.hint}", argv
    said = operator.run("destroy").err
    assert f"! everybody who is connected is disconnected, and {operator.url} stops working" in said
    assert f"! {operator.history_url} stops working" in said
    for each in TABLES:
        assert f"\nstays: {each} (about 0 items)\n" in said
    data = operator.json("destroy", "--dry-run", "--delete-data")["consequences"]
    assert {"address_removed", "history_removed", "data_deleted", "logs_deleted"} <= {
        each["code"] for each in data
    }
    assert operator.resources() == ALL
    assert operator.plan() == []


def test_data_is_kept_and_reused(operator: Operator) -> None:
    first = operator.json("broadcast", "the last word")["id"]
    ran = operator.run("destroy", "--yes", "--json")
    assert ran.code == 0
    assert names(ran.data["left"]) == TABLES
    assert ran.data["applied"] == len(ran.data["changes"]) == 20
    assert operator.resources() == TABLES
    assert operator.root("dynamodb").scan(TableName=operator.resource_name("messages"))["Count"] == 1

    twice = operator.run("destroy", "--yes", "--json")
    assert (twice.code, twice.writes) == (0, [])
    assert (twice.data["changes"], twice.data["applied"], names(twice.data["left"])) == ([], 0, TABLES)
    lines = operator.run("destroy").out.splitlines()
    assert lines == ["nothing to do: the rest is gone already", *(f"left: {each}" for each in sorted(TABLES))]

    changes = operator.deploy()["changes"]
    assert [each["name"] for each in changes if each["kind"] == "table"] == ["nwchat-e2e-destroy-deploys"]
    (kept,) = map(str, operator.run("history", "tail", "--json").out.splitlines())
    assert first in kept
    assert operator.plan() == []


def test_data_is_deleted_with_confirmed_name_and_logs_are_kept_on_request(operator: Operator) -> None:
    ran = operator.run("destroy", "--delete-data", "--keep-logs", "--confirm", "e2e-destroy", "--json")
    assert ran.code == 0
    assert operator.resources() == names(ran.data["left"]) == LOGS
    assert operator.deploy()["applied"] == 43
    assert operator.plan() == []
    assert operator.run("destroy", "--delete-data", "--confirm", "e2e-destroy").code == 0
    assert operator.resources() == set()
    ran = operator.run("destroy", "--delete-data", "--confirm", "e2e-destroy")
    assert (ran.code, ran.out) == (0, "nothing to do: none of this chat is there\n")


def test_destroy_closes_sockets(operator: Operator) -> None:
    """And what was half taken down is taken down by the next run."""
    operator.root("lambda").delete_function(FunctionName=operator.resource_name("connect"))
    operator.api.delete_stage(ApiId=operator.api_id, StageName="production")
    assert operator.json("destroy", "--yes")["applied"] == 18
    assert operator.resources() == TABLES
