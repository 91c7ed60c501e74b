"""The lock and the releases in their table, on moto: taken as it was seen or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from nwchatctl.aws.deploys import Deploys
from nwchatctl.deploy.holding import Holder, Seen
from nwchatctl.deploy.model.release import Release

ME = Holder("mine", "me", "laptop", "boot/1/2", "deploy", 1_000, 2_000, "r1")
YOU = Holder("yours", "you", "desk", "boot/3/4", "destroy", 1_500, 2_500)


@pytest.fixture
def deploys() -> Iterator[Deploys]:
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="us-east-2", aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.create_table(
            TableName="deploys",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Deploys(client, "deploys")


def test_there_is_nothing_where_there_is_no_table() -> None:
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="us-east-2", aws_access_key_id="a", aws_secret_access_key="b"
        )
        rows = Deploys(client, "deploys").read()
    assert (rows.there, rows.seen, rows.records) == (False, Seen(), ())


def test_names_that_a_certificate_was_requested_for_are_remembered(deploys: Deploys) -> None:
    deploys.put_requested("chat.example.com")
    deploys.put_requested("b.example.com")
    deploys.delete_requested("b.example.com")
    deploys.delete_requested("never.example.com")
    rows = deploys.read()
    assert (rows.requested, rows.records) == (frozenset({"chat.example.com"}), ())
    Deploys(deploys._client, "gone").delete_requested("chat.example.com")


def test_a_lock_is_taken_once_kept_and_let_go(deploys: Deploys) -> None:
    assert deploys.read().seen == Seen()
    assert deploys.take(ME, Seen())
    assert deploys.read().seen == Seen(ME)
    assert not deploys.take(YOU, Seen())
    assert deploys.renew(dataclasses.replace(ME, expires_at=9_000))
    assert deploys.read().seen == Seen(dataclasses.replace(ME, expires_at=9_000))
    assert not deploys.renew(YOU)
    deploys.drop(YOU)
    assert deploys.read().seen.holder is not None
    deploys.drop(ME)
    assert deploys.read().seen == Seen(None, "mine")


def test_who_read_before_somebody_was_at_it_does_not_get_it(deploys: Deploys) -> None:
    """Neither the first time nor later: what was read is old by then."""
    before = deploys.read().seen
    assert deploys.take(ME, before)
    deploys.drop(ME)
    assert not deploys.take(YOU, before)
    between = deploys.read().seen
    assert deploys.take(ME, between)
    again = dataclasses.replace(ME, token="mine again")
    deploys.drop(ME)
    assert deploys.take(again, deploys.read().seen)
    deploys.drop(again)
    assert not deploys.take(YOU, between)
    assert deploys.take(YOU, deploys.read().seen)


def test_a_dead_ones_lock_is_taken_over_by_one(deploys: Deploys) -> None:
    assert deploys.take(ME, Seen())
    seen = deploys.read().seen
    third = dataclasses.replace(YOU, token="third")
    assert deploys.take(YOU, seen)
    assert not deploys.take(third, seen)
    # The dead one was alive after all: it hears that it has lost.
    assert not deploys.renew(ME)
    deploys.drop(ME)
    found = deploys.read().seen.holder
    assert found is not None
    assert found.token == "yours"


def test_who_renews_it_is_alive(deploys: Deploys) -> None:
    assert deploys.take(ME, Seen())
    seen = deploys.read().seen
    assert deploys.renew(dataclasses.replace(ME, expires_at=9_000))
    assert not deploys.take(YOU, seen)
    assert deploys.take(YOU, deploys.read().seen)


def test_a_lock_without_its_table_is_nobodys(deploys: Deploys) -> None:
    """Destroyed since it was read."""
    deploys._client.delete_table(TableName="deploys")
    assert not deploys.take(ME, Seen())


def test_taking_it_twice_because_an_answer_was_lost_is_taking_it(deploys: Deploys) -> None:
    assert deploys.take(ME, Seen())
    assert deploys.take(ME, Seen())


def test_a_lock_can_be_taken_away(deploys: Deploys) -> None:
    assert deploys.take(ME, Seen())
    deploys.unlock(deploys.read().seen)
    deploys.unlock(deploys.read().seen)
    assert deploys.read().seen == Seen(None, "mine")


def test_releases_come_newest_first_and_go(deploys: Deploys) -> None:
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
