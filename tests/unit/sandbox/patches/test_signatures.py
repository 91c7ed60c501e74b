"""Which addresses are the chat's own, and which account an access key selects."""

from __future__ import annotations

import pytest
from ministack.core import responses
from ministack.services import apigateway

from nwchatctl.sandbox.patches import signatures

OWNERS = {
    "aaaaaaaa": ("WEBSOCKET", "000000000000", "us-east-2"),
    "bbbbbbbb": ("HTTP", "000000000000", "us-east-2"),
}


@pytest.mark.parametrize(
    ("type", "path", "expected"),
    [
        ("websocket", "/_aws/execute-api/aaaaaaaa/production", True),
        ("http", "/_aws/execute-api/aaaaaaaa/production", False),
        ("http", "/_aws/execute-api/bbbbbbbb/messages", True),
        ("http", "/_aws/execute-api/bbbbbbbb/$default/messages", True),
        ("websocket", "/_aws/execute-api/bbbbbbbb/messages", False),
        ("http", "/_aws/execute-api/aaaaaaaa/production/@connections/x", False),
        ("http", "/_aws/execute-api/bbbbbbbb/production/@connections/x", False),
        ("http", "/_aws/execute-api/bbbbbbbb/production/@connections", False),
        ("http", "/_aws/execute-api/cccccccc/messages", False),
        ("http", "/_aws/execute-api/", False),
        ("http", "/_ministack/health", False),
        ("http", "/", False),
    ],
)
def test_chat_addresses(monkeypatch: pytest.MonkeyPatch, type: str, path: str, expected: bool) -> None:
    monkeypatch.setattr(apigateway, "_api_owner", OWNERS.get)
    scope = {"type": type, "path": path, "headers": [(b"host", b"127.0.0.1:4566")]}
    assert signatures.is_chat(scope) is expected


@pytest.mark.parametrize("key", ["123456789012", "111122223333", "", "AKIDEXAMPLE", "test"])
def test_access_key_of_digits_selects_no_account(key: str) -> None:
    signatures.set_account(key)
    assert responses.get_account_id() == "000000000000"
