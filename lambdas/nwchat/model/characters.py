"""Characters that cannot be seen or that stack up: one table for messages, names, bans and terminals. Pure.

Every function is linear in the length of its text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

MAX_MARKS = 4
"""Combining marks per base character: more cover the lines above and below."""
MAX_LINE_BREAKS = 10

# The Default_Ignorable_Code_Point of Unicode 15.1 (DerivedCoreProperties.txt), without the bidirectional
# controls that `limits` drops from every text.
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u206a-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Letters and symbols whose glyph is empty: blank braille, null notehead, Khitan filler, Egyptian blanks.
_BLANK = "\u2800\U0001d159\U00016fe4\U00013441\U00013442"

_INVISIBLE = re.compile(f"[{_IGNORABLE}{_BLANK}]")
_NOT_SEEN = re.compile(f"[{_IGNORABLE}{_BLANK}\\s]*")

_BRAILLE_BLANK = "\u2800"
_JOINERS = frozenset("\u200c\u200d")
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f")
_BLACK_FLAG = "\U0001f3f4"
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")
"""The flags of England, Scotland and Wales are a flag and letters that cannot be seen (UTS #51, ED-14a)."""


def is_invisible(character: str) -> bool:
    """Whether the character shows nothing, but may change how its neighbors look."""
    return _INVISIBLE.fullmatch(character) is not None


def is_blank(text: str) -> bool:
    """Whether nothing of the text can be seen."""
    return _NOT_SEEN.fullmatch(text) is not None


def without_any_invisible(text: str) -> str:
    """The text without invisible characters, also those that have a purpose: for comparison."""
    return _INVISIBLE.sub("", text)


def visible_text(text: str, *, name: bool = False) -> str:
    """The text without invisible characters, except those that scripts and emoji need in their place.

    These are joiners within Arabic and Indic words and between emoji, variation selectors after what they
    vary, flags, and in messages (not with `name`) single direction marks and the blanks of braille pictures.
    """
    if text.isascii() or _INVISIBLE.search(text) is None:
        return text
    return "".join(_kept(text, name))


def _kept(text: str, name: bool) -> Iterator[str]:
    previous, flag_end = "", 0
    for index, each in enumerate(text):
        if each == _BLACK_FLAG and (flag := _FLAG.match(text, index)) is not None:
            flag_end = flag.end()
        if index >= flag_end and _INVISIBLE.match(each):
            if name and each == _BRAILLE_BLANK:
                yield " "
                previous = " "
                continue
            if not _has_purpose(previous, each, text[index + 1 : index + 2], name):
                continue
        yield each
        previous = each


def _has_purpose(previous: str, each: str, following: str, name: bool) -> bool:
    """Whether an invisible character between these two does what it is for; "" stands for an end."""
    if each == _BRAILLE_BLANK:
        return True
    if each in _DIRECTION_MARKS:
        return not name and previous != each
    if not previous:
        return False
    if each in _JOINERS:
        joined = previous == "\ufe0f" or _is_emoji(previous)
        return _is_joining(previous) or (joined and _is_emoji(following))
    return is_variation(previous, each)


def is_joint(previous: str, each: str, following: str) -> bool:
    """Whether `each` is a joiner or non-joiner between two letters of a script that needs it, or between two
    emoji."""
    if each not in _JOINERS or not previous or not following:
        return False
    if _is_joining(previous):
        return unicodedata.category(following)[0] in "LM" and not is_invisible(following)
    return (previous == "\ufe0f" or _is_emoji(previous)) and _is_emoji(following)


def is_variation(previous: str, each: str) -> bool:
    """Whether `each` is a variation selector after a character that can have variants."""
    code = ord(each)
    if 0xFE00 <= code <= 0xFE0F:
        # Keycaps and two signs are the emoji below U+2000; the other variants are of symbols and ideographs.
        return previous in "0123456789#*\xa9\xae" or (ord(previous) >= 0x2000 and not is_invisible(previous))
    if 0xE0100 <= code <= 0xE01EF:
        return ord(previous) >= 0x3400 and unicodedata.category(previous) == "Lo"
    return each in "\u180b\u180c\u180d\u180f" and 0x1820 <= ord(previous) <= 0x18AA


def _is_joining(character: str) -> bool:
    # Arabic to Mongolian: the scripts whose letters join or stack, without Georgian and Hangul between them.
    code = ord(character)
    joining = 0x0600 <= code <= 0x109F or 0x1700 <= code <= 0x1CFF or 0xA840 <= code <= 0xABFF
    return joining and unicodedata.category(character)[0] in "LM" and not is_invisible(character)


def _is_emoji(character: str) -> bool:
    if not character or ord(character) < 0x2190 or is_invisible(character):
        return False
    return unicodedata.category(character) in ("So", "Sk", "Sm")


# Marks and lines -----------------------------------------------------------------------------------


def is_mark(character: str) -> bool:
    """Whether the character combines with the one before it and can be seen."""
    return unicodedata.category(character)[0] == "M" and not is_invisible(character)


def with_few_marks(text: str) -> str:
    """The text with at most `MAX_MARKS` combining marks on each base character."""
    return text if text.isascii() else "".join(_limited_marks(text))


def _limited_marks(text: str) -> Iterator[str]:
    marks = 0
    for each in text:
        if is_mark(each):
            marks += 1
            if marks > MAX_MARKS:
                continue
        elif not is_invisible(each):
            # An invisible character is no new base: marks on both sides of it would stack up.
            marks = 0
        yield each


def with_few_lines(text: str) -> str:
    """The text with at most `MAX_LINE_BREAKS`: further line breaks become spaces, so that no word is lost."""
    if text.count("\n") <= MAX_LINE_BREAKS:
        return text
    lines = text.split("\n")
    first, rest = lines[:MAX_LINE_BREAKS], lines[MAX_LINE_BREAKS:]
    return "\n".join([*first, " ".join(each for each in rest if each)])
