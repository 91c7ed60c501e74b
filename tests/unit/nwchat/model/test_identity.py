"""Whose a frame is: by the token of the handshake alone, where there was one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from nwchat.config import Config
from nwchat.connect import connect
from nwchat.message import message
from nwchat.model.identity import Identity
from tests.unit.nwchat.fake_chat import NOW, Chat, FakeStore, error, frame, handshake, room

EVA = Identity("7", "eva", "moderator")
CLAIMED = {"message": "hi", "uname": "admin", "sender_id": "1"}


def says(chat: Chat, body: str, who: Identity | None, connection_id: str = "me") -> Any:
    request: dict[str, Any] = {"connectionId": connection_id, "connectedAt": NOW - 60_000}
    if who is not None:
        # As API Gateway passes it, with what it adds.
        request["authorizer"] = {**who.as_context(), "principalId": who.sender_id, "integrationLatency": 3}
    return message({"requestContext": request, "body": body}, chat.services, chat.poster, math.inf, chat.log)


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("body", [json.dumps(CLAIMED), json.dumps({"action": "onMessage", **CLAIMED}), "hi"])
def test_token_decides_sender_of_message(tokens: bool, body: str) -> None:
    chat = Chat(room("me", "other"), tokens=tokens)
    assert says(chat, body, EVA) == {"statusCode": 200}
    said = frame(1, "hi", "eva", "7")
    assert chat.gateway.received == {"me": [said], "other": [said]}
    assert chat.store.activity == [("me", NOW - 60_000, "eva", "7")]


def test_the_key_of_a_message_is_its_senders_by_the_token() -> None:
    chat = Chat(room("me"), tokens=True)
    says(chat, json.dumps({**CLAIMED, "client_id": "k"}), EVA)
    assert [(each.kind, each.owner, each.key) for each in chat.store.sent] == [("proven", "7", "k")]


@pytest.mark.parametrize(
    "body", [json.dumps({**CLAIMED, "client_id": "k"}), '{"action": "history", "client_id": "k"}']
)
def test_token_mode_ignores_frames_without_identity(body: str) -> None:
    chat = Chat(room("me", "other"), tokens=True)
    assert says(chat, body, None) == {"statusCode": 200}
    refusal = error("unauthorized", "connect again, with a token", client_id="k")
    assert chat.gateway.received == {"me": [refusal]}
    assert chat.store.messages == []
    assert [each["code"] for each in chat.logged()] == ["unauthorized"]


def test_authorizer_context_without_id_has_no_identity() -> None:
    chat = Chat(room("me"), tokens=True)
    says(chat, "hi", Identity("", "admin"))
    assert chat.store.messages == []


def test_identity_is_stored_on_connect() -> None:
    chat = Chat(FakeStore(), tokens=True)
    event: dict[str, Any] = handshake()
    event["requestContext"]["authorizer"] = EVA.as_context()
    assert connect(event, chat.services, chat.log) == {"statusCode": 200}
    (row,) = chat.store.rows.values()
    assert (row.sender_id, row.uname) == ("7", "eva")


@pytest.mark.parametrize("authorizer", [None, {}, {"principalId": "7"}, "7"])
def test_connect_is_refused_without_authorizer(authorizer: Any) -> None:
    chat = Chat(FakeStore(), tokens=True)
    event: dict[str, Any] = handshake()
    event["requestContext"]["authorizer"] = authorizer
    assert connect(event, chat.services, chat.log) == {"statusCode": 403}
    assert chat.store.rows == {}


def test_the_mode_is_read_from_the_environment() -> None:
    tables = {"NWCHAT_CONNECTIONS_TABLE": "c", "NWCHAT_MESSAGES_TABLE": "m"}
    assert not Config.from_env(tables).tokens
    found = Config.from_env({**tables, "NWCHAT_AUTH_MODE": "token", "NWCHAT_AUTH_PARAMETER": "/p"})
    assert (found.tokens, found.key_parameter) == (True, "/p")
