"""Checks a file before any of it is imported: its encoding, and whether it holds messages at all."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO

from nwchatctl.chat.history_import import InvalidLine, ReadResult
from nwchatctl.chat.json_values import encoding_of
from nwchatctl.errors import ChatError, Exit

LOOKED_AT = 100
"""The number of entries among which there must be a message."""

_BLOCK = 1024 * 1024
_SHOWN_KEYS, _SHOWN_CHARS = 6, 20

_COMPRESSED = {
    b"\x1f\x8b": "zcat",
    b"BZh": "bzcat",
    b"\xfd7zXZ\x00": "xzcat",
    b"\x28\xb5\x2f\xfd": "zstdcat",
    b"PK\x03\x04": "unzip -p",
}
"""The first bytes of compressed files, and the programs that print what is in them."""

_FORM = '{"message": "hi", "uname": "tom", "sender_id": "7", "date": "2026-01-31T18:00:00Z"}'
_SLACK = (
    "{message: .text, uname: (.user_profile.name // .user), sender_id: .user, "
    "date: (.ts | tonumber * 1000 | floor)}"
)
_OTHER = "{message: .text, uname: .user, date: .time}"


def require_text(source: BinaryIO, name: str) -> None:
    """Reads all of a file that can be read again, and goes back to where it was. Raises ChatError, exit 2, if
    it is compressed, or no text in UTF-8 or in the encoding that its beginning shows."""
    began = source.tell()
    block = source.read(_BLOCK)
    for beginning, program in _COMPRESSED.items():
        if block.startswith(beginning):
            raise _not_text(
                f"{name} is compressed", f"{program} {_word(name)} | nwchatctl history import -", "compressed"
            )
    encoding = encoding_of(block)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line = 1
    while True:
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _wrong_encoding(name, encoding, line + error.object[: error.start].count(b"\n")) from None
        if "\0" in text:
            raise _not_text(
                f"{name} is no text: there are zero bytes in it", "name a file of messages", "not_text"
            )
        if not block:
            break
        line += text.count("\n")
        block = source.read(_BLOCK)
    source.seek(began)


def _wrong_encoding(name: str, encoding: str, line: int) -> ChatError:
    if not encoding.startswith("utf-8"):
        return _not_text(
            f"{name} begins as {encoding.upper()}, and is none", "convert it to UTF-8", "not_utf8"
        )
    return _not_text(
        f"{name} is not UTF-8, in line {line}",
        f"convert it, from Latin-1: iconv -f LATIN1 -t UTF-8 {_word(name)} | nwchatctl history import -",
        "not_utf8",
    )


def _not_text(message: str, hint: str, code: str) -> ChatError:
    return ChatError(message, hint=hint, code=code, exit_code=Exit.USAGE)


def _word(name: str) -> str:
    """The name of the file for a command; stdin has none."""
    return "FILE" if name == "stdin" else shlex.quote(name)


def require_messages(found: Iterable[ReadResult], name: str) -> Iterator[ReadResult]:
    """The same results. Raises ChatError `no_messages`, exit 2, before the first of them if the file holds
    something else: if none of the first LOOKED_AT, and of all in a short file, is a message."""
    results = iter(found)
    first = list(islice(results, LOOKED_AT))
    invalid = [each for each in first if isinstance(each, InvalidLine)]
    if invalid and len(invalid) == len(first):
        raise _other_kind(name, invalid)
    return chain(first, results)


def _other_kind(name: str, invalid: list[InvalidLine]) -> ChatError:
    example = next((each for each in invalid if each.keys), invalid[0])
    looked = (
        "its only entry is none" if len(invalid) == 1 else f"none of its first {len(invalid)} entries is one"
    )
    keys = ", ".join(each[:_SHOWN_CHARS] for each in example.keys[:_SHOWN_KEYS])
    found = f" (keys: {keys})" if keys else ""
    return ChatError(
        f"{name} holds no messages: {looked}; {example.place}: {example.reason}{found}",
        hint=_mapping(example, name),
        code="no_messages",
        exit_code=Exit.USAGE,
    )


def _mapping(example: InvalidLine, name: str) -> str:
    """What a message is, and how to make it of the entry; jq is of no use for what is no JSON object."""
    if not example.keys:
        return f"a message is a JSON object, one a line or in an array: {_FORM}"
    each = ".[]" if example.item else "."
    fields = _SLACK if {"text", "ts"} <= set(example.keys) else _OTHER
    return f"a message is {_FORM}: jq -c '{each} | {fields}' {_word(name)} | nwchatctl history import -"
