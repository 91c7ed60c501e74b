"""Limits of messages: cleaning, lengths and rates. Pure."""

from __future__ import annotations

import re
import unicodedata

from nwchat.model.characters import is_blank, is_invisible, visible_text, with_few_lines, with_few_marks
from nwchat.model.wire import InvalidFrame, MessageRequest, well_formed
from nwchat.values import dataclass, replace

MAX_SENDER_ID_CHARS = 64

# C0 except \t and \n, DEL, C1; then the bidirectional embeddings, overrides and isolates.
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SEPARATORS = re.compile("[\u2028\u2029]")
_LINE_BREAKS = re.compile("[\t\n]+")
_ZWJ = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
# The longest canonical decomposition has four code points (U+1F82), so NFC leaves at least a quarter.
_NFC_SHRINK = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Lengths in characters (code points), the rates of a connection and a sender, and an address's sockets.

    At most `rate_messages` messages of a connection in `rate_seconds`, and `sender_messages` frames of a
    sender (`nwchat.model.budget`). At most `address_connections` open connections of one address.
    """

    max_message_chars: int = 1000
    max_uname_chars: int = 40
    rate_messages: int = 10
    rate_seconds: int = 10
    sender_messages: int = 30
    address_connections: int = 200


@dataclass(frozen=True, slots=True)
class Window:
    """A rate window: the time of its first message (epoch ms), and its number of messages."""

    started_at: int
    count: int


def clean(text: str, *, name: bool = False) -> str:
    """NFC, trimmed, without control characters (except newline and tab), bidirectional overrides, invisible
    characters without a purpose (`characters.visible_text`), and with few marks on a letter."""
    return _composed(_bare(text, name=name))


def _bare(text: str, *, name: bool) -> str:
    # Before NFC: a dropped character may stand between a letter and its accent.
    bare = _SEPARATORS.sub("\n", _DROPPED.sub("", well_formed(text)))
    return visible_text(bare, name=name).strip()


def _composed(bare: str) -> str:
    # Marks are limited before, because NFC sorts them in quadratic time, and after, because it can make more.
    return with_few_marks(unicodedata.normalize("NFC", with_few_marks(bare))).strip()


def check_message(request: MessageRequest, limits: Limits) -> MessageRequest | InvalidFrame:
    """The message cleaned, its names cut to length; InvalidFrame when it is empty or too long."""
    too_long = InvalidFrame(
        "too_long", f"a message is at most {limits.max_message_chars} characters", request.client_id
    )
    bare = _bare(request.message, name=False)
    # Texts that cannot fit are not normalized.
    if len(bare) > limits.max_message_chars * _NFC_SHRINK:
        return too_long
    message = with_few_lines(_composed(bare))
    if is_blank(message):
        return InvalidFrame("empty", "the message is empty", request.client_id)
    if len(message) > limits.max_message_chars:
        return too_long
    return replace(
        request,
        message=message,
        uname=clean_name(request.uname, limits.max_uname_chars),
        sender_id=clean_name(request.sender_id, MAX_SENDER_ID_CHARS),
    )


def clean_name(text: str, max_chars: int) -> str:
    """The text cleaned, on one line, and at most `max_chars` long; "" when nothing of it can be seen."""
    bare = _LINE_BREAKS.sub(" ", _bare(text, name=True))[: max_chars * _NFC_SHRINK]
    name = _truncate(clean(bare, name=True), max_chars)
    return "" if is_blank(name) else name


def _truncate(text: str, length: int) -> str:
    """At most `length` characters, not ending inside a combined one unless nothing else is left."""
    if len(text) <= length:
        return text
    end = length
    while end > 0 and _continues(text, end):
        end -= 1
    return text[: end or length].rstrip()


def _continues(text: str, index: int) -> bool:
    letter = text[index]
    joined = letter == _ZWJ or text[index - 1] == _ZWJ or ord(letter) in _SKIN_TONES
    return joined or is_invisible(letter) or unicodedata.category(letter).startswith("M")


def rate_window(window: Window | None, now_ms: int, limits: Limits) -> Window | None:
    """The window after one more message at `now_ms`; None when that message exceeds the rate.

    A window lasts `rate_seconds` from its first message. One that begins further ahead than that comes from a
    wrong clock and is replaced.
    """
    span = limits.rate_seconds * 1000
    if window is None or not now_ms - span < window.started_at <= now_ms + span:
        return Window(now_ms, 1)
    return replace(window, count=window.count + 1) if window.count < limits.rate_messages else None
