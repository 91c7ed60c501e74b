"""GET /messages and GET /health as API Gateway asks them, with a store in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nwchatctl
from nwchat import __version__, history
from nwchat.auth.token_keys import TokenKey
from nwchat.auth.tokens import create_token
from nwchat.model.bans import Ban
from nwchat.model.identity import Identity
from nwchat.model.ids import UlidGenerator, first_ulid
from nwchat.model.limits import Limits
from nwchat.model.paging import page_of
from nwchat.model.wire import (
    DEFAULT_HISTORY,
    MAX_BODY_BYTES,
    MAX_HISTORY,
    HistoryRequest,
    InvalidFrame,
    Message,
    Page,
    history_body,
    parse_query,
    to_json_dict,
)
from tests.unit.nwchat.fake_chat import Chat, FakeStore

ID, LATER = first_ulid(1), first_ulid(2)


class Stored(FakeStore):
    """Pages by both bounds, and notes whether they were wanted consistent; `down` fails."""

    down = False

    def page(
        self,
        limit: int,
        now_ms: int,
        *,
        before: str | None = None,
        after: str | None = None,
        consistent: bool = False,
    ) -> Page:
        if self.down:
            raise ValueError("a secret of the store")
        assert consistent
        wanted = sorted(
            (
                each
                for each in self.messages
                if (after is None or each.id > after) and (before is None or each.id < before)
            ),
            key=lambda each: each.id,
            reverse=after is None,
        )
        return page_of(wanted[: limit + 1], limit, before=before, after=after)


def said(message_id: str, text: str = "hi") -> Message:
    return Message(message_id, text, "tchalvak", "128274", 1_681_948_677_627)


class Api:
    """The handler with a store of these messages."""

    def __init__(self, *messages: Message) -> None:
        self.store = Stored()
        self.store.messages = list(messages)
        # All requests are of one moment; test_budgets.py tests the budget.
        self.chat = Chat(self.store, limits=Limits(sender_messages=1_000_000))
        self.headers: dict[str, str] | None = None

    def ask(self, route: str = "GET /messages", **query: str) -> tuple[int, Any, dict[str, str]]:
        caller = {"http": {"sourceIp": "203.0.113.9"}}
        event: dict[str, Any] = {"routeKey": route, "requestContext": caller, "headers": self.headers}
        # Without a query string there is no such key at all.
        event |= {"queryStringParameters": query} if query else {}
        answer = history.history(event, self.chat.services, self.chat.log)
        assert set(answer) == {"statusCode", "headers", "body"}
        return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


def test_a_page_is_messages_as_their_frames_and_two_cursors() -> None:
    messages = [said(first_ulid(each)) for each in range(1, 5)]
    status, page, headers = Api(*messages).ask(limit="2")
    assert status == 200
    assert page == {
        "messages": [to_json_dict(each) for each in messages[2:]],
        "before": messages[2].id,
        "after": None,
    }
    assert headers == {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def test_an_empty_chat_has_an_empty_page() -> None:
    assert Api().ask()[:2] == (200, {"messages": [], "before": None, "after": None})


def test_health_needs_no_table() -> None:
    api = Api()
    api.store.down = True
    for route in ("GET /health", "HEAD /health"):
        status, body, headers = api.ask(route)
        assert (status, body) == (200, {"status": "ok", "version": __version__})
        assert headers["Cache-Control"] == "no-store"


def test_functions_have_version_of_tool() -> None:
    assert __version__ == nwchatctl.__version__


def test_a_bad_parameter_is_400_and_asks_no_table() -> None:
    api = Api()
    api.store.down = True
    status, body, headers = api.ask(limit="many")
    assert (status, body["code"]) == (400, "bad_request")
    assert set(body) == {"code", "detail"}
    assert headers["Cache-Control"] == "no-store"


# Token mode ------------------------------------------------------------------------------------

KEY, OTHER = TokenKey("one", "k" * 43, 1), TokenKey("two", "o" * 43, 2)


def asking_for_tokens(api: Api) -> Api:
    config = replace(api.chat.services.config, tokens=True)
    api.chat.services = replace(api.chat.services, config=config, token_keys=lambda: (KEY,))
    return api


def token(api: Api, key: TokenKey = KEY, seconds: int = 60) -> dict[str, str]:
    minted = create_token(Identity("128274", "tchalvak"), key, api.chat.services.now_ms() // 1000, seconds)
    return {"authorization": f"Bearer {minted}"}


def test_request_without_valid_token_is_refused() -> None:
    api = asking_for_tokens(Api(said(ID)))
    good = token(api)["authorization"]
    given: tuple[dict[str, str] | None, ...] = (
        None,
        {},
        {"authorization": good.removeprefix("Bearer ")},
        {"cookie": good},
        {"authorization": good[:-3]},
        token(api, OTHER),
        token(api, seconds=-1),
    )
    for api.headers in given:
        status, body, headers = api.ask()
        assert (status, body["code"], headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")
    assert api.ask("GET /health")[0] == 200
    api.headers = token(api)
    status, body, _ = api.ask()
    assert (status, len(body["messages"])) == (200, 1)


@pytest.mark.parametrize("key", ["user#128274", "user#tchalvak", "address#203.0.113.9"])
def test_banned_user_cannot_read(key: str) -> None:
    api = asking_for_tokens(Api(said(ID)))
    api.store.ban(Ban(key, key.partition("#")[2]))
    api.headers = token(api)
    status, body, _ = api.ask()
    assert (status, body) == (403, {"code": "muted", "detail": "you are banned from this chat"})


def test_open_mode_reads_no_keys_and_no_bans() -> None:
    api = Api(said(ID))
    api.store.ban(Ban("address#203.0.113.9", "him"))
    assert api.ask()[0] == 200


def test_failure_is_logged_and_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    api.store.down = True
    monkeypatch.setattr("nwchat.runtime.services", lambda: api.chat.services)
    monkeypatch.setattr("nwchat.runtime.log_for", lambda event, context: api.chat.log)
    answer = history.handler({"routeKey": "GET /messages"}, None)
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"]) == {"code": "internal", "detail": "the history cannot be read now"}
    (logged,) = api.chat.logged()
    assert (logged["message"], logged["errorType"]) == ("history failed", "ValueError")


def test_log_has_no_messages_and_no_parameters() -> None:
    api = Api(said(ID, "canary"))
    api.ask()
    api.ask(before="canary", limit="canary")
    assert len(api.chat.logged()) == 2
    assert "canary" not in api.chat.output.getvalue()


# Queries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, HistoryRequest()),
        ({"limit": "1"}, HistoryRequest(1)),
        ({"limit": "007"}, HistoryRequest(7)),
        ({"limit": str(MAX_HISTORY)}, HistoryRequest(MAX_HISTORY)),
        ({"before": ID}, HistoryRequest(before=ID)),
        ({"after": ID, "before": LATER}, HistoryRequest(before=LATER, after=ID)),
        # All digits, and an id all the same.
        ({"after": "0" * 26}, HistoryRequest(after="0" * 26)),
        ({"_": "1681948677627", "action": "ping", "message": "hi"}, HistoryRequest()),
        ({"client_id": "x" * 100}, HistoryRequest()),
    ],
)
def test_what_a_query_asks_for(query: dict[str, str], asked: HistoryRequest) -> None:
    assert parse_query(query) == asked
    assert asked.limit <= MAX_HISTORY
    assert HistoryRequest().limit == DEFAULT_HISTORY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("limit", each)
            for each in ("", "0", "-1", "+1", "1.0", "1e1", " 1", "²", "٥", "1,2", "201", "9" * 5000)
        ),
        *(
            (name, each)
            for name in ("before", "after")
            for each in ("", "1", "null", ID.lower() + "x", ID[:-1], f"{ID},{ID}", f" {ID}", f"{ID}\n", "\0")
        ),
    ],
)
def test_what_is_no_parameter(name: str, value: str) -> None:
    bad = parse_query({name: value})
    assert isinstance(bad, InvalidFrame)
    assert bad.code == "bad_request"
    assert bad.detail.startswith(f"{name} must be ")


@given(st.dictionaries(st.sampled_from(["limit", "before", "after", "x"]), st.text()))
def test_no_query_raises(query: dict[str, str]) -> None:
    assert isinstance(parse_query(query), HistoryRequest | InvalidFrame)


# Sizes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ['"', "\\", "\n", "\N{SNOWMAN}", "\N{PILE OF POO}", "x", "\ud800"])
@pytest.mark.parametrize("forward", [True, False])
def test_the_largest_page_fits_in_lambdas_answer(letter: str, forward: bool) -> None:
    """As text in JSON, in the dearest spelling that there is."""
    texts = [said(first_ulid(each + 1), letter * 8_000) for each in range(MAX_HISTORY)]
    body = history_body(Page(tuple(texts)), forward=forward)
    assert len(body.encode()) <= MAX_BODY_BYTES
    assert len(json.dumps({"statusCode": 200, "body": body})) < 6 * 1024 * 1024


@pytest.mark.parametrize("forward", [True, False])
def test_what_does_not_fit_comes_with_the_next_page(forward: bool) -> None:
    texts = [said(first_ulid(each + 1), "x" * 30_000) for each in range(100)]
    api, seen = Api(*texts), []
    cursor: dict[str, str] | None = {"after": first_ulid(0)} if forward else {}
    while cursor is not None:
        _, page, _ = api.ask(limit="200", **cursor)
        assert len(page["messages"]) < 40
        seen += page["messages"] if forward else page["messages"][::-1]
        name = "after" if forward else "before"
        cursor = {name: page[name]} if page[name] else None
    assert [each["id"] for each in (seen if forward else seen[::-1])] == [each.id for each in texts]


# Paging while others write ----------------------------------------------------------------------


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 30), max_size=30),
    st.integers(1, 40),
    st.booleans(),
)
def test_no_gap_and_no_repeat_while_new_ones_arrive(arriving: list[int], limit: int, forward: bool) -> None:
    """Between two pages as many arrive as `arriving` says; each id is larger than those before it."""
    new_id = UlidGenerator(lambda: 1, bytes)
    api = Api(*(said(new_id()) for _ in range(100)))
    there = [each.id for each in api.store.messages]
    rest, seen = iter(arriving), list[str]()
    cursor: dict[str, str] | None = {"after": first_ulid(0)} if forward else {}
    while cursor is not None:
        _, page, _ = api.ask(limit=str(limit), **cursor)
        ids = [each["id"] for each in page["messages"]]
        seen = [*seen, *ids] if forward else [*ids, *seen]
        name = "after" if forward else "before"
        cursor = {name: page[name]} if page[name] else None
        api.store.messages += [said(new_id()) for _ in range(next(rest, 0))]
    if forward:
        # The end was reached before the last of them came.
        every = [each.id for each in api.store.messages]
        assert seen == every[: len(seen)]
        assert len(seen) >= len(there)
    else:
        assert seen == there


def test_late_message_is_found_by_overlapping_query() -> None:
    """Ids are of the function's clock: one that is stored late is before what was read already."""
    first, late, last = first_ulid(10_000), first_ulid(10_500), first_ulid(11_000)
    api = Api(said(first), said(last))
    api.store.messages.append(replace(said(late)))
    assert [each["id"] for each in api.ask(after=last)[1]["messages"]] == []
    assert [each["id"] for each in api.ask(after=first)[1]["messages"]] == [late, last]
