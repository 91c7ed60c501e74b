"""Token mode, through real handshakes: who comes in, as whom, and who does not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from nwchat.auth.token_keys import TokenKey, read_keys
from nwchatctl.context import App
from tests.e2e.support.chat import SECONDS, Player, connection_row, eventually, now_ms, unique
from tests.e2e.support.console.tokens import (
    another_authorizer,
    authorizer_deleted,
    keys_deleted,
    keys_in_plain,
    keys_tagged,
    permission_removed,
    route_opened,
    sources_changed,
    uri_changed,
)
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox
from tests.e2e.support.token_factory import claims, part, player, refused, token
from tests.paths import DOCS, EVENTS

OTHER = "0" * 43


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(
        sandbox, "e2e-token", tmp_path_factory.mktemp("home"), NWCHAT_AUTH__MODE="token", TZ="UTC"
    )
    made.deploy()
    assert made.plan() == []
    yield made
    made.destroy()
    assert made.resources() == set()


@pytest.fixture(scope="module")
def url(chat: Operator) -> str:
    return chat.url


def keys(chat: Operator) -> tuple[TokenKey, ...]:
    found = chat.root("ssm").get_parameter(Name=f"/nwchat-{chat.name}/token-keys", WithDecryption=True)
    return read_keys(found["Parameter"]["Value"])


def rows(chat: Operator) -> dict[str, dict[str, Any]]:
    items = chat.root("dynamodb").scan(TableName=chat.resource_name("connections"))["Items"]
    return {each["connection_id"]["S"]: each for each in items}


def swapped(key: str) -> str:
    head, _, signature = token(key).split(".")
    return f"{head}.{part(claims(sub='1'))}.{signature}"


def past(**changed: int) -> dict[str, Any]:
    now = int(time.time())
    return claims(**{name: now + seconds for name, seconds in changed.items()})


def header(**fields: Any) -> dict[str, Any]:
    return {"alg": "HS256", "typ": "JWT", **fields}


ATTACKS: dict[str, Callable[[str], str]] = {
    "no token": lambda key: "",
    "not base64": lambda key: "a.b!.c",
    "not three parts": lambda key: token(key).rpartition(".")[0],
    "four parts": lambda key: token(key) + ".x",
    "alg none": lambda key: f"{part({'alg': 'none'})}.{part(claims())}.",
    "alg none, signed": lambda key: token(key, header={"alg": "none"}),
    "alg NONE": lambda key: token(key, header={"alg": "NONE"}),
    "no alg": lambda key: token(key, header={"typ": "JWT"}),
    "alg hs256": lambda key: token(key, header={"alg": "hs256"}),
    "alg a list": lambda key: token(key, header={"alg": ["HS256"]}),
    "HS512": lambda key: token(key, header={"alg": "HS512"}, hashed=hashlib.sha512),
    "HS512 that calls itself HS256": lambda key: token(key, hashed=hashlib.sha512),
    "RS256 with our key": lambda key: token(key, header={"alg": "RS256"}),
    "another key": lambda key: token(OTHER),
    "an empty key": lambda key: token(""),
    "signature cut off": lambda key: token(key).rpartition(".")[0] + ".",
    "signature shortened": lambda key: token(key)[:-4],
    "signature of nothing": lambda key: token(key).rpartition(".")[0] + "." + part(b""),
    "payload swapped": swapped,
    "truncated": lambda key: token(key)[: len(token(key)) // 2],
    "expired": lambda key: token(key, past(exp=-1)),
    "expired long ago": lambda key: token(key, claims(exp=1)),
    "not yet valid": lambda key: token(key, past(exp=300, nbf=60)),
    "made in the future": lambda key: token(key, past(exp=300, iat=60)),
    "no sub": lambda key: token(key, claims(sub=None)),
    "sub a number": lambda key: token(key, claims(sub=128274)),
    "sub a list": lambda key: token(key, claims(sub=["128274"])),
    "sub empty": lambda key: token(key, claims(sub="")),
    "sub that nobody sees": lambda key: token(key, claims(sub="\u200b")),
    "sub of spaces": lambda key: token(key, claims(sub="  ")),
    "sub that cleaning changes": lambda key: token(key, claims(sub="128274\u202e")),
    "sub too long": lambda key: token(key, claims(sub="x" * 65)),
    "name a number": lambda key: token(key, claims(name=7)),
    "role an object": lambda key: token(key, claims(role={"admin": True})),
    "no exp": lambda key: token(key, claims(exp=None)),
    "exp a text": lambda key: token(key, claims(exp=str(int(time.time()) + 300))),
    "exp true": lambda key: token(key, claims(exp=True)),
    "exp in milliseconds": lambda key: token(key, claims(exp=(int(time.time()) + 300) * 1000)),
    "exp not a number": lambda key: token(key, '{"sub":"1","exp":NaN}'),
    "exp without end": lambda key: token(key, '{"sub":"1","exp":Infinity}'),
    "exp of 3,000 digits": lambda key: token(key, '{"sub":"1","exp":' + "9" * 2900 + "}"),
    "nbf a text": lambda key: token(key, claims(nbf="0")),
    "payload an array": lambda key: token(key, [claims()]),
    "payload a text": lambda key: token(key, '"128274"'),
    "payload not JSON": lambda key: token(key, "sub=128274"),
    "payload too deep": lambda key: token(key, "[" * 2900),
    "header too deep": lambda key: token(key, header="[" * 2900),
    "header an array": lambda key: token(key, header=[header()]),
    "huge": lambda key: token(key, claims(note="x" * 4096)),
    "kid of nobody": lambda key: token(key, header=header(kid="nobody")),
    "kid a path": lambda key: token("", header=header(kid="../../../../dev/null")),
    "kid a statement": lambda key: token("x", header=header(kid="' UNION SELECT 'x")),
    "kid a number": lambda key: token(key, header=header(kid=0)),
    "kid null": lambda key: token(key, header=header(kid=None)),
    "kid empty": lambda key: token(key, header=header(kid="")),
    "key in the header": lambda key: token(
        OTHER, header=header(jwk={"kty": "oct", "k": part(OTHER)}, jku="https://example.com/keys")
    ),
    "crit": lambda key: token(key, header=header(crit=["exp"])),
    "crit of nothing": lambda key: token(key, header=header(crit=[])),
    "b64 false": lambda key: token(key, header=header(b64=False, crit=["b64"])),
    "a space before it": lambda key: " " + token(key),
    "a line after it": lambda key: token(key) + "\n",
    "padded": lambda key: token(key) + "==",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_connection_without_valid_token_is_refused(chat: Operator, url: str, attack: str) -> None:
    bad = ATTACKS[attack](keys(chat)[0].key)
    assert refused(url, bad) in (401, 403)
    if bad.isascii() and bad.strip() == bad and bad:
        assert refused(url, headers={"Sec-WebSocket-Protocol": f"nwchat, {bad}"}) in (401, 403)
    # No handler ran: it would have written who came.
    assert rows(chat) == {}


WRONG_PLACES: dict[str, Callable[[str, str], tuple[str, dict[str, str]]]] = {
    "nowhere": lambda url, good: (url, {}),
    "Authorization": lambda url, good: (url, {"Authorization": f"Bearer {good}"}),
    "cookie": lambda url, good: (url, {"Cookie": f"token={good}"}),
    "a header": lambda url, good: (url, {"token": good, "X-Token": good}),
    "another parameter": lambda url, good: (f"{url}?access_token={good}", {}),
    "Token": lambda url, good: (f"{url}?Token={good}", {}),
    "path": lambda url, good: (f"{url}/{good}", {}),
    "twice": lambda url, good: (f"{url}?token={good}&token={good}", {}),
    "good and bad": lambda url, good: (f"{url}?token={good}&token=x", {}),
    "subprotocol alone": lambda url, good: (url, {"Sec-WebSocket-Protocol": good}),
    "two subprotocols": lambda url, good: (url, {"Sec-WebSocket-Protocol": f"nwchat, {good}, {good}"}),
    "two that differ": lambda url, good: (
        f"{url}?token={good}",
        {"Sec-WebSocket-Protocol": f"nwchat, {good[:-1]}"},
    ),
}


@pytest.mark.parametrize("place", WRONG_PLACES)
def test_valid_token_in_wrong_place_is_ignored(chat: Operator, url: str, place: str) -> None:
    where, headers = WRONG_PLACES[place](url, token(keys(chat)[0].key))
    assert refused(where, headers=headers) in (401, 403)
    assert rows(chat) == {}


def send_message(who: Player, frame: dict[str, Any] | str) -> dict[str, Any]:
    text = frame if isinstance(frame, str) else frame["message"]
    who.send(frame)
    return who.receive_text(text)


@pytest.mark.parametrize("form", ["query", "subprotocol", "both"])
def test_token_decides_identity_whatever_the_client_claims(chat: Operator, url: str, form: str) -> None:
    good = token(keys(chat)[0].key)
    query = None if form == "subprotocol" else good
    protocols = () if form == "query" else ("nwchat", good)
    with (
        player(url, query, protocols=protocols) as one,
        player(url, token(keys(chat)[0].key, claims(sub="2"))) as two,
    ):
        assert one.socket.subprotocol == (None if form == "query" else "nwchat")
        claimed = {"uname": "admin", "sender_id": "1"}
        frames: list[dict[str, Any] | str] = [
            {"message": unique(), "uname": ["a"], "sender_id": {"no": "name"}},
            {"message": unique(), **claimed},
            {"action": "onMessage", "message": unique(), **claimed},
            {"message": unique(), "role": "admin", "authorizer": "1"},
            unique(),
        ]
        for frame in frames:
            own = send_message(one, frame)
            other = two.receive_text(own["message"])
            assert [(each["sender_id"], each["uname"]) for each in (own, other)] == [
                ("128274", "tchalvak")
            ] * 2
        (last,) = one.history(1)
        assert (last["sender_id"], last["uname"]) == ("128274", "tchalvak")
    eventually(lambda: rows(chat), {})


def test_token_of_either_key_with_small_clock_skew_is_accepted(chat: Operator, url: str) -> None:
    for key in keys(chat):
        for head in (header(), header(kid=key.kid), {"alg": "HS256"}):
            assert refused(url, token(key.key, past(exp=300, nbf=5, iat=5), header=head)) == 101
    if len(keys(chat)) > 1:
        one, other = keys(chat)
        assert refused(url, token(one.key, header=header(kid=other.kid))) == 403
    eventually(lambda: rows(chat), {})


def test_silent_connection_has_identity_of_its_token(chat: Operator, url: str) -> None:
    good = token(keys(chat)[0].key, claims(name="  e\u0301va\u202e ", role="moderator"))
    with player(url, good) as one:
        (row,) = rows(chat).values()
        assert (row["sender_id"]["S"], row["uname"]["S"]) == ("128274", "\u00e9va")
        found = chat.json("connections", "list", "--user", "128274")
        assert found["count"] == 1
        assert chat.json("broadcast", "--to-user", "128274", "for you")["delivered"] == 1
        assert one.receive_text("for you")["type"] == "announcement"
    eventually(lambda: rows(chat), {})


def test_announcement_to_one_player_reaches_only_proven_sockets(chat: Operator, url: str) -> None:
    """Not a row that claims the id, nor a token whose name is the id; a row that was made again is proven."""
    key, text = keys(chat)[0].key, unique()
    claimed = connection_row("claims", sender_id="128274", uname="128274")
    chat.root("dynamodb").put_item(TableName=chat.resource_name("connections"), Item=claimed)
    with player(url, token(key)) as one, player(url, token(key, claims(sub="2", name="128274"))):
        (own,) = (row for row in rows(chat).values() if row.get("uname") == {"S": "tchalvak"})
        delete_row(chat, own["connection_id"]["S"])
        one.send("here again")
        one.receive_text("here again")
        made = rows(chat)[own["connection_id"]["S"]]
        assert {name: made.get(name) for name in ("proven", "source_ip")} == {
            name: own.get(name) for name in ("proven", "source_ip")
        }
        sent = chat.run("broadcast", "--to-user", "128274", text, "--json")
        assert (sent.data["recipients"], sent.data["delivered"]) == (1, 1)
        assert "claims" not in sent.err
        assert one.receive_text(text)["type"] == "announcement"
        nobody = chat.run("broadcast", "--to-user", "tchalvak", text)
        assert nobody.error is not None, "a name is no id"
        assert (nobody.code, nobody.error.code) == (4, "no_connection")
    delete_row(chat, "claims")
    eventually(lambda: rows(chat), {})


def delete_row(chat: Operator, key: str) -> None:
    where = {"connection_id": {"S": key}}
    chat.root("dynamodb").delete_item(TableName=chat.resource_name("connections"), Key=where)


@pytest.mark.parametrize("ahead_ms", [-7_200_000, 7_200_000])
def test_token_of_a_machine_with_a_wrong_clock_is_accepted(
    chat: Operator, url: str, ahead_ms: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(App, "local_ms", lambda app: now_ms() + ahead_ms)
    issued = chat.json("token", "issue", "128274", "--for", "1h")
    assert refused(url, issued["token"]) == 101
    kept = tmp_path / "token.txt"
    kept.write_text(issued["token"])
    assert chat.run("token", "check", str(kept)).code == 0
    eventually(lambda: rows(chat), {})


def test_own_key_is_valid_for_own_chat_only(chat: Operator, url: str) -> None:
    """The client's id of a message is by the sender of the token, not by whom the client claims to be."""
    key = keys(chat)[0].key
    first, second = unique(), unique()
    with player(url, token(key)) as one, player(url, token(key, claims(sub="2"))) as two:
        one.send({"message": first, "sender_id": "1", "client_id": "same"})
        one.receive_type("ack")
        two.send({"message": second, "sender_id": "128274", "client_id": "same"})
        assert two.receive_text(second)["sender_id"] == "2"
    eventually(lambda: rows(chat), {})


