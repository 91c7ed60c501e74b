"""The history API as pages and programs use it: pages both ways, bad parameters, other origins, health."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from nwchat import __version__
from nwchat.model.ids import UlidGenerator, first_ulid
from nwchat.model.rows import message_row
from nwchat.model.wire import DEFAULT_HISTORY, MAX_HISTORY, Message, to_json_dict
from tests.e2e.support.chat import Chat, now_ms, unique

ALLOWED = "https://www.ninjawars.net"
FOREVER = 4_000_000_000
KEYS = {"type", "id", "message", "uname", "sender_id", "date"}


class Reader:
    """A program that reads history over one connection that it keeps."""

    def __init__(self, base: str) -> None:
        url = urlsplit(base)
        self.prefix = url.path
        self.connection = http.client.HTTPConnection(url.netloc, timeout=60)

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """The answer, of which the body is still to be read."""
        self.connection.request(method, self.prefix + path, headers=headers or {})
        return self.connection.getresponse()

    def get(self, path: str) -> tuple[int, Any]:
        answer = self.ask(path)
        return answer.status, json.loads(answer.read())

    def page(self, **query: object) -> Any:
        status, page = self.get(f"/messages?{urlencode(query)}")
        assert status == 200, page
        assert set(page) == {"messages", "before", "after"}
        return page


@contextmanager
def reading(base: str) -> Iterator[Reader]:
    reader = Reader(base)
    try:
        yield reader
    finally:
        reader.connection.close()


@pytest.fixture(scope="module")
def talk(chat: Chat) -> Chat:
    """A chat whose pages are those of one origin."""
    made = Chat(
        chat.sandbox, "e2e-history", {"NWCHAT_CHAT__ALLOWED_ORIGINS": f"{ALLOWED},capacitor://localhost"}
    )
    done = made.nwchatctl("deploy", "--yes", "--json")
    assert (done.code, done.err) == (
        0,
        "warning: pages of capacitor://localhost cannot read the history API: it knows http and https only\n",
    )
    made.url = done.data["endpoints"]["websocket"]
    return made


@pytest.fixture(scope="module")
def base(talk: Chat) -> str:
    url: str = talk.json("status")["endpoints"]["history"]
    return url


@pytest.fixture
def reader(base: str) -> Iterator[Reader]:
    with reading(base) as made:
        yield made


def ids(page: Any) -> list[str]:
    return [each["id"] for each in page["messages"]]


def stored(chat: Chat, messages: Sequence[Message]) -> None:
    chat.put(chat.messages_table, (message_row(each, FOREVER) for each in messages))


def message_of(new_id: UlidGenerator, number: int) -> Message:
    return Message(new_id(), f"message {number}", "tchalvak", "128274", now_ms())


# Pages ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(talk: Chat) -> list[Message]:
    new_id = UlidGenerator(lambda: now_ms() - 7_200_000, bytes)
    made = [message_of(new_id, number) for number in range(60)]
    stored(talk, made)
    return made


def test_a_page_is_what_a_socket_shows(talk: Chat, reader: Reader, few: list[Message]) -> None:
    page = reader.page(limit=2, before=few[10].id)
    assert page == {
        "messages": [to_json_dict(each) for each in few[8:10]],
        "before": few[8].id,
        "after": few[9].id,
    }
    assert set(page["messages"][0]) == KEYS
    between = reader.page(after=few[3].id, before=few[6].id)
    assert (ids(between), between["after"]) == ([few[4].id, few[5].id], None)
    assert reader.page(after=few[6].id, before=few[3].id)["messages"] == []
    assert len(reader.page(after=few[3].id)["messages"]) == DEFAULT_HISTORY
    # The oldest has nothing before it; a cursor may be any id, made of a time.
    assert reader.page(before=few[1].id)["before"] is None
    assert reader.page(before=few[0].id) == {"messages": [], "before": None, "after": None}


def test_what_is_said_in_the_chat_is_there(talk: Chat, reader: Reader) -> None:
    text = unique("<b>\u202e" + '\N{PILE OF POO} \\ " ')
    with talk.players(1) as (one,):
        one.send({"message": text, "uname": "tchalvak", "sender_id": "1", "client_id": "c"})
        known = one.receive_type("ack")["id"]
    answer = reader.ask("/messages?limit=1&unheard-of=1&_=2")
    (last,) = json.loads(answer.read())["messages"]
    assert (last["id"], last["message"]) == (known, text.replace("\u202e", ""))
    headers = {name.lower(): value for name, value in answer.getheaders()}
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"


# What is refused ---------------------------------------------------------------------------------

ID = first_ulid(1)


@pytest.mark.parametrize(
    ("query", "about"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        (f"limit={MAX_HISTORY + 1}", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=5.0", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A5", "limit"),
        ("limit=5&limit=6", "limit"),
        ("before=", "before"),
        ("before=1", "before"),
        ("after=1681948677627", "after"),
        (f"after={ID.lower()[:-1]}x", "after"),
        (f"after={ID}&after={ID}", "after"),
        (f"before={ID}%00", "before"),
        (f"limit=5&before={ID}&after=null", "after"),
    ],
)
def test_a_bad_parameter_has_a_code(reader: Reader, query: str, about: str) -> None:
    answer = reader.ask(f"/messages?{query}")
    body = json.loads(answer.read())
    assert answer.status == 400
    assert set(body) == {"code", "detail"}
    assert body["code"] == "bad_request"
    assert body["detail"].startswith(f"{about} must be ")
    assert answer.getheader("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/messages"),
        ("HEAD", "/messages"),
        ("DELETE", f"/messages/{ID}"),
        ("GET", "/"),
        ("GET", "/message"),
        ("GET", "/messages/1"),
    ],
)
def test_there_is_nothing_else(reader: Reader, method: str, path: str) -> None:
    answer = reader.ask(path, method)
    answer.read()
    assert answer.status == 404


def test_health_names_the_version(reader: Reader) -> None:
    assert reader.get("/health") == (200, {"status": "ok", "version": __version__})


def test_monitors_that_ask_for_no_body_get_200(reader: Reader) -> None:
    answer = reader.ask("/health", "HEAD")
    assert (answer.status, answer.read()) == (200, b"")


# Other origins -----------------------------------------------------------------------------------


def preflight(reader: Reader, origin: str) -> dict[str, str]:
    """What an OPTIONS before GET /messages with a token is answered with, in lower case."""
    wanted = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = reader.ask("/messages", "OPTIONS", wanted)
    answer.read()
    found = {name.lower(): value.lower() for name, value in answer.getheaders()}
    if "access-control-allow-origin" in found:
        assert answer.status in (200, 204)
    return {name: value for name, value in found.items() if name.startswith("access-control-")}


def readable(reader: Reader, origin: str) -> str | None:
    """Whose pages may read what a GET from `origin` is answered with."""
    answer = reader.ask("/messages?limit=1", headers={"Origin": origin})
    answer.read()
    assert answer.status == 200
    return answer.getheader("Access-Control-Allow-Origin")


def test_an_allowed_origin_may_ask_and_read(reader: Reader) -> None:
    assert preflight(reader, ALLOWED) == {
        "access-control-allow-origin": ALLOWED,
        "access-control-allow-methods": "get",
        "access-control-allow-headers": "authorization",
        "access-control-max-age": "7200",
    }
    assert readable(reader, ALLOWED) == ALLOWED


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://www.ninjawars.net.evil.example",
        "http://www.ninjawars.net",
        "https://www.ninjawars.net:8443",
        # API Gateway's CORS knows http and https only.
        "capacitor://localhost",
        "null",
    ],
)
def test_any_other_may_not(reader: Reader, origin: str) -> None:
    assert preflight(reader, origin) == {}
    assert readable(reader, origin) is None


def test_without_allowed_origins_every_page_may(chat: Chat) -> None:
    with reading(chat.json("status")["endpoints"]["history"]) as reader:
        assert preflight(reader, "https://anybody.example")["access-control-allow-origin"] == "*"
        assert readable(reader, "https://anybody.example") == "*"


# All of it, last, because the sandbox reads a table of thousands slowly ---------------------------

MANY = 5_000


class MessageWriter:
    """Somebody who says two things before each page that is read."""

    def __init__(self, chat: Chat, reader: Reader) -> None:
        self.chat = chat
        self.reader = reader
        self.written: list[str] = []
        self._new_id = UlidGenerator(now_ms, bytes)

    def page(self, **query: object) -> Any:
        made = [message_of(self._new_id, len(self.written) + number) for number in range(2)]
        stored(self.chat, made)
        self.written += [each.id for each in made]
        return self.reader.page(limit=MAX_HISTORY, **query)


@pytest.fixture(scope="module")
def many(talk: Chat) -> list[Message]:
    """The first messages of all."""
    new_id = UlidGenerator(lambda: now_ms() - 86_400_000, bytes)
    made = [message_of(new_id, number) for number in range(MANY)]
    stored(talk, made)
    return made


def test_backwards_without_a_gap_or_a_repeat_while_new_ones_arrive(
    talk: Chat, reader: Reader, many: list[Message]
) -> None:
    earlier = ids(reader.page(limit=MAX_HISTORY, after=many[-1].id))
    message_writer = MessageWriter(talk, reader)
    page = message_writer.page()
    assert page["after"] is None
    read_ids = ids(page)
    while page["before"] is not None:
        page = message_writer.page(before=page["before"])
        read_ids = ids(page) + read_ids
    assert read_ids == [*(each.id for each in many), *earlier, *message_writer.written[:2]]
    # What arrived meanwhile is what follows.
    assert ids(reader.page(limit=MAX_HISTORY, after=read_ids[-1])) == message_writer.written[2:]


def test_forwards_without_a_gap_or_a_repeat_while_new_ones_arrive(
    talk: Chat, reader: Reader, many: list[Message]
) -> None:
    earlier = ids(reader.page(limit=MAX_HISTORY, after=many[-1].id))
    message_writer = MessageWriter(talk, reader)
    page = message_writer.page(after=first_ulid(0))
    assert page["before"] == many[0].id
    read_ids = ids(page)
    while page["after"] is not None:
        page = message_writer.page(after=page["after"])
        read_ids += ids(page)
    # That was the end; what comes after it follows the last one.
    read_ids += ids(message_writer.page(after=read_ids[-1]))
    assert read_ids == [*(each.id for each in many), *earlier, *message_writer.written]
