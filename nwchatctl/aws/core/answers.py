"""Answers that are not AWS's: the page of a proxy or of a captive portal, an empty or a cut body, a missing
field. botocore reads them as answers without fields, or with the page as the error's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError, ResponseParserFactory

_HTML = re.compile(rb"\s*(<!doctype html|<html)", re.I)
_OF_PROXIES = (407, 511)
"""Statuses that only proxies and captive portals send: proxy and network authentication required."""

_FAILED = (429, 500, 502, 503, 504)
"""Statuses that pass, also with the page of a load balancer of AWS."""

_OF_ROWS = ("Scan", "Query", "GetItem", "BatchGetItem")
"""Operations that return rows of DynamoDB: their readers know what may be missing, and there are many."""


class ForeignAnswer(BotoCoreError):
    """Something else than AWS answered: a proxy, a captive portal. Repeating the call is useless for now."""

    fmt = "the answer to {operation} is not AWS's: {what}"


class UnreadableAnswer(ResponseParserError):
    """The answer is not complete, so that it is unknown whether the call was carried out."""

    def __init__(self, operation: str, what: str) -> None:
        super().__init__(f"the answer to {operation} cannot be read: {what}")


class MissingField(KeyError):
    """The answer is complete and lacks a field that AWS documents."""

    def __init__(self, operation: str, field: str) -> None:
        super().__init__(field)
        self.text = f"the answer to {operation} has no {field}"

    def __str__(self) -> str:
        return self.text


class Answer(dict[str, Any]):
    """A part of a response. Raises MissingField for a field that is not there."""

    def __init__(self, operation: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self._operation = operation

    def __missing__(self, field: str) -> Any:
        raise MissingField(self._operation, field)


class AnswerParserFactory(ResponseParserFactory):
    """botocore's parsers, with the checks of this module. A component of botocore's session."""

    def create_parser(self, protocol_name: str) -> Any:
        parser: Any = super().create_parser(protocol_name)
        return _AnswerParser(parser, is_json=protocol_name.endswith("json"))


class _AnswerParser:
    def __init__(self, parser: Any, *, is_json: bool) -> None:
        self._parser = parser
        self._is_json = is_json

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        """The fields of a response. Raises ForeignAnswer and UnreadableAnswer."""
        operation = str((response.get("context") or {}).get("operation_name") or "a call")
        status, body = response["status_code"], response["body"]
        is_page = _is_page(response)
        if what := _foreign(status, is_page):
            raise ForeignAnswer(operation=operation, what=what)
        if status >= 300:
            response = {**response, "body": b"" if is_page else self._error_body(body)}
        elif isinstance(body, bytes) and _has_body(shape) and status != 204:
            # Without a length it was cut in its headers: `session` repeats such a call at once.
            if not body and response["headers"].get("content-length"):
                raise UnreadableAnswer(operation, f"HTTP {status} without a body")
            # botocore takes a body that is not JSON for an answer without fields. A parser has one response.
            self._parser._parse_body_as_json = partial(_read_object, operation, status)
        try:
            parsed = self._parser.parse(response, shape)
        except UnreadableAnswer:
            raise
        except Exception as error:
            # botocore's own text repeats the body, which may hold a secret.
            raise UnreadableAnswer(operation, f"HTTP {status} without the fields of AWS") from error
        return _as_answer(operation, parsed)

    def _error_body(self, body: Any) -> Any:
        """The body of an error; nothing if it is not of the protocol, so that it is not taken for a text."""
        return b"" if self._is_json and not _is_object(body) else body


def _is_page(response: Mapping[str, Any]) -> bool:
    body = response["body"]
    is_html = str(response["headers"].get("content-type", "")).startswith("text/html")
    if not isinstance(body, bytes):
        return is_html
    # Some emulators call their JSON HTML.
    return bool(_HTML.match(body)) or (is_html and body.lstrip().startswith(b"<"))


def _foreign(status: int, is_page: bool) -> str:
    """What shows that the answer is not AWS's; "" for nothing."""
    if 300 <= status < 400:
        return f"HTTP {status}, which leads to another address"
    if status in _OF_PROXIES:
        return f"HTTP {status}, which asks for a login to the network"
    return f"an HTML page, with HTTP {status}" if is_page and status not in _FAILED else ""


def _has_body(shape: Any) -> bool:
    """Whether the response has fields in its body, and not only in its headers or as bytes."""
    if shape is None or shape.type_name != "structure":
        return False
    payload = shape.serialization.get("payload")
    if payload:
        return bool(shape.members[payload].type_name == "structure")
    return any("location" not in each.serialization for each in shape.members.values())


def _read_object(operation: str, status: int, body: bytes) -> Any:
    """The object in the body of a successful response. Raises UnreadableAnswer."""
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UnreadableAnswer(operation, f"HTTP {status} with a body that is not complete JSON")
    return value


def _is_object(body: Any) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (TypeError, ValueError):
        return False


def _as_answer(operation: str, value: Any) -> Any:
    match value:
        case dict() if operation in _OF_ROWS:
            return Answer(operation, value)
        case dict():
            return Answer(operation, {name: _as_answer(operation, each) for name, each in value.items()})
        case list():
            return [_as_answer(operation, each) for each in value]
    return value
