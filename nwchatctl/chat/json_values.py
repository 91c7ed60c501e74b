"""Reads JSON values from a file one at a time: one on each line, in arrays of any layout, one after another.

The memory is that of the largest value, not of the file. What is no JSON is reported with its place, and
reading continues with the next line, or behind the lines of a value that has several.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias

MAX_VALUE_CHARS = 4 * 1024 * 1024
"""The maximum of characters of a value. An item of DynamoDB has at most 400 KB, and JSON's escapes can make
it six times as long."""

_BLOCK = 64 * 1024
_NEAR_END = 16
"""Characters: an error so close to the end of what was read may be one that more text resolves."""

_SEPARATORS = re.compile("[\\s,\ufeff]*")
_OPENING = re.compile(r"[ \t]*[{\[]")
_UNDECODED = re.compile("[\udc80-\udcff]")
_DECODER = json.JSONDecoder()

NOT_UTF8 = "not UTF-8"


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value that begins in `line`; `item` is its number in the array that it is in, 0 outside of one."""

    line: int
    item: int
    value: object


@dataclass(frozen=True, slots=True)
class InvalidJson:
    """Text that is no JSON, and why; places as in JsonValue."""

    line: int
    item: int
    reason: str


Read: TypeAlias = JsonValue | InvalidJson


def encoding_of(beginning: bytes) -> str:
    """The encoding of a text of JSON, by its BOM or else by where its first bytes are zero (RFC 4627)."""
    return json.detect_encoding(beginning[:4])


def read_values(source: BinaryIO, lists: tuple[str, ...] = ()) -> Iterator[Read]:
    """The values of the file, and those of its arrays. The elements of an array that is a member of an object
    under one of the names `lists`, also of several such objects in each other, are values too."""
    text = _Text(source)
    yield from _values(text, lists, end="")
    if text.unfinished:
        yield InvalidJson(text.line, 0, "cut off: the array has no end")


class _Invalid(Exception):
    """The text at the position is no JSON: `position` is where it stops to be."""

    def __init__(self, position: int, reason: str = "not JSON") -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


class _TooLong(Exception):
    """The value is longer than MAX_VALUE_CHARS."""


@dataclass
class _Text:
    """The part of the text that has been read and is still needed; `position` is in it, `line` that of the
    position. `unfinished`: an array began, and has not ended."""

    source: BinaryIO
    text: str = ""
    position: int = 0
    line: int = 1
    ended: bool = False
    unfinished: bool = False
    indent: int = 0
    _decoder: codecs.IncrementalDecoder | None = field(default=None, repr=False)

    def read_more(self, size: int = _BLOCK) -> None:
        """Adds at least a block, or the end."""
        block = self.source.read(size)
        if self._decoder is None:
            encoding = encoding_of(block)
            errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
            self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self.ended = not block
        self.text = self.text[self.position :] + self._decoder.decode(block, final=self.ended)
        self.position = 0

    def advance(self, position: int) -> None:
        newlines = self.text.count("\n", self.position, position)
        if newlines:
            self.line += newlines
            self.indent = position - self.text.rindex("\n", 0, position) - 1
        else:
            self.indent += position - self.position
        self.position = position

    def next_character(self) -> str:
        """The next one that separates no values; "" at the end."""
        while True:
            match = _SEPARATORS.match(self.text, self.position)
            self.advance(match.end() if match else self.position)
            if self.position < len(self.text):
                return self.text[self.position]
            if self.ended:
                return ""
            self.read_more()

    def decode(self) -> tuple[object, str]:
        """The value at the position, which moves behind it, and its text. Raises _Invalid and _TooLong."""
        size = _BLOCK
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.position)
            except json.JSONDecodeError as error:
                if not self._may_be_resolved(error):
                    raise _Invalid(error.pos) from None
                if self.ended:
                    raise _Invalid(error.pos, "not JSON, or cut off") from None
            except (ValueError, RecursionError):
                raise _Invalid(self.position) from None
            else:
                # A number at the end may have more digits.
                if end < len(self.text) or self.ended:
                    text = self.text[self.position : end]
                    self.advance(end)
                    return value, text
            if len(self.text) - self.position > MAX_VALUE_CHARS:
                raise _TooLong
            self.read_more(size)
            size = min(size * 2, MAX_VALUE_CHARS)

    def _may_be_resolved(self, error: json.JSONDecodeError) -> bool:
        text = self.text.rstrip() if self.ended else self.text
        return error.msg.startswith("Unterminated string") or error.pos >= len(text) - _NEAR_END * (
            not self.ended
        )

    def skip_line(self) -> str:
        """Moves behind the end of the line; what was in it, as far as it was read already."""
        skipped = ""
        while (end := self.text.find("\n", self.position)) < 0 and not self.ended:
            skipped = skipped or self.text[self.position :]
            self.advance(len(self.text))
            self.read_more()
        end = len(self.text) if end < 0 else end + 1
        skipped = skipped or self.text[self.position : end]
        self.advance(end)
        return skipped

    def skip_value(self, invalid: _Invalid) -> str:
        """Moves to where the next value may begin; what was skipped of the first line."""
        several = "\n" in self.text[self.position : invalid.position]
        indent = self.indent
        skipped = self.skip_line()
        while several:
            if not self.ended and self.text.find("\n", self.position) < 0:
                self.read_more()
            match = _OPENING.match(self.text, self.position)
            if self.position >= len(self.text) or (match and match.end() - self.position - 1 <= indent):
                break
            self.skip_line()
        return skipped


