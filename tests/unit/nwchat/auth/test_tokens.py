"""Tokens as values: where one is, whether it is good, and how long a function keeps the keys."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from typing import Any, get_args

import pytest

from nwchat.auth import tokens
from nwchat.auth.key_cache import (
    FRESH_SECONDS,
    MAX_WAIT_SECONDS,
    RETRY_DELAY_SECONDS,
    STALE_SECONDS,
    KeyCache,
    NoKeys,
)
from nwchat.auth.token_keys import TokenKey, read_keys, write_keys
from nwchat.auth.tokens import (
    Reason,
    TokenAccepted,
    TokenRefused,
    bearer_token,
    create_token,
    format_error,
    handshake_token,
    verify,
    verify_with,
)
from nwchat.authorize import ascii_principal, authorize
from nwchat.log import JsonFormatter, Log
from nwchat.model.identity import Identity
from tests.e2e.support.token_factory import part, token
from tests.paths import DOCS

NOW = 1_700_000_000
NEW, OLD = TokenKey("new", "n" * 43, NOW - 60), TokenKey("old", "o" * 43, NOW - 90_000)
KEYS = (NEW, OLD)
CLAIMS: dict[str, Any] = {"sub": "128274", "name": "tchalvak", "exp": NOW + 60}


def judged(made: str, keys: tuple[TokenKey, ...] = KEYS) -> Any:
    found = verify(made, keys, NOW, 40)
    return found.identity if isinstance(found, TokenAccepted) else found.reason


def signed(key: TokenKey = NEW, header: Any = None, **changed: Any) -> str:
    return token(
        key.key,
        {name: value for name, value in (CLAIMS | changed).items() if value is not None},
        header=header,
    )


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("x" * 4097, "too_long"),
        ("a.b", "malformed"),
        (token(NEW.key, CLAIMS, header="no JSON"), "malformed"),
        (token(NEW.key, "no JSON"), "malformed"),
        (token(NEW.key, [CLAIMS]), "malformed"),
        (token(NEW.key, "[" * 2900), "malformed"),
        (token(NEW.key, CLAIMS, header="[" * 2900), "malformed"),
        (token(NEW.key, CLAIMS, header={"alg": "HS256", "kid": 1}), "malformed"),
        (token(NEW.key, CLAIMS, header={"alg": "none"}), "algorithm"),
        (token(NEW.key, CLAIMS, header={}), "algorithm"),
        (token(NEW.key, CLAIMS, header={"alg": "HS256", "crit": ["exp"]}), "malformed"),
        (token(NEW.key, CLAIMS, header={"alg": "HS256", "crit": ["b64"]}), "malformed"),
        (token(NEW.key, CLAIMS, header={"alg": "HS256", "b64": False}), "malformed"),
        (token(NEW.key, CLAIMS, header={"alg": "HS256", "kid": "x"}), "unknown_key"),
        (token(OLD.key, CLAIMS, header={"alg": "HS256", "kid": "new"}), "signature"),
        (token("x" * 43, CLAIMS), "signature"),
        (signed(sub=None), "claims"),
        (signed(exp=None), "claims"),
        (signed(exp=True), "claims"),
        (signed(exp=-1), "claims"),
        (signed(exp=NOW * 1000), "claims"),
        (signed(exp=float("nan")), "claims"),
        (signed(exp=float("inf")), "claims"),
        (signed(nbf="0"), "claims"),
        (signed(iat=[]), "claims"),
        (signed(sub="a\nb"), "claims"),
        (signed(sub="\ud800"), "claims"),
        (signed(sub="x" * 65), "claims"),
        (signed(exp=NOW), "expired"),
        (signed(exp=NOW - 0.5), "expired"),
        (signed(nbf=NOW + 11), "not_yet_valid"),
        (signed(iat=NOW + 11), "not_yet_valid"),
    ],
)  # fmt: skip
def test_what_is_refused_and_why(made: str, reason: str) -> None:
    assert judged(made) == reason


def test_every_token_is_refused_without_keys() -> None:
    assert judged(signed(), ()) == "no_keys"


@pytest.mark.parametrize(
    ("made", "who"),
    [
        (signed(), Identity("128274", "tchalvak")),
        (signed(OLD), Identity("128274", "tchalvak")),
        (signed(OLD, {"alg": "HS256", "kid": "old"}), Identity("128274", "tchalvak")),
        (signed(exp=NOW + 0.5, nbf=NOW + 10, iat=NOW + 10), Identity("128274", "tchalvak")),
        (signed(name=None), Identity("128274", "128274")),
        (signed(name=" \u202e\n", role="mod\u202eerator"), Identity("128274", "128274", "moderator")),
        (signed(name="x" * 50), Identity("128274", "x" * 40)),
        (signed(aud="someone", iss="site", jti=7), Identity("128274", "tchalvak")),
        (signed(sub="\u00e9va"), Identity("\u00e9va", "tchalvak")),
    ],
)
def test_accepted_tokens_and_their_identities(made: str, who: Identity) -> None:
    assert judged(made) == who


def test_issued_token_is_valid_until_it_expires() -> None:
    made = create_token(Identity("7", "eva", "moderator"), NEW, NOW, 60)
    found = verify(made, KEYS, NOW + 59.9, 40)
    assert isinstance(found, TokenAccepted)
    assert (found.identity, found.kid, found.expires_at) == (
        Identity("7", "eva", "moderator"),
        "new",
        NOW + 60,
    )
    late = verify(made, KEYS, NOW + 60, 40)
    assert isinstance(late, TokenRefused)
    assert (late.reason, (late.claims or {})["sub"]) == ("expired", "7")
    with pytest.raises(ValueError, match="an id is 1 to 64 characters"):
        create_token(Identity(" 7", ""), NEW, NOW, 60)


# Where a token is -------------------------------------------------------------------------------

PROTOCOL = "Sec-WebSocket-Protocol"


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({}, "missing"),
        ({"queryStringParameters": None, "headers": None}, "missing"),
        ({"queryStringParameters": {"token": "t"}}, "=t"),
        ({"queryStringParameters": {"token": ""}}, "missing"),
        ({"multiValueQueryStringParameters": {"token": ["t"]}}, "=t"),
        ({"multiValueQueryStringParameters": {"token": ["t", "t"]}}, "several"),
        ({"multiValueQueryStringParameters": {"token": ["", "t"]}}, "several"),
        ({"headers": {PROTOCOL: "nwchat, t"}}, "=t"),
        ({"headers": {PROTOCOL.lower(): "t ,nwchat"}}, "=t"),
        ({"multiValueHeaders": {PROTOCOL: ["nwchat", "t"]}, "headers": {PROTOCOL: "t"}}, "=t"),
        ({"headers": {PROTOCOL: "nwchat"}}, "missing"),
        ({"headers": {PROTOCOL: "t"}}, "missing"),
        ({"headers": {PROTOCOL: "nwchat, t, u"}}, "several"),
        ({"headers": {PROTOCOL: "nwchat, t"}, "queryStringParameters": {"token": "t"}}, "=t"),
        ({"headers": {PROTOCOL: "nwchat, u"}, "queryStringParameters": {"token": "t"}}, "several"),
        ({"headers": {PROTOCOL: "nwchat"}, "queryStringParameters": {"token": "t"}}, "=t"),
        ({"headers": {"Authorization": "Bearer t", "Cookie": "token=t"}}, "missing"),
    ],
)  # fmt: skip
def test_where_a_handshake_has_its_token(event: dict[str, Any], found: str) -> None:
    result = handshake_token(event)
    assert (result.reason if isinstance(result, TokenRefused) else f"={result}") == found


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (None, "missing"),
        ({}, "missing"),
        ({"authorization": "Bearer t"}, "=t"),
        ({"Authorization": "bearer  t "}, "=t"),
        ({"Authorization": "Basic t"}, "missing"),
        ({"Authorization": "Bearer"}, "missing"),
        ({"Authorization": "t"}, "missing"),
        ({"Authorization": "Bearer t", "authorization": "Bearer t"}, "several"),
        ({"cookie": "Bearer t"}, "missing"),
    ],
)
def test_where_a_request_has_its_token(headers: Any, found: str) -> None:
    result = bearer_token(headers)
    assert (result.reason if isinstance(result, TokenRefused) else f"={result}") == found


# Keys -------------------------------------------------------------------------------------------


def test_keys_are_read_as_they_were_written() -> None:
    assert read_keys(write_keys(KEYS)) == KEYS
    assert NEW.key not in repr(NEW)
    assert len(write_keys(KEYS)) < 4096


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"keys": []}', '{"keys": [1]}', '{"keys": {"kid": 1}}', "[" * 100_000,
     write_keys([TokenKey("k", "short", 1)]), write_keys([TokenKey("../k", "x" * 43, 1)]),
     write_keys([TokenKey("k", "é" * 43, 1)])],
)  # fmt: skip
def test_what_reads_as_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="these are no keys"):
        read_keys(text)


class Store:
    """What a function asks for keys: `says` is what it gets, or what is raised."""

    def __init__(self) -> None:
        self.send: tuple[TokenKey, ...] | Exception = KEYS
        self.now = 5.0
        self.asked = 0
        self.output = io.StringIO()
        logger = logging.Logger("nwchat", logging.INFO)
        logger.addHandler(logging.StreamHandler(self.output))
        self.keys = KeyCache(self._fetch, lambda: self.now, logger, self._draw, self._sleep)
        self.drawn: list[tuple[float, float]] = []
        self.fails = 0

    def _draw(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return (low + high) / 2

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _fetch(self) -> tuple[TokenKey, ...]:
        self.asked += 1
        if self.fails:
            self.fails -= 1
            raise TimeoutError
        if isinstance(self.send, Exception):
            raise self.send
        return self.send


def test_keys_are_read_at_most_once_a_second() -> None:
    store = Store()
    for _ in range(100):
        assert store.keys() == KEYS
    assert store.asked == 1
    store.send = (OLD,)
    store.now += FRESH_SECONDS - 0.01
    assert store.keys() == KEYS
    store.now += 0.01
    assert (store.keys(), store.asked) == ((OLD,), 2)


def test_outage_is_bridged_with_cached_keys() -> None:
    store = Store()
    store.keys()
    read_at, store.send = store.now, TimeoutError("secret in here")
    for _ in range(30):
        store.now += FRESH_SECONDS
        assert [store.keys(), store.keys()] == [KEYS, KEYS]
    # Less often than when it answers, which leaves its few calls to whoever has no keys.
    assert store.asked == 4
    assert store.drawn == [RETRY_DELAY_SECONDS] * 3
    store.now = read_at + STALE_SECONDS
    assert store.keys() == ()
    assert "secret in here" not in store.output.getvalue()
    store.send = KEYS
    store.now += FRESH_SECONDS
    assert store.keys() == KEYS


def test_cache_recovers_after_throttling() -> None:
    store = Store()
    store.keys()
    store.now += FRESH_SECONDS
    store.fails, store.send = 1, (OLD,)
    assert store.keys() == KEYS
    store.now += 9.99
    assert (store.keys(), store.asked) == (KEYS, 2)
    store.now += 0.02
    assert (store.keys(), store.asked) == ((OLD,), 3)


def test_missing_keys_are_read_again_for_a_while() -> None:
    store = Store()
    store.fails = 4
    began = store.now
    assert (store.keys(), store.asked) == (KEYS, 5)
    assert store.now - began < MAX_WAIT_SECONDS
    store = Store()
    store.send = TimeoutError()
    assert store.keys() == ()
    assert MAX_WAIT_SECONDS <= store.now - began < MAX_WAIT_SECONDS + 1
    # That there are none is an answer.
    store = Store()
    store.send = NoKeys()
    assert (store.keys(), store.asked, store.now) == ((), 1, began)


def test_deleted_keys_are_dropped_at_once() -> None:
    store = Store()
    store.keys()
    store.send = NoKeys()
    store.now += FRESH_SECONDS
    assert store.keys() == ()
    store.send = TimeoutError()
    store.now += FRESH_SECONDS
    assert store.keys() == ()


# The authorizer ---------------------------------------------------------------------------------

ARN = "arn:aws:execute-api:us-east-2:1:api/production/$connect"


def asked(made: str, **event: Any) -> tuple[dict[str, Any], str]:
    output = io.StringIO()
    logger = logging.Logger("nwchat", logging.DEBUG)
    handler = logging.StreamHandler(output)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    whole = {"methodArn": ARN, "queryStringParameters": {"token": made}, **event}
    return authorize(whole, lambda: KEYS, NOW, 40, Log(logger, {})), output.getvalue()


def test_valid_token_allows_this_stage_only() -> None:
    answer, log = asked(signed(role="moderator"))
    assert answer == {
        "principalId": "128274",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}],
        },
        "context": {"sender_id": "128274", "uname": "tchalvak", "role": "moderator"},
    }
    assert log == ""


@pytest.mark.parametrize(
    ("sub", "principal"),
    [
        ("128274", "128274"),
        (" !#/:;<=>?@[\\]^`{|}~\"'", " !#/:;<=>?@[\\]^`{|}~\"'"),
        ("Jürgen", "J%C3%BCrgen"),
        ("忍者", "%E5%BF%8D%E8%80%85"),
        ("J%C3%BCrgen", "J%25C3%25BCrgen"),
    ],
)
def test_principal_is_ascii_and_distinct(sub: str, principal: str) -> None:
    assert ascii_principal(sub) == principal


def test_player_with_a_name_in_any_script_is_allowed() -> None:
    answer, log = asked(signed(sub="忍者", name="Jürgen 忍"))
    assert answer["principalId"].isascii()
    assert answer["context"] == {"sender_id": "忍者", "uname": "Jürgen 忍", "role": ""}
    assert (answer["policyDocument"]["Statement"][0]["Effect"], log) == ("Allow", "")


def test_the_largest_context_fits() -> None:
    """API Gateway takes 8 KB of an authorizer's answer (quotas)."""
    wide = "\U0001f600"
    answer, _ = asked(signed(sub=wide * 64, name=wide * 40, role=wide * 40))
    assert answer["context"]["sender_id"] == wide * 64
    assert len(json.dumps(answer)) < 8192


