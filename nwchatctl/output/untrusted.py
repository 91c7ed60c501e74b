"""Text from elsewhere, made harmless: nothing in it moves the cursor, hides, or reorders its neighbours."""

from __future__ import annotations

import unicodedata

# Cc and Cs: control characters and lone surrogates. Cf: bidirectional overrides and isolates, zero-width
# characters, the byte order mark, tags. Zl and Zp: line breaks by another name. Co: no glyph to show.
_SPELLED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

# Letters and marks by category, blank by sight: a name made of them would look like no name.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")

_NAMES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def untrusted(text: str) -> str:
    r"""`text` with whatever a terminal would act upon spelled out, as `\x1b`, `\u202e` or `\n`.

    Nothing else changes; what comes back is no markup, and must be printed without looking for any.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_character, text))


def lines_kept(text: str) -> str:
    """As `untrusted`, for text of several lines; newlines and tabs stay."""
    return "".join(each if each in "\n\t" else _character(each) for each in text)


def tabs_kept(text: str) -> str:
    """As `untrusted`, for a line of cells; tabs stay."""
    return "\t".join(map(untrusted, text.split("\t")))


def _character(each: str) -> str:
    code = ord(each)
    if unicodedata.category(each) not in _SPELLED and each not in _BLANK and code & 0xFFFE != 0xFFFE:
        return each
    if each in _NAMES:
        return _NAMES[each]
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
