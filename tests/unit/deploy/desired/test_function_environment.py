"""Each function gets the variables that its code reads: compared with the code itself."""

from __future__ import annotations

import ast
import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from nwchat.config import Config
from nwchatctl.config import Settings
from nwchatctl.deploy.desired.chat import desired_state
from nwchatctl.deploy.desired.function_environment import (
    VARIABLES,
    environment_size,
    refuse_large_environments,
)
from nwchatctl.deploy.desired.functions import FUNCTIONS
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function
from nwchatctl.errors import ChatError
from tests.paths import ROOT

PLACE = Location("123456789012", "us-east-2")
LAMBDAS = ROOT / "lambdas"
CONFIGS = {"config", "settings", "limits", "fan_out"}
"""What the code calls the settings and their parts."""


def functions(**sections: object) -> list[Function]:
    state = desired_state(Settings.model_validate(sections), PLACE, "c0de", "abc123")
    return [each for each in state.values() if isinstance(each, Function)]


class Code:
    """The functions of the package `nwchat` by module and name, and its methods by name."""

    def __init__(self) -> None:
        self.modules: dict[str, ast.Module] = {}
        self.imported: dict[str, dict[str, str]] = defaultdict(dict)
        self.methods: dict[str, list[tuple[str, ast.AST]]] = defaultdict(list)
        for path in (LAMBDAS / "nwchat").rglob("*.py"):
            name = ".".join(path.relative_to(LAMBDAS).with_suffix("").parts)
            self.modules[name] = tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    for alias in node.names:
                        self.imported[name][alias.asname or alias.name] = f"{node.module}.{alias.name}"
                if isinstance(node, ast.ClassDef):
                    for each in node.body:
                        if isinstance(each, ast.FunctionDef):
                            self.methods[each.name].append((name, each))
        self.services = self._services()

    def _services(self) -> dict[str, ast.expr]:
        """What `runtime.services` creates only when a handler uses it: the functions in `Services`."""
        return {
            each.arg: each.value
            for node in ast.walk(self.modules["nwchat.runtime"])
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Services"
            for each in node.keywords
            if each.arg and isinstance(each.value, ast.Lambda)
        }

    def function(self, module: str, name: str) -> ast.AST | None:
        tree = self.modules.get(module)
        body = tree.body if tree else []
        return next((each for each in body if isinstance(each, ast.FunctionDef) and each.name == name), None)

    def reads(self, short: str) -> set[str]:
        """The settings that function `short` reads, as `limits.rate_seconds`."""
        module = f"nwchat.{short}"
        initial = [each for each in self.modules[module].body if isinstance(each, ast.If)]
        handler = self.function(module, "handler")
        assert handler is not None
        waiting: list[tuple[str, ast.AST]] = [(module, handler), *((module, each) for each in initial)]
        seen: set[int] = set()
        found: set[str] = set()
        while waiting:
            where, node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            assigned = {
                each.id
                for each in ast.walk(node)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
            for each in self.walk(node):
                if isinstance(each, ast.Name) and each.id in assigned:
                    continue
                if isinstance(each, ast.Attribute) and terminal(each.value) in CONFIGS:
                    found.add(f"{terminal(each.value)}.{each.attr}")
                waiting += self.referred(where, each)
        return found

    def walk(self, node: ast.AST) -> Iterator[ast.AST]:
        yield node
        for child in ast.iter_child_nodes(node):
            if child not in self.services.values():
                yield from self.walk(child)

    def referred(self, where: str, node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
        """The functions that an expression may call."""
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        of = node.value.id if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""
        if isinstance(node, ast.Name):
            module, _, original = self.imported[where].get(name, f"{where}.{name}").rpartition(".")
            found = self.function(module, original)
            if found is not None:
                yield module, found
        elif self.imported[where].get(of, "") in self.modules:
            module = self.imported[where][of]
            found = self.function(module, name)
            if found is not None:
                yield module, found
        elif name:
            yield from self.methods[name]
            if name in self.services:
                yield "nwchat.runtime", self.services[name]


def terminal(node: ast.AST) -> str:
    """`limits` of `services.config.limits`, `config` of `runtime.config()`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return terminal(function)
    return ""


def variable_of_each_setting() -> dict[str, str]:
    """Each setting of the functions and the variable that changes it: found by setting the variables."""
    base = flat(Config.from_env({}))
    every = {name for names in VARIABLES.values() for name in names}
    found: dict[str, str] = {}
    for name in every:
        for text in ("token", "7", "false", "x"):
            try:
                changed = flat(Config.from_env({name: text}))
            except ValueError:
                continue
            found |= {setting: name for setting in base if changed[setting] != base[setting]}
    return found


def flat(config: Config) -> dict[str, object]:
    parts: dict[str, Any] = {"limits": config.limits, "fan_out": config.fan_out}
    return {
        **{f"config.{each.name}": getattr(config, each.name) for each in dataclasses.fields(config)
           if each.name not in parts},
        **{
            f"{name}.{each.name}": getattr(part, each.name)
            for name, part in parts.items()
            for each in dataclasses.fields(part)
        },
    }  # fmt: skip


CODE = Code()
SETTINGS = variable_of_each_setting()


def test_every_setting_of_the_functions_has_a_variable() -> None:
    assert SETTINGS.keys() == flat(Config.from_env({})).keys()
    assert VARIABLES.keys() == set(FUNCTIONS)


@pytest.mark.parametrize("short", FUNCTIONS)
def test_function_gets_what_its_code_reads(short: str) -> None:
    read = {each.replace("settings.", "config.") for each in CODE.reads(short)}
    assert {SETTINGS[each] for each in read if each in SETTINGS} == VARIABLES[short]


@pytest.mark.parametrize("mode", ["open", "token"])
def test_variables_are_set_unless_they_are_of_the_other_mode(mode: str) -> None:
    of_tokens = {"NWCHAT_AUTH_MODE", "NWCHAT_AUTH_PARAMETER"}
    for each in functions(auth={"mode": mode}):
        expected = VARIABLES[each.name.rpartition("-")[2]] - (of_tokens if mode == "open" else set())
        assert {name for name, _ in each.environment} == expected


def test_an_environment_that_lambda_would_refuse_is_refused_before() -> None:
    origins = [f"https://{number:04}.example.com" for number in range(145)]
    fits = functions(chat={"allowed_origins": origins})
    refuse_large_environments(fits)
    with pytest.raises(ChatError) as raised:
        refuse_large_environments(functions(chat={"allowed_origins": [*origins, *origins]}))
    assert (raised.value.code, raised.value.exit_code) == ("environment_too_large", 3)
    assert "nwchat-ninjawars-connect" in raised.value.message
    assert "NWCHAT_ALLOWED_ORIGINS" in (raised.value.hint or "")
    # The values stay out of it.
    assert "example.com" not in raised.value.message + (raised.value.hint or "")


def test_size_is_that_of_json_in_utf8() -> None:
    assert environment_size((("A", "é"),)) == len('{"A":"é"}'.encode())
    assert environment_size((("A", "{api-id}"),)) == len('{"A":"abcdefghij"}')
