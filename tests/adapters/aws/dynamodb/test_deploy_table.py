"""The lock and the releases in their table, on moto: taken as it was seen or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from moto import mock_aws

from nwchatctl.aws.dynamodb.deploy_table import DeployTable
from nwchatctl.deploy.lock import LockHolder, LockState
from nwchatctl.deploy.model.release import Release
from tests.adapters.aws.stubbed_clients import StubbedClients
from tests.adapters.moto_tables import moto_client

ME = LockHolder("mine", "me", "laptop", "boot/1/2", "deploy", 1_000, 2_000, "r1")
YOU = LockHolder("yours", "you", "laptop", "boot/3/4", "destroy", 1_500, 2_500)


@pytest.fixture
def deploys() -> Iterator[DeployTable]:
    with mock_aws():
        client = moto_client()
        client.create_table(
            TableName="deploys",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield DeployTable(client, "deploys")


def test_missing_table_reads_as_empty() -> None:
    with mock_aws():
        client = moto_client()
        rows = DeployTable(client, "deploys").read()
    assert (rows.exists, rows.lock, rows.records) == (False, LockState(), ())


def test_certificate_domains_are_recorded(deploys: DeployTable) -> None:
    deploys.put_requested("chat.example.com")
    deploys.put_requested("b.example.com")
    deploys.delete_requested("b.example.com")
    deploys.delete_requested("never.example.com")
    rows = deploys.read()
    assert (rows.requested, rows.records) == (frozenset({"chat.example.com"}), ())
    DeployTable(deploys._client, "gone").delete_requested("chat.example.com")


def test_tag_keys_are_recorded(deploys: DeployTable) -> None:
    deploys.put_tag_key("cost center")
    deploys.put_tag_key("cost center")
    deploys.put_tag_key("team")
    assert deploys.read().tag_keys == {"cost center", "team"}


MISSING = ("update_item", "ResourceNotFoundException", "Requested resource not found")


@pytest.mark.parametrize("status", ["CREATING", "ACTIVE"])
@pytest.mark.usefixtures("no_waiting")
def test_lock_of_a_new_table_is_acquired_once_it_is_found(clients: StubbedClients, status: str) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error(*MISSING)
    stub.add_response("describe_table", {"Table": {"TableStatus": status}})
    stub.add_response("update_item", {})
    assert DeployTable(client, "deploys").acquire_lock(ME, LockState())


@pytest.mark.parametrize("deleting", [True, False])
def test_lock_of_a_deleted_table_is_not_acquired(clients: StubbedClients, deleting: bool) -> None:
    client, stub = clients.client("dynamodb")
    stub.add_client_error(*MISSING)
    if deleting:
        stub.add_response("describe_table", {"Table": {"TableStatus": "DELETING"}})
    else:
        stub.add_client_error("describe_table", "ResourceNotFoundException")
    assert not DeployTable(client, "deploys").acquire_lock(ME, LockState())


def test_lock_is_acquired_once_renewed_and_released(deploys: DeployTable) -> None:
    assert deploys.read().lock == LockState()
    assert deploys.acquire_lock(ME, LockState())
    assert deploys.read().lock == LockState(ME)
    assert not deploys.acquire_lock(YOU, LockState())
    assert deploys.renew_lock(dataclasses.replace(ME, expires_at=9_000))
    assert deploys.read().lock == LockState(dataclasses.replace(ME, expires_at=9_000))
    assert not deploys.renew_lock(YOU)
    deploys.release_lock(YOU)
    assert deploys.read().lock.holder is not None
    deploys.release_lock(ME)
    assert deploys.read().lock == LockState(None, "mine")


def test_lock_is_refused_after_stale_read(deploys: DeployTable) -> None:
    """Neither the first time nor later: what was read is old by then."""
    before = deploys.read().lock
    assert deploys.acquire_lock(ME, before)
    deploys.release_lock(ME)
    assert not deploys.acquire_lock(YOU, before)
    between = deploys.read().lock
    assert deploys.acquire_lock(ME, between)
    again = dataclasses.replace(ME, token="mine again")
    deploys.release_lock(ME)
    assert deploys.acquire_lock(again, deploys.read().lock)
    deploys.release_lock(again)
    assert not deploys.acquire_lock(YOU, between)
    assert deploys.acquire_lock(YOU, deploys.read().lock)


def test_expired_lock_is_taken_over_by_one_process(deploys: DeployTable) -> None:
    assert deploys.acquire_lock(ME, LockState())
    state = deploys.read().lock
    third = dataclasses.replace(YOU, token="third")
    assert deploys.acquire_lock(YOU, state)
    assert not deploys.acquire_lock(third, state)
    # The dead one was alive after all: it hears that it has lost.
    assert not deploys.renew_lock(ME)
    deploys.release_lock(ME)
    found = deploys.read().lock.holder
    assert found is not None
    assert found.token == "yours"


def test_renewed_lock_is_not_taken_over(deploys: DeployTable) -> None:
    assert deploys.acquire_lock(ME, LockState())
    state = deploys.read().lock
    assert deploys.renew_lock(dataclasses.replace(ME, expires_at=9_000))
    assert not deploys.acquire_lock(YOU, state)
    assert deploys.acquire_lock(YOU, deploys.read().lock)


def test_lock_without_table_is_free(deploys: DeployTable) -> None:
    """Destroyed since it was read."""
    deploys._client.delete_table(TableName="deploys")
    assert not deploys.acquire_lock(ME, LockState())


def test_lock_is_acquired_when_first_response_was_lost(deploys: DeployTable) -> None:
    assert deploys.acquire_lock(ME, LockState())
    assert deploys.acquire_lock(ME, LockState())


def test_lock_can_be_removed_by_force(deploys: DeployTable) -> None:
    assert deploys.acquire_lock(ME, LockState())
    deploys.break_lock(deploys.read().lock)
    deploys.break_lock(deploys.read().lock)
    assert deploys.read().lock == LockState(None, "mine")


def test_releases_are_listed_newest_first_and_deleted(deploys: DeployTable) -> None:
    one = Release("r1", (("f", "a"),), "d1", "c0de", False, (("f.memory_mb", "1"),))
    two = dataclasses.replace(one, name="r2", functions=(("f", "b"),))
    deploys.put_release(one, 1_000, "me")
    deploys.put_release(two, 2_000, "you", before="r1")
    records = deploys.read().records
    assert [(each.release, each.created_at, each.by) for each in records] == [
        (dataclasses.replace(two, latest=True), 2_000, "you"),
        (one, 1_000, "me"),
    ]
    assert [each.before for each in records] == ["r1", ""]
    assert records[1].release.settings == (("f.memory_mb", "1"),)
    deploys.put_release(one, 3_000, "me")
    assert [each.release.name for each in deploys.read().records] == ["r1", "r2"]
    deploys.delete_release(two)
    deploys.delete_release(two)
    assert [each.release.name for each in deploys.read().records] == ["r1"]
