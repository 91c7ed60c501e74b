"""Hashes that stand for persons in logs."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from nwchat.model.bans import Ban, address_key, address_of, prefix_key, user_key
from nwchat.model.log_hash import address_text, ban_fields, caller_hashes, log_hash

KEY, OTHER_KEY = b"0f4a3b9e-1111-2222-3333-444455556666", b"another table"


def hashed(text: str) -> str:
    return f"<{text}>"


def test_a_hash_is_short_stable_and_keyed() -> None:
    made = log_hash(KEY, "address#203.0.113.7")
    assert re.fullmatch("[0-9a-f]{12}", made)
    assert made == log_hash(KEY, "address#203.0.113.7")
    assert made != log_hash(OTHER_KEY, "address#203.0.113.7")
    assert made != log_hash(KEY, "address#203.0.113.8")


def test_addresses_are_not_found_without_the_key() -> None:
    """No plain digest of the address or of the hashed text begins with the hash."""
    made = log_hash(KEY, "address#203.0.113.7")
    for text in ("203.0.113.7", "address#203.0.113.7"):
        for name in ("md5", "sha1", "sha256", "sha512"):
            assert not hashlib.new(name, text.encode()).hexdigest().startswith(made)


def test_any_text_of_a_client_has_a_hash() -> None:
    assert re.fullmatch("[0-9a-f]{12}", log_hash(KEY, "user#\ud800"))


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("203.0.113.7", "address#203.0.113.7"),
        ("::ffff:203.0.113.7", "address#203.0.113.7"),
        ("2001:db8:0:1::5", "address#2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::9", "address#2001:db8:0:1::/64"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_an_address_is_hashed_as_a_ban_on_it(address: str, text: str) -> None:
    assert address_text(address) == text
    if text and ":" not in text:
        assert text == address_key(address_of(address))


def test_addresses_of_one_subscriber_share_the_hash_of_a_ban_on_them() -> None:
    ip = address_of("2001:db8:0:1::5")
    assert address_text("2001:db8:0:1:2:3:4:5") == prefix_key(ip)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_context", "fields"),
    [
        ({}, {}),
        ({"identity": None, "authorizer": "?"}, {}),
        ({"identity": {"sourceIp": "203.0.113.7"}}, {"address": "<address#203.0.113.7>"}),
        (
            {"identity": {"sourceIp": "203.0.113.7"}, "authorizer": {"sender_id": "T 7", "uname": "Tom"}},
            {"address": "<address#203.0.113.7>", "sender": f"<{user_key('T 7')}>"},
        ),
    ],
)
def test_fields_of_a_caller(request_context: dict[str, Any], fields: dict[str, str]) -> None:
    assert caller_hashes(request_context, hashed) == fields
    ban = Ban("user#tom", "Tom", by="eve", reason="spam")
    assert ban_fields(ban, request_context, hashed) == {"ban": "<user#tom>", **fields}