def test_refusal_reason_is_logged_and_not_sent() -> None:
    made = signed(exp=1)
    answer, log = asked(made)
    assert answer["policyDocument"]["Statement"][0] == {
        "Action": "execute-api:Invoke",
        "Effect": "Deny",
        "Resource": ARN,
    }
    assert "context" not in answer
    (line,) = log.splitlines()
    assert {k: json.loads(line)[k] for k in ("message", "reason")} == {
        "message": "refused",
        "reason": "expired",
    }
    assert not any(each in log for each in made.split("."))


@pytest.mark.parametrize("garbage", ["x", "a.b.c", "x" * 5000, "", "e30.e30.e30"])
def test_malformed_token_reads_no_keys(garbage: str) -> None:
    def keys() -> tuple[TokenKey, ...]:
        raise AssertionError("asked")

    found = verify_with(keys, garbage, NOW, 40)
    assert found == format_error(garbage) == verify(garbage, KEYS, NOW, 40)
    assert isinstance(found, TokenRefused)
    event = {"methodArn": ARN, "queryStringParameters": {"token": garbage}}
    log = Log(logging.Logger("nwchat"), {})
    assert authorize(event, keys, NOW, 40, log)["principalId"] == "nobody"


def test_event_without_method_is_refused() -> None:
    answer, _ = asked(signed(), methodArn="")
    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Deny"


