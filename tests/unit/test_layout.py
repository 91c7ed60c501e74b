"""Rules about the code as a whole, read from its syntax trees: imports and class names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.paths import ROOT

Modules = dict[str, ast.Module]


def read_modules(package: str, folder: Path) -> Modules:
    """Dotted name → syntax tree, for every module of a package. The name of a package is its `__init__`."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join([package, *parts]).removesuffix(".__init__")
        modules[name] = ast.parse(path.read_text(), filename=str(path))
    return modules


@cache
def product() -> Modules:
    """All modules of nwchatctl and nwchat."""
    return read_modules("nwchatctl", ROOT / "nwchatctl") | read_modules("nwchat", ROOT / "lambdas" / "nwchat")


def imported_names(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a module imports anywhere: at the top, inside functions and for type checking."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(source), names=names, level=0):
                yield from (f"{source}.{alias.name}" for alias in names)
            case ast.ImportFrom():
                raise AssertionError(f"a relative import in line {node.lineno}")


def import_graph(modules: Modules) -> dict[str, set[str]]:
    """Module → the modules that it imports. `from package import module` imports the module alone: the
    `__init__` of a package counts only where a name is imported from it."""
    graph: dict[str, set[str]] = {}
    for name, tree in modules.items():
        found = (each if each in modules else each.rpartition(".")[0] for each in imported_names(tree))
        graph[name] = {each for each in found if each in modules}
    return graph


def import_cycle(modules: Modules) -> list[str]:
    """A cycle of imports, from a module back to itself; empty if there is none."""
    try:
        TopologicalSorter(import_graph(modules)).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][::-1]
        return cycle
    return []


def test_modules_do_not_import_each_other_in_a_cycle() -> None:
    assert import_cycle(product()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import p.a",
        "from p import a",
        "from p.a import x",
        "def f():\n    from p.a import x",
        "if TYPE_CHECKING:\n    from p import a",
    ],
)
def test_cycle_is_found_in_every_kind_of_import(tmp_path: Path, statement: str) -> None:
    sources = {"__init__": "", "a": "from p import b", "b": "import p.c", "c": statement}
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    cycle = import_cycle(read_modules("p", tmp_path))
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"p.a", "p.b", "p.c"}


def test_import_of_a_submodule_does_not_import_its_package(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("from p.a import x")
    (tmp_path / "a.py").write_text("from p import b\nimport p.b\nfrom p.b import y")
    (tmp_path / "b.py").write_text("")
    modules = read_modules("p", tmp_path)
    assert import_graph(modules) == {"p": {"p.a"}, "p.a": {"p.b"}, "p.b": set()}
    assert import_cycle(modules) == []


def package_of(module: str) -> str:
    """nwchat as a whole, or the package directly below nwchatctl."""
    parts = module.split(".")
    return parts[0] if parts[0] == "nwchat" else ".".join(parts[:2])


def test_class_name_is_used_in_one_package_only() -> None:
    packages: dict[str, set[str]] = defaultdict(set)
    for module, tree in product().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                packages[node.name].add(package_of(module))
    assert {name: found for name, found in packages.items() if len(found) > 1} == {}


DEFERRED_IMPORTS = re.compile(
    r"nwchatctl\.(commands(\..+)?|cli|context|output(\..+)?|aws\.core\.session)"
    r"|nwchat\.(authorize|connect|disconnect|fanout|history|message|runtime)"
)
"""Modules that may import inside functions, so that a command or a function starts fast."""

MAX_DEFERRED_IMPORTS = 80


def deferred_imports(tree: ast.Module) -> set[int]:
    """The lines of import statements inside functions."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {
        node.lineno
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }


def source_of(module: str) -> list[str]:
    path = (ROOT if module.startswith("nwchatctl") else ROOT / "lambdas") / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text().splitlines()


def test_imports_are_at_the_top_of_the_file() -> None:
    deferred = {
        f"{module}:{line}"
        for module, tree in product().items()
        if not DEFERRED_IMPORTS.fullmatch(module)
        for line in deferred_imports(tree)
        if "# noqa: PLC0415" not in source_of(module)[line - 1]
    }
    assert deferred == set()


def test_few_imports_are_inside_functions() -> None:
    assert sum(len(deferred_imports(tree)) for tree in product().values()) <= MAX_DEFERRED_IMPORTS


def is_test_module(name: str) -> bool:
    return name.startswith("tests.") and any(
        part == "conftest" or part.startswith("test_") for part in name.split(".")
    )


def test_test_modules_are_imported_by_no_other_module() -> None:
    """Fakes and helpers for several test modules are in modules of their own; fixtures are in conftest.py."""
    modules = read_modules("tests", ROOT / "tests")
    imports = {(name, each) for name, tree in modules.items() for each in imported_names(tree)}
    assert {(name, each) for name, each in imports if is_test_module(each)} == set()