def _values(text: _Text, lists: tuple[str, ...], end: str) -> Iterator[Read]:
    """The values up to the character `end`, or to the end of the text."""
    item = 0
    while character := text.next_character():
        if character == end:
            text.advance(text.position + 1)
            text.unfinished = False
            return
        if character == "[" and not end:
            text.advance(text.position + 1)
            text.unfinished = True
            yield from _values(text, lists, "]")
            continue
        item += 1 if end else 0
        yield from _value(text, lists, item)


def _value(text: _Text, lists: tuple[str, ...], item: int) -> Iterator[Read]:
    line = text.line
    try:
        value, raw = text.decode()
    except _Invalid as invalid:
        # Of an array that is broken no end is expected.
        text.unfinished = False
        skipped = text.skip_value(invalid)
        yield InvalidJson(line, item, NOT_UTF8 if _UNDECODED.search(skipped) else invalid.reason)
    except _TooLong:
        if text.text[text.position] == "{" and lists and not item:
            yield from _long_object(text, lists, line)
        else:
            yield _skipped_as_too_long(text, line, item)
    else:
        if _UNDECODED.search(raw):
            yield InvalidJson(line, item, NOT_UTF8)
        elif (elements := elements_of(value, lists)) is None:
            yield JsonValue(line, item, value)
        else:
            yield from (JsonValue(line, number, each) for number, each in enumerate(elements, 1))


def elements_of(value: object, lists: tuple[str, ...]) -> list[object] | None:
    """The list in an object under one of the names, as in `{"new_chats": {"chats": […]}}`; None if there is
    none."""
    if not isinstance(value, dict):
        return None
    for name in lists:
        if isinstance(value, dict) and name in value and "message" not in value:
            value = value[name]
    return value if isinstance(value, list) else None


def _skipped_as_too_long(text: _Text, line: int, item: int) -> InvalidJson:
    text.unfinished = False
    text.skip_line()
    return InvalidJson(line, item, f"longer than {MAX_VALUE_CHARS} characters")


def _long_object(text: _Text, lists: tuple[str, ...], line: int) -> Iterator[Read]:
    """The elements of the lists of an object that is too long to be read as a whole."""
    text.advance(text.position + 1)
    found = False
    try:
        while (character := text.next_character()) not in ("}", ""):
            name, _ = text.decode()
            if character != '"' or text.next_character() != ":":
                raise _Invalid(text.position)
            text.advance(text.position + 1)
            opening = text.next_character()
            if name in lists and opening in ("{", "["):
                found = True
                if opening == "{":
                    yield from _long_object(text, lists, line)
                else:
                    text.advance(text.position + 1)
                    text.unfinished = True
                    yield from _values(text, lists, "]")
            else:
                text.decode()
    except (_Invalid, _TooLong):
        yield _skipped_as_too_long(text, line, 0)
        return
    text.advance(min(text.position + 1, len(text.text)))
    if not found:
        yield InvalidJson(line, 0, f"longer than {MAX_VALUE_CHARS} characters")
