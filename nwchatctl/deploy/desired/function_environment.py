"""The environment variables of each function: those that its code reads, and no others. Pure.

A version keeps the environment that it was published with, so earlier releases run with theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nwchatctl.deploy.desired.token_auth import AUTH_VARIABLES
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function, alias_name
from nwchatctl.deploy.model.placeholders import API_ID
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.errors import ChatError, Exit

if TYPE_CHECKING:
    from nwchatctl.config import Settings

_LOG = "NWCHAT_LOG_LEVEL"
_TABLES = ("NWCHAT_CONNECTIONS_TABLE", "NWCHAT_MESSAGES_TABLE")
_BUDGET = ("NWCHAT_RATE_SECONDS", "NWCHAT_SENDER_MESSAGES")
_MODE, _KEYS = AUTH_VARIABLES

VARIABLES: dict[str, frozenset[str]] = {
    "connect": frozenset(
        {_LOG, *_TABLES, "NWCHAT_ALLOWED_ORIGINS", "NWCHAT_ADDRESS_CONNECTIONS", _MODE},
    ),
    "disconnect": frozenset({_LOG, *_TABLES}),
    "message": frozenset(
        {
            *(_LOG, *_TABLES, *_BUDGET, _MODE, "NWCHAT_ENDPOINT", "NWCHAT_RETENTION_DAYS"),
            *("NWCHAT_ECHO_TO_SENDER", "NWCHAT_RESERVED_NAMES"),
            *("NWCHAT_MAX_MESSAGE_CHARS", "NWCHAT_MAX_UNAME_CHARS", "NWCHAT_RATE_MESSAGES"),
            *("NWCHAT_FANOUT_FUNCTION", "NWCHAT_FANOUT_THRESHOLD", "NWCHAT_FANOUT_SEGMENT_SIZE"),
            "NWCHAT_SENDING_RATE",
        }
    ),
    "fanout": frozenset({_LOG, *_TABLES, "NWCHAT_ENDPOINT", "NWCHAT_FANOUT_FUNCTION"}),
    "history": frozenset({_LOG, *_TABLES, *_BUDGET, "NWCHAT_MAX_UNAME_CHARS", _MODE, _KEYS}),
    "authorize": frozenset({_LOG, "NWCHAT_MAX_UNAME_CHARS", _KEYS}),
}
"""The variables that each function reads, by its short name. Those of token mode exist only in token mode."""

MAX_BYTES = 4096
"""The most that a function's variables may have in all (Lambda quotas)."""

_API_ID_CHARS = 10


def function_environment(
    short: str, settings: Settings, location: Location, names: ResourceNames, api_id: str
) -> StringMap:
    """The environment of function `short`; `api_id` may be `API_ID`."""
    values = _values(settings, location, names, api_id)
    return string_map({name: text for name, text in values.items() if name in VARIABLES[short]})


def refuse_large_environments(functions: Iterable[Function]) -> None:
    """Raises ChatError `environment_too_large`, exit 3, if Lambda would refuse a function's variables."""
    for each in functions:
        size = environment_size(each.environment)
        if size > MAX_BYTES:
            longest = max(each.environment, key=lambda entry: len(entry[1]))[0]
            raise ChatError(
                f"the variables of function {each.name} have {size} bytes, and Lambda takes {MAX_BYTES}",
                hint=f"shorten the setting that the longest one, {longest}, is made of",
                code="environment_too_large",
                exit_code=Exit.CONFIG,
            )


def environment_size(environment: StringMap) -> int:
    """The size in bytes as Lambda measures it: as JSON, with an API id of AWS's length."""
    known = {name: text.replace(API_ID, "x" * _API_ID_CHARS) for name, text in environment}
    return len(json.dumps(known, separators=(",", ":"), ensure_ascii=False).encode())


def _values(settings: Settings, location: Location, names: ResourceNames, api_id: str) -> dict[str, str]:
    chat, fanout, sending = settings.chat, settings.fanout, settings.sending
    token_mode = {_MODE: "token", _KEYS: names.token_keys} if settings.auth.mode == "token" else {}
    return {
        "NWCHAT_CONNECTIONS_TABLE": names.connections,
        "NWCHAT_MESSAGES_TABLE": names.messages,
        "NWCHAT_ENDPOINT": location.connections_url(api_id, settings.stage.name),
        "NWCHAT_RETENTION_DAYS": str(settings.tables.retention_days),
        "NWCHAT_ECHO_TO_SENDER": "true" if chat.echo_to_sender else "false",
        "NWCHAT_ALLOWED_ORIGINS": ",".join(chat.allowed_origins),
        "NWCHAT_RESERVED_NAMES": ",".join(chat.reserved_names),
        "NWCHAT_MAX_MESSAGE_CHARS": str(chat.max_message_chars),
        "NWCHAT_MAX_UNAME_CHARS": str(chat.max_uname_chars),
        "NWCHAT_RATE_MESSAGES": str(chat.rate_messages),
        "NWCHAT_RATE_SECONDS": str(chat.rate_seconds),
        "NWCHAT_SENDER_MESSAGES": str(chat.sender_messages),
        "NWCHAT_ADDRESS_CONNECTIONS": str(chat.address_connections),
        "NWCHAT_FANOUT_FUNCTION": alias_name(names.function("fanout")),
        "NWCHAT_FANOUT_THRESHOLD": str(fanout.threshold),
        "NWCHAT_FANOUT_SEGMENT_SIZE": str(fanout.segment_size),
        "NWCHAT_SENDING_RATE": str(sending.account_rate - sending.reserve_rate),
        "NWCHAT_LOG_LEVEL": settings.functions.log_level,
        **token_mode,
    }