def test_rotation_disconnects_no_client_and_second_one_ends_first_key(chat: Operator, url: str) -> None:
    first = keys(chat)[0]
    old = token(first.key, header=header(kid=first.kid))
    nameless = token(first.key)
    with player(url, old) as one:
        made = chat.json("token", "rotate")
        assert (made["former"], made["dropped"]) == (first.kid, [])
        # At once: the command returns when every function knows.
        assert refused(url, chat.run("token", "issue", "9").out.strip()) == 101
        assert [refused(url, each) for each in (old, nameless)] == [101, 101]
        preview = chat.run("token", "rotate", "--dry-run", "--json")
        assert preview.data["dropped"] == [first.kid]
        assert f"tokens that key {first.kid} has signed stop working" in preview.err
        assert [each.kid for each in keys(chat)] == [made["kid"], first.kid]
        ran = chat.run("token", "rotate", "--json")
        assert f"tokens that key {first.kid} has signed stop working" in ran.err
        again = ran.data
        assert [each.kid for each in keys(chat)] == [again["kid"], made["kid"]]
        assert [refused(url, each) for each in (old, nameless)] == [403, 403]
        text = unique()
        assert send_message(one, text)["sender_id"] == "128274"
    eventually(lambda: rows(chat), {})


def test_key_for_site_signs_valid_tokens(chat: Operator, url: str) -> None:
    key = chat.run("token", "key").out.strip()
    assert chat.json("token", "key")["key"] == key == keys(chat)[0].key
    assert refused(url, token(key)) == 101
    issued = chat.json("token", "issue", "5", "--name", "n", "--role", "r", "--for", "90s")
    with player(url, protocols=("nwchat", issued["token"])) as one:
        assert send_message(one, unique())["uname"] == "n"
    eventually(lambda: rows(chat), {})


