"""Any settings file: a clear refusal or valid settings, whatever its bytes, values and layout are."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nwchatctl.config.settings import sections
from nwchatctl.errors import Exit
from tests.fuzz.program import Outcome, examples, require_sound, run

pytestmark = pytest.mark.timeout(method="thread")
"""Commands use the signal that pytest-timeout uses by default."""

KEYS = [
    (section, key)
    for section, model in sections().items()
    for key in (model.model_fields if model is not None else ("team", "Team", "aws:x", "nwchat:chat", ""))
]
"""Every setting, and keys of tags that are free, refused or alike."""

STRANGE = st.sampled_from(
    [
        *("", "none", "on", "token", "open", "a.example.com", "Z123", "https://a.example:443", "*", "\x00"),
        *("\x1b[2J", "\u202eb", "x" * 3000, "e" + "\u0301" * 9, "\nerror: x", "{0}", "%s", "\\", "a,b", " "),
        *(
            -1,
            0,
            1,
            128,
            10**6,
            2**31,
            2**53,
            2**63,
            10**22,
            10**400,
            -(10**30),
            0.5,
            math.inf,
            math.nan,
            1e308,
        ),
        *(True, False, [], ["a"], ["", 1], [["x"]], {}, {"a": 1}, [{}]),
    ]
)
VALUES = STRANGE | st.text(max_size=8) | st.integers() | st.floats()
ASSIGNMENTS = st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=5)
NAMES = st.sampled_from(["chat", "stage", "names", "", "\x00", "\u202e", "a.b", "x" * 300]) | st.text(
    max_size=8
)
UNKNOWN = st.lists(st.tuples(st.tuples(NAMES, NAMES), VALUES), max_size=2)


def document(assignments: list[tuple[tuple[str, str], object]], bom: str = "") -> bytes:
    """TOML with these values, of which a later one of the same key counts."""
    tables: dict[str, dict[str, object]] = {}
    for (section, key), value in assignments:
        tables.setdefault(section, {})[key] = value
    return (bom + "\n".join(_toml(tables))).encode("utf-8", "surrogatepass")


def _toml(tables: dict[str, dict[str, object]]) -> Iterator[str]:
    for name, table in tables.items():
        yield f"[{_text(name)}]"
        yield from (f"{_text(key)} = {_value(value)}" for key, value in table.items())


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return "{" + ", ".join(f"{_text(key)} = {_value(each)}" for key, each in value.items()) + "}"
        case _:
            return repr(value)


def _text(text: str) -> str:
    # JSON's text is TOML's, but for DEL, and for escapes of surrogates.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of these tests alone: settings are looked for in the folders above, too."""
    return tmp_path_factory.mktemp("settings")


def shown(folder: Path, content: bytes, *options: str) -> Outcome:
    """`config show` with a settings file of this content."""
    path = folder / "nwchat.toml"
    path.write_bytes(content)
    outcome = run(["config", "show", *options], {"HOME": str(folder)}, folder)
    require_sound(outcome)
    assert outcome.code in (Exit.DONE, Exit.CONFIG), outcome.err
    return outcome


@examples(1500)
@given(st.binary(max_size=200))
@example(b"\xff\xfe[\x00c\x00")
@example(b"a = 1\r")
@example(b'[chat]\nname = "\x00"\n')
def test_any_bytes_are_read_or_refused(folder: Path, content: bytes) -> None:
    shown(folder, content)


@examples(900)
@given(ASSIGNMENTS, UNKNOWN, st.sampled_from(["", "", "\ufeff"]), st.sampled_from([(), ("--json",), ("-v",)]))
def test_any_document_gives_settings_or_one_error(
    folder: Path,
    known: list[tuple[tuple[str, str], object]],
    unknown: list[tuple[tuple[str, str], object]],
    bom: str,
    options: tuple[str, ...],
) -> None:
    outcome = shown(folder, document(known + unknown, bom), *options)

    if outcome.code == Exit.CONFIG:
        # An error and a hint; no value of the file can begin a line of its own.
        assert outcome.err.count("\n") <= 2, outcome.err
