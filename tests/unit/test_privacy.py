"""docs/explanation/privacy.md names every place, every attribute of a row and every field of a log line."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nwchat.delivery.tally import Counts
from nwchat.large_rooms.segments import Segment, report_row
from nwchat.log import LoggableError, error_fields
from nwchat.model import bans, ids
from nwchat.model.bans import Ban, ban_row
from nwchat.model.log_hash import ban_fields
from nwchat.model.rows import Connection, connection_row, message_row
from nwchat.model.wire import Message
from nwchatctl.aws.dynamodb import broadcasts
from nwchatctl.chat.broadcast_message import ID_SECONDS
from nwchatctl.config import Settings
from nwchatctl.deploy.desired.access_logs import FORMAT
from nwchatctl.deploy.desired.dead_letters import KEPT_SECONDS, MAX_AGE_SECONDS
from nwchatctl.deploy.lock import LockHolder
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.sandbox.state import SandboxPaths
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "explanation" / "privacy.md").read_text()
STORING = (
    *(ROOT / "lambdas" / "nwchat" / "storage").glob("*.py"),
    *(ROOT / "lambdas" / "nwchat" / "model").glob("*.py"),
    *(ROOT / "lambdas" / "nwchat" / "large_rooms").glob("*.py"),
    *(ROOT / "nwchatctl" / "aws" / "dynamodb").glob("*.py"),
)
FUNCTIONS = tuple((ROOT / "lambdas").rglob("*.py"))
TYPES = {"S", "N", "BOOL", "M", "L"}


def section(title: str) -> str:
    """The text below a heading."""
    return re.split(r"\n## ", PAGE.partition(f"\n## {title}\n")[2])[0]


def named(text: str) -> set[str]:
    """What is in backticks, without a trailing `…`."""
    return {each.removesuffix("…").removesuffix(".") for each in re.findall(r"`([^`\n]+)`", text)}


def trees(paths: tuple[Path, ...]) -> Iterator[tuple[str, ast.Module]]:
    for path in paths:
        yield path.name, ast.parse(path.read_text())


# Rows -------------------------------------------------------------------------------------------


def typed(node: ast.expr | None) -> bool:
    """Whether it is a value in DynamoDB's typed JSON, as `{"S": text}`."""
    match node:
        case ast.Dict(keys=[ast.Constant(value=str(kind))]):
            return kind in TYPES
    return False