def test_names_and_roles_are_not_cut_in_silence(chat: Operator) -> None:
    for option in ("--role", "--name"):
        assert chat.run("token", "issue", "5", option, "忍" * 40).code == 0
        cut = chat.run("token", "issue", "5", option, "忍" * 41)
        assert cut.error is not None
        assert (cut.code, cut.error.message) == (2, f"{option} has more than 40 characters")


def test_example_of_documentation_page_makes_valid_tokens(chat: Operator, url: str) -> None:
    """By exactly the code of docs/tokens.md."""
    page = (DOCS / "tokens.md").read_text()
    site: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], site)
    key = chat.run("token", "key").out.strip()
    with player(url, site["chat_token"](key, "128274", "tchalvak")) as one:
        assert send_message(one, unique())["uname"] == "tchalvak"
    eventually(lambda: rows(chat), {})


@pytest.mark.skipif(shutil.which("php") is None, reason="there is no PHP here")
@pytest.mark.parametrize(
    ("name", "uname"), [(b"tchalvak", "tchalvak"), ('忍/"x"'.encode(), '忍/"x"'), (b"v\xe4k", "v\ufffdk")]
)
def test_php_example_makes_valid_tokens(chat: Operator, url: str, name: bytes, uname: str) -> None:
    """By exactly the code of docs/tokens.md, also for a name that is no UTF-8."""
    page = (DOCS / "tokens.md").read_text()
    code = page.partition("```php\n")[2].partition("```")[0]
    key = chat.run("token", "key").out.strip()
    made = subprocess.run(
        ["php", "-r", code + 'echo chat_token(getenv("KEY"), "128274", getenv("NAME"));'],
        env={b"PATH": os.environb[b"PATH"], b"KEY": key.encode(), b"NAME": name},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    with player(url, made.stdout) as one:
        assert send_message(one, unique())["uname"] == uname
    eventually(lambda: rows(chat), {})


def test_check_explains_failure_without_repeating_token(chat: Operator) -> None:
    key = keys(chat)[0]
    path = chat.home / "token.txt"
    path.write_text(token(key.key, claims(role="moderator")) + "\n")
    good = chat.json("token", "check", str(path))
    assert (good["valid"], good["sender_id"], good["uname"], good["kid"]) == (
        True,
        "128274",
        "tchalvak",
        key.kid,
    )
    for made, reason, sub in ((past(exp=-1), "expired", "128274"), (claims(sub=1), "claims", 1)):
        path.write_text(token(key.key, made))
        ran = chat.run("token", "check", str(path), "--json")
        assert (ran.code, ran.data["reason"], ran.data["claims"]["sub"]) == (1, reason, sub)
    # Which JSON has not, and which a site's may say all the same.
    path.write_text(token(key.key, json.dumps({**claims(), "odd": float("nan")})))
    odd = chat.json("token", "check", str(path))
    assert (odd["valid"], odd["claims"]["odd"]) == (True, "NaN")
    path.write_text(token(OTHER))
    bad = chat.run("token", "check", str(path))
    assert (bad.code, bad.out.split(":")[0]) == (1, "refused, signature")
    # On the command line it would be in every process list; and it is not said again.
    typed = token(key.key)
    ran = chat.run("token", "check", typed)
    assert ran.error is not None
    assert (ran.code, ran.error.code) == (2, "token_unreadable")
    assert typed not in ran.error.message + ran.error.hint + ran.out + ran.err


def test_without_the_mode_or_the_chat_there_are_no_tokens(chat: Operator) -> None:
    for words in (("issue", "1"), ("check", "x"), ("key",), ("rotate",)):
        ran = chat.run("token", *words, NWCHAT_AUTH__MODE="open")
        assert (ran.code, ran.error and ran.error.code) == (3, "not_token_mode")
        ran = chat.run("token", *words, NWCHAT_CHAT__NAME="e2e-nowhere")
        assert (ran.code, ran.error and ran.error.code) == (4, "not_deployed")


def test_output_contains_no_secret(chat: Operator) -> None:
    """Under --debug, in plans and reports, and in what a function has logged."""
    secret = keys(chat)[0].key
    for words in (("plan", "--json"), ("status", "--json"), ("releases", "--json"), ("smoke", "--json")):
        ran = chat.run("--debug", "-v", *words)
        assert ran.error is None
        assert secret not in ran.out + ran.err
        assert "eyJ" not in ran.out + ran.err


def test_banned_user_cannot_connect_or_read(chat: Operator, url: str) -> None:
    key = keys(chat)[0].key
    good, others = token(key), token(key, claims(sub="2", name="neighbour"))
    assert [history(chat, each) for each in ("", token(OTHER), good)] == [401, 401, 200]
    with player(url, good) as one, player(url, others) as two:
        chat.json("ban", "add", "--user", "TCHALVAK", "--for", "1h")
        assert refused(url, good) == refused(url, None, protocols=("nwchat", good)) == 403
        assert refused(url, others) == 101
        assert [history(chat, each) for each in (good, others)] == [403, 200]
        one.send({"message": "let me speak", "client_id": "c"})
        assert one.receive_type("error")["code"] == "muted"
        text = unique()
        assert send_message(two, text)["sender_id"] == "2"
        assert one.receive_text(text)
        status = chat.json("status")
        assert (status["auth"], status["bans"]) == ("token", 1)
        chat.json("ban", "remove", "--user", "tchalvak")
        assert refused(url, good) == 101
        assert history(chat, good) == 200
    assert "auth\ttoken" in chat.run("status").out.splitlines()
    eventually(lambda: rows(chat), {})


def history(chat: Operator, bearer: str) -> int:
    """The HTTP status of somebody who reads the history; "" brings no token."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    try:
        with urlopen(Request(f"{chat.history_url}/messages", headers=headers), timeout=SECONDS) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def test_smoke_uses_token_and_checks_that_others_are_refused(chat: Operator) -> None:
    found = chat.json("smoke")
    assert found["ok"], found
    assert [each["name"] for each in found["steps"]][:3] == ["connect", "refuse", "ping"]
    assert found["steps"][-1]["name"] == "unread"
    assert "token" not in found["url"]


def test_frame_without_identity_is_refused(chat: Operator) -> None:
    """Where no authorizer ran the functions still know: a test event of the console speaks for nobody."""
    text = "hello from before token mode"
    event = json.loads((EVENTS / "on-message.json").read_text())
    event["body"] = json.dumps({"action": "onMessage", "message": text})
    path = chat.home / "event.json"
    path.write_text(json.dumps(event))
    answer = chat.json("invoke", "message", "--event", str(path))
    assert (answer["result"], "unauthorized" in answer["log"]) == ({"statusCode": 200}, True)
    kept = chat.run("history", "tail", "--json").out
    assert text not in kept
    event["requestContext"] = {"connectionId": "x", "eventType": "CONNECT"}
    path.write_text(json.dumps(event))
    assert chat.json("invoke", "connect", "--event", str(path))["result"] == {"statusCode": 403}


# What somebody changes by hand ------------------------------------------------------------------


CONSOLE_CHANGES: dict[str, dict[Callable[[Operator], None], tuple[str, ...]]] = {
    "changed": {
        uri_changed: ("update authorizer authorize",),
        route_opened: ("update route $connect",),
        permission_removed: ("create permission nwchat-e2e-token-authorize:live nwchat-authorizer",),
        keys_deleted: ("create token-keys /nwchat-e2e-token/token-keys",),
    },
    "deleted": {
        authorizer_deleted: ("create authorizer authorize", "update route $connect"),
        keys_in_plain: ("update token-keys /nwchat-e2e-token/token-keys",),
    },
    "others": {
        sources_changed: ("update authorizer authorize",),
        another_authorizer: ("delete authorizer",),
        keys_tagged: ("update token-keys /nwchat-e2e-token/token-keys",),
    },
}


@pytest.mark.parametrize("what", CONSOLE_CHANGES)
def test_drift_is_shown_and_repaired(chat: Operator, url: str, what: str) -> None:
    before = keys(chat)
    chat.own_tag_key("by")
    for apply in CONSOLE_CHANGES[what]:
        apply(chat)
    changes = chat.plan()
    shown = [f"{each['action']} {each['kind']} {each['name']}" for each in changes]
    wanted = [line for lines in CONSOLE_CHANGES[what].values() for line in lines]
    assert len(shown) == len(wanted)
    assert all(any(each.startswith(line) for each in shown) for line in wanted), shown
    assert all(key.key not in json.dumps(changes) for key in before)
    chat.deploy()
    assert chat.plan() == []
    assert (keys(chat) == before) is (what == "others")
    # The functions keep the keys that they have read for a second.
    eventually(lambda: refused(url, token(keys(chat)[0].key)), 101)
    assert refused(url) in (401, 403)
    eventually(lambda: rows(chat), {})
