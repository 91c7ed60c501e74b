"""JSON out of files in any layout and encoding, in memory that does not grow with the file."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchatctl.chat import json_values
from nwchatctl.chat.json_values import InvalidJson, JsonValue, read_values

LISTS = ("new_chats", "chats")

OBJECTS = [{"message": f'text {number} "x" {{[,', "n": number, "deep": {"a": [1, {}]}} for number in range(4)]


def read(content: str | bytes, encoding: str = "utf-8") -> list[JsonValue | InvalidJson]:
    return list(
        read_values(io.BytesIO(content if isinstance(content, bytes) else content.encode(encoding)), LISTS)
    )


def values(content: str | bytes, encoding: str = "utf-8") -> list[object]:
    found = read(content, encoding)
    assert not [each for each in found if isinstance(each, InvalidJson)]
    return [each.value for each in found if isinstance(each, JsonValue)]


LAYOUTS: dict[str, Callable[[list[Any]], str]] = {
    "lines": lambda objects: "".join(json.dumps(each) + "\n" for each in objects),
    "no last newline": lambda objects: "\n".join(map(json.dumps, objects)),
    "carriage returns": lambda objects: "".join(json.dumps(each) + "\r\n" for each in objects),
    "compact array": lambda objects: json.dumps(objects, separators=(",", ":")),
    "mongoexport": lambda objects: "[" + ",\n".join(map(json.dumps, objects)) + "]\n",
    "a line an element": lambda objects: "[\n" + "\n,".join(map(json.dumps, objects)) + "\n]\n",
    "pretty array": lambda objects: json.dumps(objects, indent=2) + "\n",
    "pretty objects": lambda objects: "\n".join(json.dumps(each, indent=4) for each in objects),
    "site": lambda objects: json.dumps({"new_chats": {"chats": objects}}),
    "pretty site": lambda objects: json.dumps({"a": 1, "new_chats": {"b": [], "chats": objects}}, indent=1),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("block", [1, 7, 65_536])
def test_each_layout_gives_the_same_values(
    layout: Callable[[list[Any]], str], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_values, "_BLOCK", max(block, 4))
    assert values(layout(OBJECTS)) == OBJECTS
    assert values(layout([])) == []


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | texts
objects = st.dictionaries(texts, scalars | st.lists(scalars, max_size=3), max_size=4).filter(
    lambda each: not {"new_chats", "chats"} & set(each)
)


@given(
    st.lists(objects, max_size=4),
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be")),
    st.booleans(),
)
def test_each_encoding_gives_the_same_values(
    expected: list[Any], layout: str, encoding: str, ascii_only: bool
) -> None:
    text = LAYOUTS[layout](expected)
    if not ascii_only:
        text = json.dumps(expected, ensure_ascii=False)
    # Too few characters do not tell an encoding without a BOM.
    if len(text) >= 4:
        assert values(text, encoding) == expected


def test_places_are_lines_and_items() -> None:
    found = read('{"a": 1}\n\n[{"b": 1},\n{"c": 1}, 5,\n{"d": }]\n"x"\n')
    assert [(each.line, each.item) for each in found] == [(1, 0), (3, 1), (4, 2), (4, 3), (5, 4), (6, 5)]
    assert found[4] == InvalidJson(5, 4, "not JSON")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # A line that is no JSON costs no other.
        ('{"a": 1\n{"b": 2}\n', [InvalidJson(1, 0, "not JSON"), JsonValue(2, 0, {"b": 2})]),
        ('{"a": 1,\n{"b": 2}\n', [InvalidJson(1, 0, "not JSON"), JsonValue(2, 0, {"b": 2})]),
        ('{"a": "1\n{"b": 2}\n', [InvalidJson(1, 0, "not JSON"), JsonValue(2, 0, {"b": 2})]),
        ('a,b\n1,2\n{"b": 2}', [InvalidJson(1, 0, "not JSON"), JsonValue(2, 0, 1), JsonValue(2, 0, 2)]),
        # Nor does an object of several lines.
        (
            '[\n  {\n    "a": 1,\n    x\n  },\n  {\n    "b": 2\n  }\n]\n',
            [InvalidJson(2, 1, "not JSON"), JsonValue(6, 2, {"b": 2})],
        ),
        ('[{"a": 1}', [JsonValue(1, 1, {"a": 1}), InvalidJson(1, 0, "cut off: the array has no end")]),
        ('[{"a": 1}, {"b": "x', [JsonValue(1, 1, {"a": 1}), InvalidJson(1, 2, "not JSON, or cut off")]),
        ('{"a": [1, 2', [InvalidJson(1, 0, "not JSON, or cut off")]),
        ("[1]]\n2", [JsonValue(1, 1, 1), InvalidJson(1, 0, "not JSON"), JsonValue(2, 0, 2)]),
        ("", []),
        ("[]", []),
    ],
)
def test_what_is_no_json_is_reported_with_its_place(
    content: str, expected: list[JsonValue | InvalidJson]
) -> None:
    assert read(content)[: len(expected)] == expected


@given(st.text(st.sampled_from('[]{}",: \n\\ab1é\0'), max_size=60) | st.binary(max_size=60))
def test_any_file_is_read_to_its_end(content: str | bytes) -> None:
    for each in read(content):
        assert each.line >= 1


class Generated(io.RawIOBase):
    """A file that is made while it is read."""

    def __init__(self, size: int, element: bytes) -> None:
        super().__init__()
        self._left = size
        self._element = element
        self._rest = b"["

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and self._left:
            self._left -= 1
            self._rest += self._element + (b"," if self._left else b"]")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_any_size_needs_little_memory(indent: int | None) -> None:
    element = json.dumps({"message": "x" * 200, "date": 1}, indent=indent).encode()
    source: Any = Generated(40_000, element)
    tracemalloc.start()
    try:
        assert sum(isinstance(each, JsonValue) for each in read_values(source)) == 40_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The array has 9 MB.
    assert peak < 2_000_000
