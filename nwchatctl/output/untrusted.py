"""Text from elsewhere, made harmless: nothing in it moves the cursor, hides, or reorders its neighbours."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from nwchat.model.characters import MAX_MARKS, is_invisible, is_mark, is_variation

# Cc and Cs: control characters and lone surrogates. Cf: bidirectional overrides and isolates, zero-width
# characters, the byte order mark, tags. Zl and Zp: line breaks by another name. Co: no glyph to show.
_SPELLED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

_NAMES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def untrusted(text: str) -> str:
    r"""`text` with whatever a terminal would act upon spelled out, as `\x1b`, `\u202e` or `\n`.

    Nothing else changes; what comes back is no markup, and must be printed without looking for any.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(text))


def lines_kept(text: str) -> str:
    """As `untrusted`, for text of several lines; newlines and tabs stay."""
    return "".join(_shown(text, kept="\n\t"))


def tabs_kept(text: str) -> str:
    """As `untrusted`, for a line of cells; tabs stay."""
    return "\t".join(map(untrusted, text.split("\t")))


def _shown(text: str, kept: str = "") -> Iterator[str]:
    """Each character, or its spelling: also of marks that stack up and would cover other lines."""
    previous, marks = "", 0
    for each in text:
        marks = marks + 1 if is_mark(each) else 0
        if each in kept or (marks <= MAX_MARKS and _is_harmless(previous, each)):
            yield each
        else:
            yield _spelled(each)
        previous = each


def _is_harmless(previous: str, each: str) -> bool:
    if is_invisible(each):
        # An emoji is often followed by its variation selector, and looks as it should.
        return each == "\ufe0f" and previous != "" and is_variation(previous, each)
    return unicodedata.category(each) not in _SPELLED and ord(each) & 0xFFFE != 0xFFFE


def _spelled(each: str) -> str:
    if each in _NAMES:
        return _NAMES[each]
    code = ord(each)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
