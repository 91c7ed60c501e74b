"""Exports the history: one line of JSON per message, as `history tail --json` prints it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from nwchat.model.ids import LATEST_STORE_MS, RANDOM_BYTES, is_ulid, ulid, ulid_time
from nwchat.model.wire import Message, to_json_dict
from nwchatctl.errors import ChatError

KEYS = ("id", "message", "uname", "sender_id", "date", "type")
"""In the documented order: the text before the type."""

MAX_LINE_BYTES = 4 * 1024 * 1024
"""The maximum of bytes of a line. An item has at most 400 KB, and JSON's escapes can make it six times as
long."""

_BLOCK = 64 * 1024

_LINE_PREFIX = b'{"id": "'
"""The prefix of every line."""


def fields(message: Message) -> dict[str, object]:
    """A message as a JSON object."""
    frame = to_json_dict(message)
    return {key: frame[key] for key in KEYS}


def line(message: Message) -> bytes:
    """A message as one line, in ASCII, with its newline."""
    return json.dumps(fields(message)).encode() + b"\n"


def write(pages: Iterable[Sequence[Message]], file: BinaryIO, on_written: Callable[[int], None]) -> None:
    """Writes the lines of each page at once, and reports their number to `on_written`."""
    for page in pages:
        file.write(b"".join(map(line, page)))
        file.flush()
        on_written(len(page))


def whole_lines(file: BinaryIO) -> tuple[int, bytes]:
    """The number of bytes of `file` that are complete lines, and the last of these lines; reads only the end
    of a long file. The line is empty if it is longer than MAX_LINE_BYTES."""
    size = file.seek(0, os.SEEK_END)
    reach = _BLOCK
    while True:
        start = max(size - reach, 0)
        file.seek(start)
        tail = file.read(reach)
        end = tail.rfind(b"\n") + 1
        previous = tail.rfind(b"\n", 0, max(end - 1, 0)) + 1
        if start == 0 or (end and previous):
            return start + end if end else 0, tail[previous:end]
        if reach > MAX_LINE_BYTES * 2:
            return start + end, b""
        reach *= 2


def truncate_partial_line(file: BinaryIO) -> str | None:
    """Removes a partial last line, so that writing continues after the last complete one; returns that line's
    id, None for an empty file. Raises ChatError `not_an_export`, and changes nothing, if the file does not
    end so."""
    size, last = whole_lines(file)
    file.seek(size)
    partial = file.read(len(_LINE_PREFIX))
    key = _id_of(last) if size else None
    if not _LINE_PREFIX.startswith(partial) or (size and key is None):
        raise ChatError(
            "the end of the file is no message",
            hint="resume a file that `history export` wrote, or give another name",
            code="not_an_export",
        )
    file.truncate(size)
    file.seek(size)
    return key


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where to continue a file: with the messages after the id `after`, except those that it has (`written`).

    They overlap by LATEST_STORE_MS, because a message may be stored that long after its id was made.
    """

    after: str = ""
    written: frozenset[str] = frozenset()

    def missing(self, pages: Iterable[Sequence[Message]]) -> Iterator[Sequence[Message]]:
        """The messages of `pages` that are not in the file."""
        return ([each for each in page if each.id not in self.written] for page in pages)


def resume_point(file: BinaryIO) -> ResumePoint:
    """Where to continue `file`, which has complete lines only; reads no more than its last minutes.

    The file is a series of exports, each in the order of ids and each beginning at most LATEST_STORE_MS
    before the newest id that was there. So no line before one that is twice as old is within the overlap.
    """
    newest, found = "", set()
    for each in _lines_backward(file):
        key = _id_of(each)
        if key is None:
            continue
        newest = max(newest, key)
        if key <= _earlier(newest, 2 * LATEST_STORE_MS):
            break
        found.add(key)
    after = _earlier(newest, LATEST_STORE_MS)
    return ResumePoint(after, frozenset(key for key in found if key > after))


def _earlier(key: str, ms: int) -> str:
    """The last id that is more than `ms` before `key`; `key` itself if it has no time."""
    return ulid(max(ulid_time(key) - ms - 1, 0), b"\xff" * RANDOM_BYTES) if is_ulid(key) else key


def _lines_backward(file: BinaryIO) -> Iterator[bytes]:
    """The lines of `file`, the last one first."""
    position, rest = file.seek(0, os.SEEK_END), b""
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        rest, *lines = (file.read(size) + rest).split(b"\n")
        yield from (each for each in reversed(lines) if each)
    if rest:
        yield rest


def _id_of(line: bytes) -> str | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    key = found.get("id") if isinstance(found, dict) and "message" in found else None
    return key if isinstance(key, str) and key else None
