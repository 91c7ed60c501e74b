"""Logs of the functions have no data of persons: errors, libraries, every failure of every handler."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nwchat import fanout, runtime
from nwchat.connect import connect
from nwchat.disconnect import disconnect
from nwchat.fanout import SegmentFailed
from nwchat.history import history
from nwchat.large_rooms.invoker import EventTooLarge
from nwchat.log import JsonFormatter, LoggableError, Redaction, error_fields, error_name
from nwchat.model.bans import Ban
from nwchat.runtime import MissingSetting
from nwchat.storage.table_size import TableSize
from tests.unit.nwchat.fake_chat import NOW, Chat, FakeGateway, FakeStore, room

NAME, ADDRESS, TEXT = "Tchalvak", "203.0.113.7", "the secret words"
PERSONAL = (NAME, NAME.lower(), ADDRESS, TEXT, "secret")


def refused_write() -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": f"{NAME} {TEXT}"}}, "PutItem")


def raised(error: Exception) -> Exception:
    try:
        try:
            raise KeyError(TEXT)
        except KeyError:
            raise error  # noqa: B904 - with the context of the KeyError
    except Exception as caught:
        return caught


def test_an_error_is_logged_by_type_code_and_place() -> None:
    fields = error_fields(raised(refused_write()))
    assert re.fullmatch(r"\['test_log_redaction\.py:\d+ raised'\]", str(fields.pop("stackTrace")))
    assert fields == {
        "errorType": "ClientError",
        "errorCode": "ValidationException",
        "operation": "PutItem",
        "causes": ["KeyError"],
    }
    assert error_name(refused_write()) == "ClientError ValidationException"


def test_the_text_of_an_error_without_data_is_logged() -> None:
    assert error_fields(SegmentFailed("3 of 4 posts failed"))["errorMessage"] == "3 of 4 posts failed"
    assert error_name(MissingSetting("NWCHAT_ENDPOINT")) == "'NWCHAT_ENDPOINT'"
    assert "errorMessage" not in error_fields(ValueError(TEXT))
    assert error_name(ValueError(TEXT)) == "ValueError"


@pytest.mark.parametrize(
    "response", [None, "x", {}, {"Error": "x"}, {"Error": {"Code": TEXT}}, {"Error": {}}]
)
def test_odd_responses_have_no_code(response: object) -> None:
    error = ValueError(TEXT)
    error.response = response  # type: ignore[attr-defined]
    assert error_name(error) == "ValueError"


def test_endless_causes_end() -> None:
    error = ValueError()
    error.__cause__ = error
    assert error_fields(error)["causes"] == ["ValueError"] * 5


def logged_by(name: str, write: Callable[[logging.Logger], None]) -> dict[str, Any]:
    output, logger = io.StringIO(), logging.Logger(name)
    handler = logging.StreamHandler(output)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(Redaction())
    logger.addHandler(handler)
    write(logger)
    return dict(json.loads(output.getvalue()))


def test_what_a_library_logs_is_replaced_by_its_place() -> None:
    line = logged_by("botocore.hooks", lambda log: log.error("sent %s", TEXT, exc_info=raised(OSError(TEXT))))
    assert line["message"] == "a library logged this"
    assert line["place"].startswith("test_log_redaction.py:")
    assert (line["logger"], line["errorType"]) == ("botocore.hooks", "OSError")
    assert TEXT not in json.dumps(line)


def test_our_own_line_keeps_its_message() -> None:
    assert logged_by("nwchat", lambda log: log.error("read %d", 3))["message"] == "read 3"


@pytest.mark.parametrize("log_format", ["", "JSON"])
def test_libraries_log_no_requests_even_with_debug(log_format: str) -> None:
    """As Lambda does it: its handler is on the root logger, whose level is that of the function."""
    code = (
        "import logging, sys\n"
        "logging.basicConfig(level='DEBUG', stream=sys.stdout, format='%(name)s %(message)s %(exc_info)s')\n"
        "from nwchat import runtime\n"
        "runtime.log_for({}, None).debug('ours')\n"
        "logging.getLogger('botocore.endpoint').debug('secret request')\n"
        "logging.getLogger('asyncio').error('secret %s', 'repr', exc_info=ValueError('secret'))\n"
        "logging.getLogger('nwchat').error('%d', 'secret')\n"
    )
    keep = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "NWCHAT_"))}
    environ = {
        **keep,
        "NWCHAT_CONNECTIONS_TABLE": "c",
        "NWCHAT_MESSAGES_TABLE": "m",
        "NWCHAT_LOG_LEVEL": "DEBUG",
        "AWS_LAMBDA_LOG_FORMAT": log_format,
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert "ours" in done.stdout
    assert "asyncio a library logged this" in done.stdout
    assert "botocore" not in done.stdout
    assert "secret" not in done.stdout + done.stderr


# Every handler ------------------------------------------------------------------------------------

EVENT: dict[str, Any] = {
    "headers": {"Origin": f"https://{NAME} {TEXT}", "User-Agent": TEXT},
    "requestContext": {
        "connectionId": "me",
        "connectedAt": NOW,
        "identity": {"sourceIp": ADDRESS, "userAgent": TEXT},
        "authorizer": {"sender_id": NAME, "uname": NAME},
    },
    "body": json.dumps({"message": TEXT, "uname": NAME, "sender_id": NAME, "client_id": NAME}),
    "queryStringParameters": {"limit": TEXT, "after": NAME},
}

BROKEN = ("", "add_connection", "remove_connection", "record_activity", "bans", "append", "scan", "page")


class LeakyStore(FakeStore):
    """Its errors repeat what was to be written, as errors of botocore and DynamoDB may."""

    def _may_break(self, name: str) -> None:
        if self.broken == name:
            raise refused_write() from ValueError(ADDRESS)

    def page(self, *args: Any, **options: Any) -> Any:
        self._may_break("page")
        return super().page(*args, **options)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("banned", [False, True])
@pytest.mark.parametrize("broken", BROKEN)
def test_no_handler_logs_data_of_persons(broken: str, banned: bool, tokens: bool) -> None:
    store = LeakyStore(*room("me", "other").rows.values(), broken=broken)
    if banned:
        store.ban(Ban(f"address#{ADDRESS}", ADDRESS, reason=TEXT, by=NAME))
    chat = Chat(
        store, FakeGateway(), tokens=tokens, allowed_origins=frozenset({"https://x"}), log_level="DEBUG"
    )
    chat.log.logger.setLevel(logging.DEBUG)
    calls: list[Callable[[], object]] = [
        lambda: connect(EVENT, chat.services, chat.log),
        lambda: connect({**EVENT, "headers": {}}, chat.services, chat.log),
        lambda: disconnect(EVENT, chat.services, chat.log),
        lambda: history(EVENT, chat.services, chat.log),
        lambda: history({**EVENT, "queryStringParameters": {}}, chat.services, chat.log),
        lambda: chat.handle(EVENT),
        lambda: chat.handle({**EVENT, "body": TEXT}),
        lambda: chat.handle({**EVENT, "body": json.dumps({"action": NAME, "message": 1})}),
        lambda: chat.handle({**EVENT, "body": json.dumps({"action": "history", "after": TEXT})}),
    ]
    for call in calls:
        try:
            call()
        except Exception:
            # As the handlers around these functions do.
            chat.log.exception("failed")
    text = chat.output.getvalue()
    assert text
    assert [each for each in PERSONAL if each in text] == []
    if banned and broken != "bans":
        assert {"ban", "address"} <= {name for line in chat.logged() for name in line}


def test_a_segment_fails_without_the_text_of_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda logs it, and the dead-letter queue gets it."""

    def services() -> None:
        raise refused_write()

    chat = Chat(FakeStore())
    monkeypatch.setattr(runtime, "log_for", lambda event, context: chat.log)
    monkeypatch.setattr(runtime, "services", services)
    with pytest.raises(SegmentFailed) as caught:
        fanout.handler({"frame": TEXT}, None)
    assert str(caught.value) == "ClientError ValidationException"
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
    (line,) = chat.logged()
    assert (line["message"], line["errorCode"]) == ("segment failed", "ValidationException")


def test_the_size_of_a_table_fails_without_the_text_of_its_error() -> None:
    chat = Chat(FakeStore())

    def count() -> int:
        raise refused_write()

    assert TableSize(count, chat.log.logger).at_least(3) == 3
    assert chat.logged()[0]["error"] == "ClientError ValidationException"


def test_texts_of_loggable_errors_are_our_own() -> None:
    """Each new one is looked at: nothing that a client sent may be in its text."""
    found = {each.__name__ for each in LoggableError.__subclasses__()}
    assert EventTooLarge.__name__ in found, "imported here, as by a function with a large room"
    assert found == {"DeliveryAborted", "EventTooLarge", "MissingSetting", "SegmentFailed", "UnprocessedRows"}
