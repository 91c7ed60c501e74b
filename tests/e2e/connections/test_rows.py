"""The rows of sockets that are gone, and more rows than DynamoDB gives in one page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nwchat.aws.signing import Credentials
from nwchat.delivery.outcome import Delivered, Failed, Gone, Outcome, Refused
from nwchat.delivery.poster import Poster
from nwchat.delivery.prefetch import Prefetcher
from nwchat.delivery.socket_transport import SocketTransport, Transport
from nwchat.delivery.tally import Counts
from nwchat.delivery.targets import RowDeletion
from nwchat.model.rows import Recipient
from nwchat.storage.scan import ScanSegment
from nwchat.storage.store import Store
from nwchatctl.net.curl_transport import CurlTransport
from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.support.chat import UNREACHABLE, Chat, connection_row, eventually, gather, now_ms, unique

MANY = 1500


def stale(chat: Chat) -> set[str]:
    return {key for key in chat.rows() if key.startswith("stale")}


@contextmanager
def posting(chat: Chat, transport: Transport, url: str = "") -> Iterator[Poster]:
    """A poster with the operator's key, to the chat's sockets if not to `url`."""
    target = chat.sandbox.target

    def credentials() -> Credentials:
        return Credentials(target.access_key_id, target.secret_access_key)

    rows = RowDeletion(chat.sandbox.endpoint, DEFAULT_REGION, chat.connections_table, credentials)
    stage = url or chat.url.replace("ws://", "http://")
    try:
        yield Poster(transport, stage, DEFAULT_REGION, credentials, rows, now_ms)
    finally:
        transport.close()


@pytest.fixture(params=[SocketTransport, CurlTransport])
def transport(request: pytest.FixtureRequest) -> Transport:
    made: Transport = request.param()
    return made


def test_message_deletes_row_of_closed_socket(chat: Chat) -> None:
    chat.wait_until_empty()
    timeless = connection_row("stale-timeless")
    del timeless["connected_at"], timeless["expires_at"]
    expired = connection_row("stale-expired")
    expired["expires_at"] = {"N": str(now_ms() // 1000 - 1)}
    with chat.expiry_off(), chat.players() as (one, other):
        chat.put_connections(
            connection_row("stale-old"),
            timeless,
            {
                "connection_id": {"S": "stale-odd"},
                "connected_at": {"S": "yesterday"},
                "expires_at": {"S": ""},
            },
            # API Gateway may say "gone" of a socket that is just being made.
            connection_row("stale-young", age_ms=-60_000),
            # TTL deletes it some day; until then it is nobody to send to.
            expired,
        )
        text = unique()
        one.send(text)
        assert other.receive_text(text)["message"] == text
        # What is compared is the row as it was read, and a time that is none as well.
        eventually(lambda: stale(chat), {"stale-young", "stale-expired"})
        assert len(chat.rows()) == 4
    chat.delete_connections("stale-young", "stale-expired")


def test_row_of_new_socket_with_same_id_is_kept(chat: Chat, transport: Transport) -> None:
    """Between reading a row and deleting it, somebody else has written it."""
    chat.wait_until_empty()
    store = Store(chat.sandbox.client("dynamodb"), chat.connections_table, chat.messages_table)
    chat.put_connections(connection_row("stale-same"), connection_row("stale-rewritten"))
    rewritten = connection_row("stale-rewritten", age_ms=30_000)

    def settled(recipient: Recipient, outcome: Outcome) -> None:
        assert outcome == Gone()
        if recipient.connection_id == "stale-rewritten":
            chat.put_connections(rewritten)

    everybody = Prefetcher([lambda: (found.recipients for found in store.scan(ScanSegment(), now_ms()))])
    with posting(chat, transport) as poster:
        counts = poster.post_all(everybody, b"hi", on_outcome=settled)
    assert counts == Counts(recipients=2, gone=2, forgotten=1)
    assert chat.rows() == {"stale-rewritten": rewritten}
    chat.delete_connections("stale-rewritten")


def test_unreachable_connection_does_not_affect_others(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players(3) as (one, *others):
        chat.put_connections(connection_row(UNREACHABLE), connection_row("stale-gone"))
        one.send({"message": unique(), "client_id": "mine"})
        here, *there = gather(one, *others)
        assert [frame["type"] for frame in here] == ["message", "ack"], "no error for the sender"
        assert [len(frames) for frames in there] == [1, 1]
        eventually(lambda: stale(chat), set())
        assert UNREACHABLE in chat.rows(), "refused is not gone"

        chat.put_connections(connection_row("stale-gone"))
        text = unique()
        done = chat.nwchatctl("broadcast", text, "--json")
        assert done.code == 5, "partly done"
        assert {key: done.data[key] for key in ("recipients", "delivered", "gone", "failed")} == {
            "recipients": 5,
            "delivered": 3,
            "gone": 1,
            "failed": 1,
        }
        assert done.err.startswith("warning: 1 time: 403 ")
        for each in (one, *others):
            assert each.receive_text(text)["type"] == "announcement"
    chat.delete_connections(UNREACHABLE)


@pytest.fixture
def many_rows(chat: Chat) -> list[dict[str, object]]:
    """Rows that are more than a page of a scan together, which is 1 MB."""
    chat.wait_until_empty()
    made = [
        connection_row(
            f"stale-{number:04}", user_agent=f"{number} " + "Mozilla/5.0 " * 80, uname=f"name {number}"
        )
        for number in range(MANY)
    ]
    assert sum(len(str(row)) for row in made) > 1_400_000
    chat.put_connections(*made)
    return made


def test_several_pages_of_rows_are_listed_and_broadcast_to(
    chat: Chat, many_rows: list[dict[str, object]]
) -> None:
    with chat.players(2) as players:
        listed = chat.json("connections", "list")
        assert listed["count"] == len(listed["connections"]) == MANY + 2
        names = {each["uname"] for each in listed["connections"]}
        assert names == {None} | {f"name {number}" for number in range(MANY)}
        text = unique()
        sent = chat.json("broadcast", text)
        assert {key: sent[key] for key in ("recipients", "delivered", "gone", "failed")} == {
            "recipients": MANY + 2,
            "delivered": 2,
            "gone": MANY,
            "failed": 0,
        }
        for each in players:
            assert each.receive_text(text)["type"] == "announcement"
        assert len(chat.rows()) == 2


def test_several_pages_of_rows_receive_a_message(chat: Chat, many_rows: list[dict[str, object]]) -> None:
    with chat.players(3) as (one, *others):
        text = unique()
        one.send({"message": text, "client_id": "mine"})
        # The echo does not wait for the others, and the ack does.
        assert one.receive_text(text)["type"] == "message"
        assert one.receive_type("ack")["client_id"] == "mine"
        for each in others:
            assert each.receive_text(text)["type"] == "message"
        # Each of them was posted to, or its row would be there still.
        eventually(lambda: len(chat.rows()), 3)


def test_outcomes_are_distinguished(chat: Chat, transport: Transport) -> None:
    """What the sandbox answers to a post is what AWS answers, as far as the counts go by it."""
    agent = unique("told apart")
    with posting(chat, transport) as poster:
        with chat.players(1, user_agent_header=agent) as (one,):
            (mine,) = (key for key, row in chat.rows().items() if row.get("user_agent") == {"S": agent})
            assert poster.post(mine, b'{"message": "straight"}') == Delivered()
            assert one.receive() == {"message": "straight"}
        eventually(lambda: mine in chat.rows(), False)
        assert poster.post(mine, b"too late") == Gone()
        refused = poster.post(UNREACHABLE, b"nowhere")
        assert isinstance(refused, Refused)
        assert refused.status == 403


def test_unreachable_endpoint_is_a_failure(chat: Chat, transport: Transport) -> None:
    with posting(chat, transport, "http://127.0.0.1:1") as poster:
        assert isinstance(poster.post("anybody", b""), Failed)