def test_the_other_functions_start_without_pyjwt() -> None:
    code = (
        "import sys, nwchat.connect, nwchat.disconnect, nwchat.message, nwchat.fanout\n"
        "sys.exit('jwt' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The page in docs -------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return [
        each.split("\n", 1)[1]
        for each in (DOCS / "tokens.md").read_text().split("```")[1::2]
        if each.startswith(f"{language}\n")
    ]


def test_the_page_lists_every_reason() -> None:
    table = (DOCS / "tokens.md").read_text().rpartition("| reason |")[2].partition("##")[0]
    listed = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert listed == set(get_args(Reason))


def test_the_pages_example_is_a_good_token() -> None:
    (example,) = (
        each.strip()
        for each in (DOCS / "tokens.md").read_text().split("```")[1::2]
        if each.strip().startswith("eyJ")
    )
    key = TokenKey("x", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", NOW)
    assert judged(example, (key,)) == Identity("128274", "tchalvak")
    head, body, _ = example.split(".")
    assert head == part('{"alg":"HS256","typ":"JWT"}')
    assert body == part('{"sub":"128274","name":"tchalvak","exp":4102444800}')


def test_the_pages_limits_are_ours() -> None:
    page = (DOCS / "tokens.md").read_text()
    assert f"at most {tokens.MAX_TOKEN_CHARS:,} characters" in page
    assert f"up to {tokens.LEEWAY_SECONDS} seconds ahead" in page
    assert f"at most {tokens.MAX_ROLE_CHARS} characters" in page


def test_what_the_page_does_in_python_and_in_a_shell_makes_good_tokens() -> None:
    from time import time

    (code,) = blocks("python")
    named: dict[str, Any] = {}
    exec(code, named)
    made = named["chat_token"](NEW.key, "128274", "tchalvak")
    assert isinstance(verify(made, KEYS, time(), 40), TokenAccepted)
    (script,) = blocks("sh")
    environ = {"PATH": "/usr/bin:/bin", "KEY": NEW.key, "ID": "128274", "NAME": "tchalvak"}
    done = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=True)
    found = verify(done.stdout.strip(), KEYS, time(), 40)
    assert isinstance(found, TokenAccepted)
    assert found.identity == Identity("128274", "tchalvak")