def written(node: ast.AST) -> Iterator[str]:
    """The attributes that a node of the syntax tree writes, or names in an expression."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                match key, value:
                    case ast.Constant(value=str(name)), _ if typed(value):
                        yield name
                    case ast.Constant(value=str(name)), ast.Constant(value=str(text)) if name[0] in "#:":
                        yield text
        case ast.keyword(arg=str(name), value=value) if typed(value):
            yield name
        case ast.Constant(value=str(text)):
            yield from re.findall(r"(?<![#:\w])([a-z_]+) = (?:[:(]|if_not_exists|\w+ \+)", text)
            yield from re.findall(r"(?:ADD|DELETE) ([a-z_]+) :", text)


def attributes() -> set[str]:
    """Every attribute that the functions and the tool store."""
    found = {name for _, tree in trees(STORING) for node in ast.walk(tree) for name in written(node)}
    full = Connection("c", 1, 2, "a", "u", "n", "i", 3, True)
    found |= connection_row(full).keys() | message_row(Message("i", "m", "u", "s", 1), 2).keys()
    found |= ban_row(Ban("k", "w", 1, 2, "b", "r")).keys()
    found |= {each.name for each in dataclasses.fields(LockHolder)} | {broadcasts._KIND}
    found |= report_row(Segment("f", "i", 0, 1, 1.0, report="r"), {}, 1).keys()
    return {name for name in found if re.fullmatch(r"[a-z][a-z0-9_]*", name)}


def test_every_attribute_of_a_row_is_named() -> None:
    found = attributes()
    assert {
        "source_ip",
        "rate_count",
        "who",
        "message_id",
        "frame",
        "held_by",
        "code_sha256",
        "host",
    } <= found
    assert found - named(section("Attributes of the rows")) == set()


def test_no_attribute_is_named_that_is_not_stored() -> None:
    prefixes = {"seg_", "release", "certificate", "tag"}
    counts = {each.name for each in dataclasses.fields(Counts)} | {"done"}
    rest = named(section("Attributes of the rows")) - attributes() - prefixes - counts
    assert rest == {"bans"}


# Logs -------------------------------------------------------------------------------------------

METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def log_calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=logger, attr=method)) if method in METHODS:
                if re.search(r"log(ger\(\)|ger)?$", ast.unparse(logger)):
                    yield node


def fields_of(expression: ast.expr, tree: ast.Module) -> Iterator[str]:
    """The names of the fields in an `extra`. Fails where they cannot be told."""
    match expression:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                match key:
                    case ast.Constant(value=str(name)):
                        yield name
                    case None:
                        yield from fields_of(value, tree)
                    case _:
                        raise AssertionError(f"a field without a fixed name: {ast.unparse(expression)}")
        case ast.Name(id=wanted):
            for node in ast.walk(tree):
                match node:
                    case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == wanted:
                        yield from fields_of(value, tree)
        case ast.Call(func=ast.Name(id="asdict")):
            yield from (each.name for each in dataclasses.fields(Counts))
        case ast.Call(func=ast.Name(id="ban_fields" | "caller_hashes")):
            request = {"identity": {"sourceIp": "192.0.2.1"}, "authorizer": {"sender_id": "1", "uname": "u"}}
            yield from ban_fields(Ban("user#1", "1"), request, str)
        case _:
            raise AssertionError(f"fields that this test cannot tell: {ast.unparse(expression)}")


def log_fields() -> set[str]:
    found = {"timestamp", "level", "logger", "message", "request_id", "connection_id", "place"}
    for _, tree in trees(FUNCTIONS):
        for call in log_calls(tree):
            for keyword in call.keywords:
                if keyword.arg == "extra":
                    found |= set(fields_of(keyword.value, tree))
    error = LoggableError("text")
    error.response, error.operation_name = {"Error": {"Code": "C"}}, "O"  # type: ignore[attr-defined]
    error.__cause__ = ValueError()
    return found | error_fields(error).keys()


def test_every_field_of_a_log_line_is_named() -> None:
    found = log_fields() | json.loads(FORMAT).keys()
    assert {"ban", "address", "sender", "origin", "delivered", "errorCode", "causes", "routeKey"} <= found
    assert found - named(section("Fields of the logs")) == set()


def test_no_log_call_has_fields_in_another_way() -> None:
    """Only a fixed text, and `extra`: a text with values in it would be outside of this test."""
    for name, tree in trees(FUNCTIONS):
        for call in log_calls(tree):
            at = f"{name}:{call.lineno}"
            assert {each.arg for each in call.keywords} <= {"extra", "exc_info"}, at
            texts = call.args[1:] if ast.unparse(call.func).endswith(".log") else call.args
            assert [type(each) for each in texts] == [ast.Constant], at


def test_functions_print_nothing() -> None:
    for name, tree in trees(FUNCTIONS):
        printed = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "print"]
        assert printed == [], name


def test_access_logs_have_no_address_and_no_text_of_a_client() -> None:
    variables = " ".join(json.loads(FORMAT).values())
    assert not re.search(r"identity|authorizer|querystring|header|body|path|user", variables, re.IGNORECASE)


# Places and times -------------------------------------------------------------------------------


def test_every_place_is_named() -> None:
    places = named(section("Where data is"))
    names = ResourceNames("CHAT")
    wanted = {*names.tables, names.dead_letters, names.token_keys, names.access_log}
    assert wanted | {names.log_group("FUNCTION")} <= places
    properties = [name for name, value in vars(SandboxPaths).items() if isinstance(value, property)]
    sandbox = {getattr(SandboxPaths(Path("/s")), name).name for name in properties}
    assert sandbox <= places


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Where data is", f"expires {ids.CONNECTION_SECONDS} s after it was made"),
        ("Where data is", f"{ids.DEDUP_SECONDS} s, of announcements {ID_SECONDS} s"),
        ("Where data is", f"bans: {bans.RETENTION_SECONDS // 86_400} days after their end"),
        ("Where data is", f"| {KEPT_SECONDS // 86_400} days |"),
        ("Where data is", f"at most {MAX_AGE_SECONDS} s |"),
        ("What players must be told", f"`tables.retention_days` ({Settings().tables.retention_days} days"),
        ("What players must be told", f"`logs.retention_days` ({Settings().logs.retention_days} days"),
        ("What players must be told", f"at most {ids.CONNECTION_SECONDS} seconds"),
    ],
)
def test_times_are_those_of_the_code(title: str, text: str) -> None:
    assert text in " ".join(section(title).split()).replace("\n", " ")


@pytest.mark.parametrize("check", [attributes, log_fields])
def test_the_lists_come_from_the_code(check: Callable[[], set[str]]) -> None:
    assert len(check()) > 30
