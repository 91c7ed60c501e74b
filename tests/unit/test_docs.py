"""The documents name only what exists: files, symbols, links; and the architecture lists every module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from nwchatctl.config.template import setting_docs
from tests.paths import DOCS, ROOT

ARCHITECTURE = DOCS / "explanation" / "architecture.md"
CHECKED = (ARCHITECTURE, ROOT / "CONTRIBUTING.md")
"""The documents whose code spans are checked. Others may name what was, or is somewhere else."""

PACKAGES = {"nwchatctl": "nwchatctl", "nwchat": "lambdas/nwchat", "tests": "tests", "bench": "bench"}
"""Import name of each package: its folder."""

_FENCE = re.compile(r"^```.*?^```", re.M | re.S)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
_DOTTED = re.compile(r"\w+(\.\w+)+")
_GENERIC = {"nwchat.toml", "__init__.py", "group.py"}
"""File names that mean no certain file of the repository."""
_IGNORED = (".git", ".venv", "node_modules", ".tools", "out")
"""Beginnings of the names of folders that hold nothing of the repository, such as .venv-3.12."""


def markdown_files() -> list[Path]:
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(part.startswith(_IGNORED) for part in path.relative_to(ROOT).parts[:-1])
    )


def spans(text: str) -> list[str]:
    """The code spans of a document, without those of code blocks."""
    return _SPAN.findall(_FENCE.sub("", text))


def looks_like_path(span: str) -> bool:
    """Whether a code span means a file or folder of the repository: `nwchatctl/aws/`, `pyproject.toml`."""
    if not _PATH.fullmatch(span):
        return False
    top = span.split("/", maxsplit=1)[0]
    if "/" in span:
        return top in {each.name for each in ROOT.iterdir()}
    return re.search(r"\.(md|py|toml|lock)$", span) is not None and span not in _GENERIC


@cache
def modules() -> dict[str, Path]:
    """Every module by its full import name."""
    found = {}
    for name, folder in PACKAGES.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((name, *parts)).removesuffix(".__init__")] = path
    return found


@cache
def symbols(path: Path) -> frozenset[str]:
    """What a module defines: `function`, `Class`, `CONSTANT`, `Class.method`, `Class.field`."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for name in _names(node):
            found.add(name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for member in node.body for name in _names(member)}
    return frozenset(found)


