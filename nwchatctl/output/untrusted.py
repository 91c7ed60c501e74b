"""Text from elsewhere, made harmless: nothing in it moves the cursor, hides, or reorders its neighbours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from nwchat.model.characters import MAX_MARKS, is_invisible, is_joint, is_mark, is_variation

# Cc and Cs: control characters and lone surrogates. Cf: bidirectional overrides and isolates, zero-width
# characters, the byte order mark, tags. Zl and Zp: line breaks by another name. Co: no glyph to show.
_SPELLED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

_NAMES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}

_AMBIGUOUS = re.compile(r"\\(?=[\\ntrxuU])")
"""A backslash that would look like the beginning of a spelling."""

_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def untrusted(text: str) -> str:
    r"""`text` with whatever a terminal would act upon spelled out, as `\x1b`, `\u202e` or `\n`.

    A backslash that would look like the beginning of such a spelling is doubled, so that what was spelled out
    differs from what a player typed. Nothing else changes; what comes back is no markup, and must be printed
    without looking for any.
    """
    if text.isascii() and text.isprintable():
        return _AMBIGUOUS.sub(r"\\\\", text) if "\\" in text else text
    return "".join(_shown(text))


def isolated(text: str) -> str:
    """The text (one that is safe to print) so that its right-to-left letters leave its neighbors in place:
    between FSI and PDI (UAX #9). For terminals only; other text stays as it is."""
    if text.isascii() or not any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in text):
        return text
    return f"{_ISOLATE}{text}{_END_ISOLATE}"


def lines_kept(text: str) -> str:
    """As `untrusted`, for text of several lines; newlines, tabs and backslashes stay."""
    return "".join(_shown(text, kept="\n\t\\"))


def tabs_kept(text: str) -> str:
    """As `untrusted`, for a line of cells; tabs stay."""
    return "\t".join(map(untrusted, text.split("\t")))


def json_kept(text: str) -> str:
    """As `untrusted`, for JSON: its backslashes stay."""
    return "".join(_shown(text, kept="\\"))


def _shown(text: str, kept: str = "") -> Iterator[str]:
    """Each character, or its spelling: also of marks that stack up and would cover other lines."""
    marks = 0
    for index, each in enumerate(text):
        marks = marks + 1 if is_mark(each) else 0
        if each in kept:
            yield each
        elif each == "\\":
            yield "\\\\" if _begins_spelling(text, index) else each
        elif marks <= MAX_MARKS and _is_harmless(text, index):
            yield each
        else:
            yield _spelled(each)


def _begins_spelling(text: str, index: int) -> bool:
    """Whether the backslash there would look like the beginning of a spelling."""
    following = text[index + 1 : index + 2]
    return following != "" and (following in "\\ntrxuU" or not _is_harmless(text, index + 1))


def _is_harmless(text: str, index: int) -> bool:
    each, previous = text[index], text[index - 1] if index else ""
    if is_invisible(each):
        # An emoji is often followed by its variation selector, and looks as it should.
        if each == "\ufe0f":
            return previous != "" and is_variation(previous, each)
        return is_joint(previous, each, text[index + 1 : index + 2])
    return unicodedata.category(each) not in _SPELLED and ord(each) & 0xFFFE != 0xFFFE


def _spelled(each: str) -> str:
    if each in _NAMES:
        return _NAMES[each]
    code = ord(each)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
