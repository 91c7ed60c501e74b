"""nwchat.toml as text, as values, and the line of a key in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from nwchatctl.errors import ChatError, Exit
from nwchatctl.private_files import read_regular

_KEY = r"'([^']*)'"
_KEYS = re.compile(rf"\({_KEY}(?:, {_KEY})*,?\)")
"""The name of a table in errors of tomllib, as Python writes it: `('chat',)`."""

MAX_BYTES = 1024 * 1024
"""A file with every setting has about 10 KB."""


def read(path: Path) -> str:
    """The file's text. Raises ChatError `config_unreadable` or `config_syntax` (no UTF-8), exit 3."""
    try:
        return read_regular(path, MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise ChatError(
            f"{path} cannot be read: {error.strerror}",
            hint="give a file that you may read: --config FILE",
            code="config_unreadable",
            exit_code=Exit.CONFIG,
        ) from error
    except UnicodeDecodeError:
        raise _syntax(path, "it is not UTF-8") from None


def parse(path: Path, text: str) -> dict[str, object]:
    """The values in `text`. Raises ChatError `config_syntax`, exit 3."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(path, _KEYS.sub(_dotted, str(error))) from None
    except ValueError:
        # Python converts no number of more than 4,300 digits.
        raise _syntax(path, "a number in it is too long") from None
    except RecursionError:
        raise _syntax(path, "it is nested too deeply") from None


def _dotted(match: re.Match[str]) -> str:
    return f"[{'.'.join(re.findall(_KEY, match[0]))}]"


def place(path: Path, text: str, section: str, key: str = "") -> str:
    """`/p/nwchat.toml:7`, the line of the key (or the section); without a line if it cannot be determined."""
    line = _line(text, section, key)
    return f"{path}:{line}" if line else str(path)


def _line(text: str, section: str, key: str) -> int | None:
    section_name = ""
    for number, line in enumerate(text.splitlines(), 1):
        if heading := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            section_name = heading[1].strip("\"'")
            if section_name == section and not key:
                return number
        elif assignment := re.match(r"\s*([^=#]+?)\s*=", line):
            name = ".".join(part.strip(" \"'") for part in assignment[1].split("."))
            full_name = f"{section_name}.{name}" if section_name else name
            if full_name == (f"{section}.{key}" if key else section):
                return number
    return None


def _syntax(path: Path, why: str) -> ChatError:
    return ChatError(
        f"{path} is not TOML: {why}",
        hint="correct that line; `nwchatctl init --path new.toml` writes a file to compare with",
        code="config_syntax",
        exit_code=Exit.CONFIG,
    )