def _names(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (each.id for each in targets if isinstance(each, ast.Name))


def is_defined(dotted: str) -> bool:
    """Whether `nwchatctl.context.App`, `context.App`, `App.say` or setting `stage.throttle_rate` exists."""
    if dotted in modules() or dotted in {name for name, _, _ in setting_docs()}:
        return True
    parts = dotted.split(".")
    for name, path in modules().items():
        for length in range(len(parts)):
            module, symbol = ".".join(parts[:length]), ".".join(parts[length:])
            if (not module or name == module or name.endswith(f".{module}")) and symbol in symbols(path):
                return True
    return False


def missing(text: str) -> list[str]:
    """The code spans of `text` that look like a file or a symbol of the repository and are neither."""
    found = []
    for span in spans(text):
        if looks_like_path(span):
            if not (ROOT / span).exists():
                found.append(span)
        elif _DOTTED.fullmatch(span) and span not in _GENERIC and not is_defined(span):
            found.append(span)
    return found


@pytest.mark.parametrize("document", CHECKED, ids=lambda path: path.name)
def test_files_and_symbols_that_a_document_names_exist(document: Path) -> None:
    assert missing(document.read_text(encoding="utf-8")) == []


def test_a_name_that_does_not_exist_is_found() -> None:
    text = """
`nwchatctl/cli.py` has `cli.run` and `nwchatctl.cli.COMMANDS`; `App.say`, `stage.throttle_rate` and
`tests/e2e/support/` exist; `--json`, `a b` and `App` are not checked.
`nwchatctl/tree.py`, `docs/nothing/`, `gone.md`, `cli.walk`, `nwchatctl.cli.walk`, `App.shout`, `stage.color`.

```
`nwchatctl/in_a_block.py`
```
"""
    assert missing(text) == [
        "nwchatctl/tree.py",
        "docs/nothing/",
        "gone.md",
        "cli.walk",
        "nwchatctl.cli.walk",
        "App.shout",
        "stage.color",
    ]


def tree(text: str) -> list[str]:
    """The files that the code blocks of `text` list: an unindented `folder/`, then a file in each line."""
    found, folder = [], ""
    for block in _FENCE.findall(text):
        for line in block.splitlines():
            word = line.split(maxsplit=1)[0] if line.strip() else ""
            if line == word and word.endswith("/"):
                folder = word
            elif line.startswith("  ") and folder:
                found.append(folder + word)
    return found


def test_the_architecture_lists_every_module_once() -> None:
    listed = tree(ARCHITECTURE.read_text(encoding="utf-8"))
    assert [each for each in listed if not (ROOT / each).exists()] == []
    code = sorted(each for each in listed if each.startswith(("nwchatctl/", "lambdas/")))
    paths = [*(ROOT / "nwchatctl").rglob("*.py"), *(ROOT / "lambdas").rglob("*.py")]
    # An `__init__.py` that defines something is a module like any other.
    there = [each for each in paths if each.name != "__init__.py" or {"load"} & symbols(each)]
    assert code == sorted(str(each.relative_to(ROOT)) for each in there)


def test_a_tree_is_read_with_its_folders() -> None:
    text = "a/ is no tree\n```\na/\n  b.py  it is\n  c.py\n\na/d/\n  e.py  f\n```\n```\nx  y\n```\n"
    assert tree(text) == ["a/b.py", "a/c.py", "a/d/e.py"]


def broken_links(path: Path, text: str) -> list[str]:
    """The relative links of a Markdown file that lead to no file."""
    found = []
    for link in _LINK.findall(_FENCE.sub("", text)):
        target = link.partition("#")[0]
        if target and ":" not in target and not (path.parent / target).exists():
            found.append(link)
    return found


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_to_files(path: Path) -> None:
    assert broken_links(path, path.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_found() -> None:
    text = "[a](docs/tokens.md#keys) [b](docs/token.md) [c](https://example.com/x) [d](#here) [e](nothing/)"
    assert broken_links(ROOT / "README.md", text) == ["docs/token.md", "nothing/"]


def test_decisions_have_numbers_of_their_own_which_their_titles_repeat() -> None:
    records = sorted((DOCS / "explanation" / "adr").glob("*.md"))
    numbers = [int(each.name[:4]) for each in records]
    assert len(numbers) == len(set(numbers))
    titles = [each.read_text(encoding="utf-8").splitlines()[0] for each in records]
    assert [title.split(".")[0] for title in titles] == [f"# {number}" for number in numbers]


def absent_tests(text: str) -> list[str]:
    """The `file::test` of a text that do not exist, without parameters."""
    found = []
    for file, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", text):
        path = ROOT / file
        if not path.exists() or not re.search(rf"^(def {name}\b|{name} = )", path.read_text(), re.M):
            found.append(f"{file}::{name}")
    return found


def test_every_threat_has_a_test_that_exists() -> None:
    text = (DOCS / "explanation" / "security.md").read_text(encoding="utf-8")
    _, *tables = re.split(r"^\| threat \|.*\n\|[- |]+\n", text, flags=re.M)
    threats = [row for table in tables for row in table.partition("\n\n")[0].splitlines()]
    assert len(threats) > 90
    assert [row for row in threats if "tests/" not in row] == []
    assert absent_tests(text) == []


def test_an_absent_test_is_found() -> None:
    here = "tests/unit/test_docs.py"
    text = f"`{here}::test_an_absent_test_is_found` {here}::test_no tests/x.py::test_y"
    assert absent_tests(text) == ["tests/unit/test_docs.py::test_no", "tests/x.py::test_y"]
